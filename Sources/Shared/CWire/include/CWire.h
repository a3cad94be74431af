// What protobuf-c lacks for hostile input: an arena with a byte budget, a scan of the bytes before
// they are parsed, and a reduced form of a message in which large `bytes` fields are references.
#pragma once
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Memory for one encode or decode, freed all at once. Each thread lends its own first block, so
// that small messages need no malloc.
typedef struct cwire_arena {
    ProtobufCAllocator allocator;
    char *next;
    char *end;
    // Bytes that may still be taken.
    size_t budget_left;
    // Whether a request was refused because the budget was used up.
    bool is_refused;
    // Nested fills in progress: see WireWriter.
    unsigned depth;
    struct cwire_chunk *chunks;
    size_t chunk_bytes;
} cwire_arena;

// Never null unless the machine is out of memory. Close it on the same thread.
cwire_arena *cwire_open(size_t budget_bytes);
void cwire_close(cwire_arena *arena);
void *cwire_take_slowly(cwire_arena *arena, size_t bytes);

// `bytes` of memory aligned to 8; null if the budget is used up.
static inline void *cwire_take(cwire_arena *arena, size_t bytes) {
    size_t rounded = (bytes + 7) & ~(size_t)7;
    if (rounded < bytes) rounded = SIZE_MAX;
    if (rounded > (size_t)(arena->end - arena->next) || rounded > arena->budget_left)
        return cwire_take_slowly(arena, rounded);
    void *taken = arena->next;
    arena->next += rounded;
    arena->budget_left -= rounded;
    return taken;
}

typedef enum cwire_verdict {
    CWIRE_FINE,
    CWIRE_TRUNCATED,
    CWIRE_BAD_VARINT,
    CWIRE_BAD_TAG,
    CWIRE_BAD_WIRE_TYPE,
    CWIRE_GROUP,
    CWIRE_TOO_DEEP,
    CWIRE_BAD_UTF8,
    CWIRE_NUL
} cwire_verdict;

typedef struct cwire_scan_result {
    cwire_verdict verdict;
    // Where it went wrong: names from the schema, or null.
    const char *message;
    const char *field;
    // Bytes in `bytes` fields of at least `large_bytes_min`.
    size_t large_bytes;
    // The most that the reduced form can take.
    size_t reduced_bytes_max;
} cwire_scan_result;

// Checks the encoding without allocating: lengths, depth, text, no groups.
cwire_scan_result cwire_scan(
    const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t count,
    unsigned depth_max, size_t large_bytes_min);

// Where the contents of a `bytes` field are in the message that was reduced.
typedef struct cwire_reference {
    uint32_t offset;
    uint32_t count;
} cwire_reference;

// Writes a scanned message again with each `bytes` field replaced by a cwire_reference and without
// unknown fields. `target` holds `reduced_bytes_max` bytes; returns how many were written.
size_t cwire_reduce(
    const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t count,
    uint8_t *target);
