// Reading the wire format field by field: shared by scan.c and reduce.c.
#pragma once
#include "CWire.h"

// The encoding: https://protobuf.dev/programming-guides/encoding/
enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, GROUP_START = 3, GROUP_END = 4, FIXED32 = 5 };

#define FIELD_NUMBER_MAX ((1u << 29) - 1)

typedef struct cursor {
    const uint8_t *at;
    const uint8_t *end;
} cursor;

typedef struct tag {
    uint32_t number;
    unsigned wire_type;
} tag;

static inline cwire_verdict read_varint(cursor *c, uint64_t *value) {
    if (c->at < c->end && *c->at < 0x80) {
        *value = *c->at++;
        return CWIRE_FINE;
    }
    uint64_t sum = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (c->at == c->end) return CWIRE_TRUNCATED;
        uint8_t byte = *c->at++;
        if (shift < 64) sum |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = sum;
            return CWIRE_FINE;
        }
    }
    return CWIRE_BAD_VARINT;
}

static inline cwire_verdict read_tag(cursor *c, tag *result) {
    uint64_t value;
    const uint8_t *start = c->at;
    cwire_verdict verdict = read_varint(c, &value);
    if (verdict != CWIRE_FINE) return verdict;
    if (c->at - start > 5 || value >> 3 == 0 || value >> 3 > FIELD_NUMBER_MAX)
        return CWIRE_BAD_TAG;
    *result = (tag){(uint32_t)(value >> 3), value & 7};
    return CWIRE_FINE;
}

// Reads the value of a field; `contents` is what a length says, or nothing.
static inline cwire_verdict read_value(cursor *c, unsigned wire_type, cursor *contents) {
    uint64_t value;
    cwire_verdict verdict;
    size_t left;
    switch (wire_type) {
    case VARINT:
        return read_varint(c, &value);
    case FIXED64:
    case FIXED32:
        left = wire_type == FIXED64 ? 8 : 4;
        if ((size_t)(c->end - c->at) < left) return CWIRE_TRUNCATED;
        c->at += left;
        return CWIRE_FINE;
    case LENGTH:
        verdict = read_varint(c, &value);
        if (verdict != CWIRE_FINE) return verdict;
        if (value > (size_t)(c->end - c->at)) return CWIRE_TRUNCATED;
        *contents = (cursor){c->at, c->at + value};
        c->at += value;
        return CWIRE_FINE;
    case GROUP_START:
    case GROUP_END:
        return CWIRE_GROUP;
    default:
        return CWIRE_BAD_WIRE_TYPE;
    }
}

static inline const ProtobufCFieldDescriptor *find_field(
    const ProtobufCMessageDescriptor *descriptor, uint32_t number) {
    const ProtobufCIntRange *ranges = descriptor->field_ranges;
    for (unsigned i = 0; i < descriptor->n_field_ranges; i++) {
        int64_t offset = (int64_t)number - ranges[i].start_value;
        if (offset < 0) return NULL;
        if (offset < (int64_t)ranges[i + 1].orig_index - ranges[i].orig_index)
            return descriptor->fields + ranges[i].orig_index + offset;
    }
    return NULL;
}

// Whether a second occurrence is merged with the first.
static inline bool merges(const ProtobufCFieldDescriptor *field) {
    return field->type == PROTOBUF_C_TYPE_MESSAGE && field->label != PROTOBUF_C_LABEL_REPEATED;
}
