#include "CWire.h"

#include <stdlib.h>

#define BLOCK_BYTES 8192
#define CHUNK_BYTES_MIN 65536
#define CHUNK_BYTES_MAX (1 << 20)

// A piece of memory from malloc; what is handed out follows the header.
struct cwire_chunk {
    struct cwire_chunk *previous;
    size_t unused;
};

typedef struct lent_block {
    cwire_arena arena;
    bool is_lent;
    _Alignas(16) char bytes[BLOCK_BYTES];
} lent_block;

// Encoding and decoding never wait, so the block is back before another task runs here. If the
// thread is already encoding (a callback that encodes), the inner call gets a block from malloc.
static _Thread_local lent_block thread_block;

static void *allocate(void *arena, size_t bytes) { return cwire_take(arena, bytes); }

// The arena is freed as a whole.
static void keep(void *arena, void *pointer) {
    (void)arena;
    (void)pointer;
}

cwire_arena *cwire_open(size_t budget_bytes) {
    lent_block *block = &thread_block;
    if (block->is_lent) block = malloc(sizeof(lent_block));
    if (!block) return NULL;
    block->is_lent = true;
    block->arena = (cwire_arena){
        .allocator = {allocate, keep, &block->arena},
        .next = block->bytes,
        .end = block->bytes + BLOCK_BYTES,
        .budget_left = budget_bytes,
        .chunk_bytes = CHUNK_BYTES_MIN,
    };
    return &block->arena;
}

void cwire_close(cwire_arena *arena) {
    struct cwire_chunk *chunk = arena->chunks;
    while (chunk) {
        struct cwire_chunk *previous = chunk->previous;
        free(chunk);
        chunk = previous;
    }
    // The arena is the first member of its block.
    lent_block *block = (lent_block *)arena;
    block->is_lent = false;
    if (block != &thread_block) free(block);
}

void *cwire_take_slowly(cwire_arena *arena, size_t bytes) {
    if (bytes > arena->budget_left) {
        arena->is_refused = true;
        return NULL;
    }
    bool is_alone = bytes > arena->chunk_bytes / 4;
    size_t chunk_bytes = is_alone ? bytes : arena->chunk_bytes;
    if (chunk_bytes > SIZE_MAX - sizeof(struct cwire_chunk)) return NULL;
    struct cwire_chunk *chunk = malloc(sizeof(struct cwire_chunk) + chunk_bytes);
    if (!chunk) {
        arena->is_refused = true;
        return NULL;
    }
    chunk->previous = arena->chunks;
    arena->chunks = chunk;
    arena->budget_left -= bytes;
    char *base = (char *)(chunk + 1);
    if (is_alone) return base;
    arena->next = base + bytes;
    arena->end = base + chunk_bytes;
    if (arena->chunk_bytes < CHUNK_BYTES_MAX) arena->chunk_bytes *= 2;
    return base;
}
