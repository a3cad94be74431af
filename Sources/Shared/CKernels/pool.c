// A pool for launches of ten microseconds: chunks are claimed through one atomic that holds the
// launch's number and the chunks left, idle threads spin shortly and then sleep on a futex.
#ifdef __linux__
#define _GNU_SOURCE
#endif
#include "CKernels.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

// A launch is cut into at most this many chunks a thread, so that a slow thread holds up little.
#define CHUNKS_PER_THREAD 8
// About 50 us: longer than the gap between two launches of one step, shorter than a wake-up.
#define SPINS_MAX 2500
// About 4 us, then other work of this processor may go first.
#define SPINS_BEFORE_YIELD 200

struct ck_pool {
    // Launch number in the high half, chunks not yet claimed in the low half.
    _Alignas(64) _Atomic uint64_t tickets;
    _Alignas(64) _Atomic uint32_t chunks_done;
    _Alignas(64) _Atomic uint32_t sleepers;
    _Atomic uint32_t wakes;
    _Atomic bool ending;
    // The launch. Written while no chunk can be claimed, read only after claiming one.
    _Alignas(64) ck_function function;
    const ck_args *args;
    int64_t units, chunk_units;
    uint32_t chunks;
    pthread_mutex_t launching;
    int workers;
    pthread_t threads[];
};

static void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static long futex(_Atomic uint32_t *word, int operation, uint32_t value) {
    return syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

// Claims one chunk and does it; false when none is left. The exchange succeeds only on the launch
// whose chunks were read, and that launch cannot end before this chunk is done.
static bool do_chunk(ck_pool *pool) {
    uint64_t seen = atomic_load_explicit(&pool->tickets, memory_order_acquire);
    do {
        if ((uint32_t)seen == 0) return false;
    } while (!atomic_compare_exchange_weak_explicit(&pool->tickets, &seen, seen - 1,
                                                    memory_order_acq_rel, memory_order_acquire));
    int64_t begin = (int64_t)(pool->chunks - (uint32_t)seen) * pool->chunk_units;
    int64_t end = begin + pool->chunk_units;
    pool->function(pool->args, begin, end < pool->units ? end : pool->units);
    atomic_fetch_add_explicit(&pool->chunks_done, 1, memory_order_release);
    return true;
}

static bool has_chunks(ck_pool *pool) {
    return (uint32_t)atomic_load_explicit(&pool->tickets, memory_order_acquire) != 0;
}

// Whoever launches sees the sleeper, or the sleeper sees the launch: both orders are sequentially
// consistent, so no wake-up is lost.
static void sleep_until_launch(ck_pool *pool) {
    uint32_t wakes = atomic_load(&pool->wakes);
    atomic_fetch_add(&pool->sleepers, 1);
    atomic_thread_fence(memory_order_seq_cst);
    if (!has_chunks(pool) && !atomic_load(&pool->ending)) futex(&pool->wakes, FUTEX_WAIT, wakes);
    atomic_fetch_sub(&pool->sleepers, 1);
}

static void *work(void *argument) {
    ck_pool *pool = argument;
    int spins = 0;
    while (!atomic_load_explicit(&pool->ending, memory_order_relaxed)) {
        if (do_chunk(pool)) {
            spins = 0;
        } else if (++spins < SPINS_MAX) {
            pause_briefly();
        } else {
            sleep_until_launch(pool);
            spins = 0;
        }
    }
    return NULL;
}

ck_pool *ck_pool_create(int threads) {
    int workers = threads > 1 ? threads - 1 : 0;
    size_t bytes = sizeof(ck_pool) + (size_t)workers * sizeof(pthread_t);
    ck_pool *pool = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!pool) return NULL;
    *pool = (ck_pool){.launching = PTHREAD_MUTEX_INITIALIZER};
    while (pool->workers < workers
           && pthread_create(&pool->threads[pool->workers], NULL, work, pool) == 0) {
        pool->workers++;
    }
    return pool;
}

static void wake_sleepers(ck_pool *pool) {
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load(&pool->sleepers) == 0) return;
    atomic_fetch_add(&pool->wakes, 1);
    futex(&pool->wakes, FUTEX_WAKE, INT32_MAX);
}

void ck_pool_destroy(ck_pool *pool) {
    atomic_store(&pool->ending, true);
    atomic_fetch_add(&pool->wakes, 1);
    futex(&pool->wakes, FUTEX_WAKE, INT32_MAX);
    for (int i = 0; i < pool->workers; i++) pthread_join(pool->threads[i], NULL);
    pthread_mutex_destroy(&pool->launching);
    free(pool);
}

static void launch(ck_pool *pool, uint32_t chunks) {
    pool->chunks = chunks;
    atomic_store_explicit(&pool->chunks_done, 0, memory_order_relaxed);
    uint64_t number = (atomic_load_explicit(&pool->tickets, memory_order_relaxed) >> 32) + 1;
    atomic_store_explicit(&pool->tickets, number << 32 | chunks, memory_order_release);
    wake_sleepers(pool);
    while (do_chunk(pool)) {}
    for (int spins = 0;
         atomic_load_explicit(&pool->chunks_done, memory_order_acquire) < chunks; spins++) {
        if (spins < SPINS_BEFORE_YIELD) pause_briefly();
        else sched_yield();
    }
}

void ck_pool_run(ck_pool *pool, ck_function function, const ck_args *args, int64_t units,
                 int64_t grain) {
    if (units <= 0) return;
    if (units <= grain || pool->workers == 0 || pthread_mutex_trylock(&pool->launching) != 0) {
        function(args, 0, units);
        return;
    }
    int64_t chunks_max = (int64_t)(pool->workers + 1) * CHUNKS_PER_THREAD;
    int64_t chunk_units = (units + chunks_max - 1) / chunks_max;
    if (chunk_units < grain) chunk_units = grain;
    pool->function = function;
    pool->args = args;
    pool->units = units;
    pool->chunk_units = chunk_units;
    launch(pool, (uint32_t)((units + chunk_units - 1) / chunk_units));
    pthread_mutex_unlock(&pool->launching);
}
