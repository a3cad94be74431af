#include "wire.h"

#include <string.h>

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
    uint64_t seen = 0;
    while (c.at < c.end) {
        tag t = {0, 0};
        cursor contents = {NULL, NULL};
        const ProtobufCFieldDescriptor *field = NULL;
        cwire_verdict verdict = read_tag(&c, &t);
        if (verdict == CWIRE_FINE) {
            field = find_field(descriptor, t.number);
            verdict = read_value(&c, t.wire_type, &contents);
        }
        if (field && merges(field)) {
            // Fields beyond 64 share bits: a false alarm only costs time.
            uint64_t bit = UINT64_C(1) << ((field - descriptor->fields) & 63);
            s->result.has_repeats |= (seen & bit) != 0;
            seen |= bit;
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
