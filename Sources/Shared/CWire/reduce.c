#include "wire.h"

#include <string.h>

// One occurrence of a message field. A message is its occurrences one after another: that is how
// the encoding defines merging.
typedef struct segment {
    cursor contents;
    struct segment *next;
} segment;

// The occurrences of a field that merges.
typedef struct slot {
    segment *first;
    segment *last;
} slot;

typedef struct reducer {
    cwire_arena *arena;
    const uint8_t *origin;
    bool is_refused;
} reducer;

typedef struct occurrence {
    const uint8_t *start;
    size_t tag_bytes;
    unsigned wire_type;
    cursor contents;
    // Null if unknown.
    const ProtobufCFieldDescriptor *field;
} occurrence;

// Reads the next field; false at the end, as the scan found no error.
static bool next_field(
    cursor *c, const ProtobufCMessageDescriptor *descriptor, occurrence *result) {
    if (c->at >= c->end) return false;
    tag t = {0, 0};
    *result = (occurrence){.start = c->at};
    if (read_tag(c, &t) != CWIRE_FINE) return false;
    result->tag_bytes = (size_t)(c->at - result->start);
    result->wire_type = t.wire_type;
    result->field = find_field(descriptor, t.number);
    return read_value(c, t.wire_type, &result->contents) == CWIRE_FINE;
}

// Forgets what other members of the oneof held before.
static void clear_oneof(
    const ProtobufCMessageDescriptor *descriptor, const ProtobufCFieldDescriptor *field,
    slot *slots) {
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *other = descriptor->fields + i;
        if (other != field && (other->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
            && other->quantifier_offset == field->quantifier_offset)
            slots[i] = (slot){NULL, NULL};
    }
}

// Lists the occurrences of each message field that is not a list.
static void collect(
    reducer *r, const ProtobufCMessageDescriptor *descriptor, const segment *parts,
    slot *slots) {
    for (; parts; parts = parts->next) {
        cursor c = parts->contents;
        occurrence found;
        while (next_field(&c, descriptor, &found)) {
            if (!found.field) continue;
            if (found.field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
                clear_oneof(descriptor, found.field, slots);
            if (!merges(found.field) || found.wire_type != LENGTH) continue;
            segment *part = cwire_take(r->arena, sizeof(segment));
            if (!part) {
                r->is_refused = true;
                return;
            }
            *part = (segment){found.contents, NULL};
            slot *s = slots + (found.field - descriptor->fields);
            if (s->last) s->last->next = part;
            else s->first = part;
            s->last = part;
        }
    }
}

// Lengths are written in five bytes, so that they can be filled in after the contents.
static void write_length(uint8_t *target, size_t length) {
    for (int i = 0; i < 4; i++) target[i] = (uint8_t)(length >> (7 * i)) | 0x80;
    target[4] = (uint8_t)(length >> 28);
}

static uint8_t *write_bytes(const reducer *r, cursor contents, uint8_t *target) {
    cwire_reference reference = {
        (uint32_t)(contents.at - r->origin), (uint32_t)(contents.end - contents.at)};
    *target++ = sizeof(reference);
    memcpy(target, &reference, sizeof(reference));
    return target + sizeof(reference);
}

static uint8_t *reduce_message(
    reducer *r, const ProtobufCMessageDescriptor *descriptor, const segment *parts,
    uint8_t *target) {
    slot slots[descriptor->n_fields + 1];
    memset(slots, 0, sizeof(slots));
    collect(r, descriptor, parts, slots);
    for (; parts && !r->is_refused; parts = parts->next) {
        cursor c = parts->contents;
        occurrence found;
        while (next_field(&c, descriptor, &found)) {
            const ProtobufCFieldDescriptor *field = found.field;
            if (!field) continue;
            bool has_length = found.wire_type == LENGTH;
            bool is_message = has_length && field->type == PROTOBUF_C_TYPE_MESSAGE;
            bool is_bytes = has_length && field->type == PROTOBUF_C_TYPE_BYTES;
            segment alone = {found.contents, NULL};
            const segment *inside = &alone;
            if (is_message && merges(field)) {
                // All occurrences are written where the last one is.
                const slot *s = slots + (field - descriptor->fields);
                if (!s->last || s->last->contents.at != found.contents.at) continue;
                inside = s->first;
            }
            size_t copied = is_message || is_bytes ? found.tag_bytes : (size_t)(c.at - found.start);
            memcpy(target, found.start, copied);
            target += copied;
            if (is_message) {
                uint8_t *end = reduce_message(r, field->descriptor, inside, target + 5);
                write_length(target, (size_t)(end - (target + 5)));
                target = end;
            } else if (is_bytes) {
                target = write_bytes(r, found.contents, target);
            }
        }
    }
    return target;
}

uint8_t *cwire_reduce(
    cwire_arena *arena, const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes,
    size_t count, size_t reduced_bytes_max, size_t *reduced_bytes) {
    uint8_t *target = cwire_take(arena, reduced_bytes_max);
    if (!target) return NULL;
    reducer r = {arena, bytes, false};
    segment whole = {{bytes, bytes + count}, NULL};
    *reduced_bytes = (size_t)(reduce_message(&r, descriptor, &whole, target) - target);
    return r.is_refused ? NULL : target;
}
