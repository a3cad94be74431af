// What this machine can do at most: multiply-adds from registers and reads from memory, with one
// thread and with two. Prints one JSON object. Best of several short runs.
#define _GNU_SOURCE
#include <immintrin.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define THREADS_MAX 2
#define ROUNDS 5
#define STEPS 4000000L
#define SUMS 16
#define BYTES ((size_t)1 << 30)

typedef enum kind { FLOAT32, BFLOAT16, INT8, READ, KINDS } kind;
static const char *const names[KINDS] = {"float32", "bfloat16", "int8", "read"};
// Operations of one instruction on 512 bits; a multiply-add counts two.
static const double operations[KINDS] = {32, 64, 128, 0};

static char *memory;
static volatile uint64_t sink;

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

// Sixteen independent sums hide the latency of the instruction.
#define MULTIPLY_ADD(name, features, step)                                                   \
    __attribute__((target(features))) static void name(void) {                               \
        __m512 a = _mm512_set1_ps(1.0f), b = _mm512_set1_ps(0.0f), sums[SUMS];                \
        for (int i = 0; i < SUMS; i++) sums[i] = _mm512_set1_ps((float)i);                    \
        for (long n = 0; n < STEPS; n++) {                                                    \
            __asm__ volatile("" : "+v"(a), "+v"(b));                                          \
            _Pragma("GCC unroll 16") for (int i = 0; i < SUMS; i++) sums[i] = step;           \
        }                                                                                     \
        float total = 0;                                                                      \
        for (int i = 0; i < SUMS; i++) total += _mm512_reduce_add_ps(sums[i]);                \
        sink += (uint64_t)total;                                                              \
    }
MULTIPLY_ADD(float32, "avx512f", _mm512_fmadd_ps(a, b, sums[i]))
MULTIPLY_ADD(bfloat16, "avx512f,avx512bf16",
             _mm512_dpbf16_ps(sums[i], (__m512bh)a, (__m512bh)b))
MULTIPLY_ADD(int8, "avx512f,avx512vnni",
             (__m512)_mm512_dpbusd_epi32((__m512i)sums[i], (__m512i)a, (__m512i)b))

__attribute__((target("avx512f"))) static void read_part(const char *from, size_t bytes) {
    __m512i any[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                      _mm512_setzero_si512()};
    for (size_t at = 0; at < bytes; at += 256) {
        for (int i = 0; i < 4; i++) {
            any[i] = _mm512_or_si512(any[i], _mm512_load_si512(from + at + 64 * i));
        }
    }
    __m512i all = _mm512_or_si512(_mm512_or_si512(any[0], any[1]),
                                  _mm512_or_si512(any[2], any[3]));
    sink += (uint64_t)_mm512_reduce_or_epi64(all);
}

typedef struct worker {
    kind kind;
    int index, threads;
    pthread_barrier_t *barrier;
    double begin, end;
} worker;

static void *work(void *argument) {
    worker *w = argument;
    pthread_barrier_wait(w->barrier);
    w->begin = seconds_now();
    switch (w->kind) {
    case FLOAT32: float32(); break;
    case BFLOAT16: bfloat16(); break;
    case INT8: int8(); break;
    default:
        read_part(memory + BYTES / (size_t)w->threads * (size_t)w->index,
                  BYTES / (size_t)w->threads);
    }
    w->end = seconds_now();
    return NULL;
}

// Billions of operations or bytes a second.
static double rate(kind kind, int threads) {
    double best = 0;
    for (int round = 0; round < ROUNDS; round++) {
        worker workers[THREADS_MAX];
        pthread_t ids[THREADS_MAX];
        pthread_barrier_t barrier;
        pthread_barrier_init(&barrier, NULL, (unsigned)threads);
        for (int i = 0; i < threads; i++) {
            workers[i] = (worker){kind, i, threads, &barrier, 0, 0};
            pthread_create(&ids[i], NULL, work, &workers[i]);
        }
        double begin = 1e30, end = 0;
        for (int i = 0; i < threads; i++) {
            pthread_join(ids[i], NULL);
            if (workers[i].begin < begin) begin = workers[i].begin;
            if (workers[i].end > end) end = workers[i].end;
        }
        double done = kind == READ ? (double)BYTES
                                   : operations[kind] * SUMS * (double)STEPS * threads;
        if (done / (end - begin) > best) best = done / (end - begin);
    }
    return best / 1e9;
}

int main(void) {
    memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 1;
    madvise(memory, BYTES, MADV_HUGEPAGE);
    memset(memory, 1, BYTES);
    for (kind k = 0; k < KINDS; k++) {
        printf("%s\"%s\": [%.1f, %.1f]", k ? ", " : "{", names[k], rate(k, 1), rate(k, 2));
    }
    printf("}\n");
    return 0;
}
