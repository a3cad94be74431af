#include "CWire.h"

#include <string.h>

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

static cwire_verdict read_varint(cursor *c, uint64_t *value) {
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

static cwire_verdict read_tag(cursor *c, tag *result) {
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
static cwire_verdict read_value(cursor *c, unsigned wire_type, cursor *contents) {
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

static const ProtobufCFieldDescriptor *find_field(
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

// The length of the well-formed character at `at`, which is not ASCII; 0 if there is none.
// Table 3-7 of the Unicode Standard.
static size_t character_length(const uint8_t *at, size_t left) {
    uint8_t first = at[0];
    size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first < 0xc2 || first > 0xf4 || left < length) return 0;
    uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high) return 0;
    for (size_t i = 2; i < length; i++)
        if ((at[i] & 0xc0) != 0x80) return 0;
    return length;
}

static cwire_verdict check_text(cursor text) {
    const uint8_t *at = text.at;
    while (at < text.end) {
        size_t left = (size_t)(text.end - at);
        uint64_t word;
        if (left >= 8) {
            memcpy(&word, at, 8);
            // No byte has its high bit set, and none is zero: then subtracting 1 from each
            // borrows nowhere.
            uint64_t suspects = word | (word - 0x0101010101010101u);
            if ((suspects & 0x8080808080808080u) == 0) {
                at += 8;
                continue;
            }
        }
        if (*at == 0) return CWIRE_NUL;
        size_t length = *at < 0x80 ? 1 : character_length(at, left);
        if (length == 0) return CWIRE_BAD_UTF8;
        at += length;
    }
    return CWIRE_FINE;
}

typedef struct scan {
    cwire_scan_result result;
    unsigned depth_max;
    size_t large_bytes_min;
} scan;

static bool scan_message(
    scan *s, const ProtobufCMessageDescriptor *descriptor, cursor c, unsigned depth);

// Scans what is inside a field of known type; false stops the scan.
static bool scan_contents(
    scan *s, const ProtobufCFieldDescriptor *field, cursor contents, unsigned depth) {
    size_t count = (size_t)(contents.end - contents.at);
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        s->result.reduced_bytes_max += 4;
        return scan_message(s, field->descriptor, contents, depth + 1);
    case PROTOBUF_C_TYPE_STRING:
        s->result.verdict = check_text(contents);
        return s->result.verdict == CWIRE_FINE;
    case PROTOBUF_C_TYPE_BYTES:
        s->result.reduced_bytes_max += sizeof(cwire_reference);
        s->result.reduced_bytes_max -= count;
        if (count >= s->large_bytes_min) s->result.large_bytes += count;
        return true;
    default:
        return true;
    }
}

static bool scan_message(
    scan *s, const ProtobufCMessageDescriptor *descriptor, cursor c, unsigned depth) {
    if (depth > s->depth_max) {
        s->result.verdict = CWIRE_TOO_DEEP;
        return false;
    }
    while (c.at < c.end) {
        tag t = {0, 0};
        cursor contents = {NULL, NULL};
        const ProtobufCFieldDescriptor *field = NULL;
        cwire_verdict verdict = read_tag(&c, &t);
        if (verdict == CWIRE_FINE) {
            field = find_field(descriptor, t.number);
            verdict = read_value(&c, t.wire_type, &contents);
        }
        s->result.verdict = verdict;
        if (verdict == CWIRE_FINE
            && (!field || t.wire_type != LENGTH || scan_contents(s, field, contents, depth)))
            continue;
        if (!s->result.message) {
            s->result.message = descriptor->name;
            s->result.field = field ? field->name : NULL;
        }
        return false;
    }
    return true;
}

cwire_scan_result cwire_scan(
    const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t count,
    unsigned depth_max, size_t large_bytes_min) {
    scan s = {
        .result = {.verdict = CWIRE_FINE, .reduced_bytes_max = count},
        .depth_max = depth_max,
        .large_bytes_min = large_bytes_min,
    };
    scan_message(&s, descriptor, (cursor){bytes, bytes + count}, 1);
    return s.result;
}

// Lengths are written in five bytes, so that they can be filled in after the contents.
static void write_length(uint8_t *target, size_t length) {
    for (int i = 0; i < 4; i++) target[i] = (uint8_t)(length >> (7 * i)) | 0x80;
    target[4] = (uint8_t)(length >> 28);
}

static uint8_t *reduce_message(
    const ProtobufCMessageDescriptor *descriptor, const uint8_t *origin, cursor c,
    uint8_t *target) {
    while (c.at < c.end) {
        const uint8_t *start = c.at;
        tag t = {0, 0};
        cursor contents = {NULL, NULL};
        if (read_tag(&c, &t) != CWIRE_FINE) return target;
        size_t tag_bytes = (size_t)(c.at - start);
        if (read_value(&c, t.wire_type, &contents) != CWIRE_FINE) return target;
        const ProtobufCFieldDescriptor *field = find_field(descriptor, t.number);
        if (!field) continue;
        bool is_nested = t.wire_type == LENGTH && field->type == PROTOBUF_C_TYPE_MESSAGE;
        bool is_bytes = t.wire_type == LENGTH && field->type == PROTOBUF_C_TYPE_BYTES;
        size_t copied = is_nested || is_bytes ? tag_bytes : (size_t)(c.at - start);
        memcpy(target, start, copied);
        target += copied;
        if (is_nested) {
            uint8_t *inner = target + 5;
            uint8_t *end = reduce_message(field->descriptor, origin, contents, inner);
            write_length(target, (size_t)(end - inner));
            target = end;
        } else if (is_bytes) {
            cwire_reference reference = {
                (uint32_t)(contents.at - origin), (uint32_t)(contents.end - contents.at)};
            *target++ = sizeof(reference);
            memcpy(target, &reference, sizeof(reference));
            target += sizeof(reference);
        }
    }
    return target;
}

size_t cwire_reduce(
    const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t count,
    uint8_t *target) {
    cursor whole = {bytes, bytes + count};
    return (size_t)(reduce_message(descriptor, bytes, whole, target) - target);
}
