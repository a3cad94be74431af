/// CPU kernels: one list of them, a table of functions for each instruction tier, and the pool of
/// threads that runs them.
///
/// Every kernel has the same form: it does units `[begin, end)` of its work (rows, elements, tiles:
/// its body says which), reads and writes only through its arguments, and no unit depends on
/// another one. So one launch serves any number of threads, and its result does not depend on it.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CK_POINTERS 14
#define CK_NUMBERS 16
#define CK_SCALARS 6
/// Columns in a unit of the kernels that reduce over rows.
#define CK_COLUMNS 64
/// Keys and query rows that attention takes at once, and keys after which its softmax begins
/// anew: keys count from a sequence's first, so that a row's result depends on nothing else.
#define CK_ATTENTION_KEYS 128
#define CK_ATTENTION_ROWS 64
#define CK_ATTENTION_PART 1024
/// Keys that its derivative holds packed while the queries pass by.
#define CK_ATTENTION_HELD 512
/// Numbers of an item of attention, and of a query whose parts are joined.
#define CK_ATTENTION_ITEM 7
#define CK_ATTENTION_JOIN 5

/// What a kernel works on. The first lines of each body in `ops/` name the entries.
typedef struct ck_args {
    void *pointers[CK_POINTERS];
    int64_t numbers[CK_NUMBERS];
    float scalars[CK_SCALARS];
} ck_args;

/// Does units `[begin, end)`.
typedef void (*ck_function)(const ck_args *args, int64_t begin, int64_t end);

/// The one list of kernels. A tier that lacks one of them does not compile.
/// EACH: one for each element type (float32, bfloat16, float16). ONE: a single one.
#define CK_KERNELS(EACH, ONE)                                                                     \
    /* ops/convert.h */ EACH(to_f32) EACH(from_f32) ONE(f32_from_i32)                             \
    /* ops/elementwise.h */ EACH(fill) EACH(repeat) EACH(scale)                                \
    EACH(add) EACH(add_row) EACH(multiply) EACH(multiply_row)                                     \
    /* ops/sum.h */ EACH(sum_blocks) EACH(sum_rows)                                               \
    /* ops/rms_norm.h */ EACH(rms_norm) EACH(rms_norm_dx) EACH(rms_norm_dw)                       \
    /* ops/rotary.h, ops/rotary_angles.h */ EACH(rotary) ONE(rotary_angles)                       \
    /* ops/attention.h */ EACH(attention) EACH(attention_join)                           \
    /* ops/attention_gradient.h */ EACH(attention_gradient) EACH(attention_gradient_sum)      \
    /* ops/attention_pages.h */ EACH(attention_pages)

#define CK_ID_EACH(name) CK_##name##_f32, CK_##name##_bf16, CK_##name##_f16,
#define CK_ID_ONE(name) CK_##name,
typedef enum ck_kernel { CK_KERNELS(CK_ID_EACH, CK_ID_ONE) CK_KERNEL_COUNT } ck_kernel;

/// Instruction sets, from the one that every machine has upwards.
typedef enum ck_tier_id {
    CK_TIER_SCALAR,
    CK_TIER_AVX2,
    CK_TIER_AVX512,
    CK_TIER_AVX512_BF16,
    CK_TIER_NEON,
    CK_TIER_COUNT
} ck_tier_id;

/// The kernels of one tier.
typedef struct ck_tier {
    const char *name;
    ck_function functions[CK_KERNEL_COUNT];
} ck_tier;

/// The tier's table, or NULL where this processor cannot run it.
const ck_tier *ck_tier_table(ck_tier_id tier);
/// The name by which `FOVEA_KERNEL_TIER` chooses the tier.
const char *ck_tier_name(ck_tier_id tier);
/// The name of a kernel, as in the list.
const char *ck_kernel_name(ck_kernel kernel);

/// Threads that wait for launches.
typedef struct ck_pool ck_pool;
/// - threads: how many work on a launch, the caller among them; 1 starts none
ck_pool *ck_pool_create(int threads);
/// Waits for the threads to end; no launch may be under way.
void ck_pool_destroy(ck_pool *pool);
/// Does units `[0, units)` in chunks of at least `grain` and returns when all are done. May be
/// called from any thread: while one launch has the pool, others run on their callers alone.
void ck_pool_run(ck_pool *pool, ck_function function, const ck_args *args, int64_t units,
                 int64_t grain);

/// Bytes of scratch memory that the threads of this process hold now, and held at most.
int64_t ck_scratch_bytes_now(void);
int64_t ck_scratch_bytes_max(void);
void ck_scratch_bytes_reset_max(void);
