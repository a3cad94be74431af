// Scratch memory of threads, counted so that tests can tell what kernels hold.
#define _GNU_SOURCE
#include "tiers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

// Cache lines are 64 bytes; huge pages spare the walks of a packed tile.
#define LINE 64
#define HUGE_PAGE ((size_t)2 << 20)

static _Atomic int64_t bytes_now, bytes_max;
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

typedef struct scratch {
    size_t bytes;
    _Alignas(LINE) char memory[];
} scratch;

static void release(void *held) {
    atomic_fetch_sub(&bytes_now, (int64_t)((scratch *)held)->bytes);
    free(held);
}

static void make_key(void) {
    if (pthread_key_create(&key, release) != 0) abort();
}

static void count(size_t bytes) {
    int64_t now = atomic_fetch_add(&bytes_now, (int64_t)bytes) + (int64_t)bytes;
    int64_t seen = atomic_load(&bytes_max);
    while (now > seen && !atomic_compare_exchange_weak(&bytes_max, &seen, now)) {}
}

void *ck_scratch(size_t bytes) {
    pthread_once(&once, make_key);
    scratch *held = pthread_getspecific(key);
    if (held && held->bytes >= bytes) return held->memory;
    if (held) release(held);
    size_t rounded = (bytes + sizeof(scratch) + LINE - 1) / LINE * LINE;
    size_t alignment = rounded >= HUGE_PAGE ? HUGE_PAGE : LINE;
    rounded = (rounded + alignment - 1) / alignment * alignment;
    held = aligned_alloc(alignment, rounded);
    // A tile of a few megabytes: without it the machine is out of memory, and nothing can go on.
    if (!held) abort();
    if (alignment == HUGE_PAGE) madvise(held, rounded, MADV_HUGEPAGE);
    held->bytes = rounded - sizeof(scratch);
    count(held->bytes);
    if (pthread_setspecific(key, held) != 0) abort();
    return held->memory;
}

int64_t ck_scratch_bytes_now(void) { return atomic_load(&bytes_now); }
int64_t ck_scratch_bytes_max(void) { return atomic_load(&bytes_max); }
void ck_scratch_bytes_reset_max(void) { atomic_store(&bytes_max, atomic_load(&bytes_now)); }
