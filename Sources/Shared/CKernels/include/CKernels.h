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
/// Elements of a block of 8-bit optimiser state.
#define CK_STATE_BLOCK 256
/// Upper halves of the float32 numbers 2^-24 to 1, and the first of them (ops/adamw.h).
#define CK_STATE_STARTS 3073
#define CK_STATE_FIRST 13184
/// Elements in a unit of the kernels that draw random numbers.
#define CK_RANDOM_BLOCK 64

/// How the elements of a product are multiplied (ops/tile.h); the order is that of tile_type.
typedef enum ck_product { CK_PRODUCT_F32, CK_PRODUCT_BF16, CK_PRODUCT_I8 } ck_product;
/// How a right-hand operand is kept (ops/weight.h).
typedef enum ck_weight {
    CK_WEIGHT_TILES,
    CK_WEIGHT_F32,
    CK_WEIGHT_BF16,
    CK_WEIGHT_F16,
    CK_WEIGHT_I8,
    CK_WEIGHT_LUT4
} ck_weight;

/// Keys and query rows that attention takes at once, and keys after which its softmax begins
/// anew: keys count from a sequence's first, so that a row's result depends on nothing else.
#define CK_ATTENTION_KEYS 128
#define CK_ATTENTION_ROWS 64
#define CK_ATTENTION_PART 1024
/// Keys that its derivative holds packed while the queries pass by.
#define CK_ATTENTION_HELD 512
/// Widest head.
#define CK_ATTENTION_WIDTH 256
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
    /* ops/elementwise.h */ EACH(fill) EACH(repeat) EACH(scale)                                   \
    EACH(add) EACH(add_row) EACH(multiply) EACH(multiply_row)                                     \
    /* ops/sum.h */ EACH(sum_blocks) EACH(sum_rows)                                               \
    /* ops/rms_norm.h */ EACH(rms_norm) EACH(rms_norm_dx) EACH(rms_norm_dw)                       \
    /* ops/pack.h */ EACH(pack_rows) EACH(pack_columns) EACH(weight_pack)                         \
    /* ops/weight_pack.h */ ONE(weight_pack_i8) ONE(weight_pack_lut4) ONE(weight_unpack)          \
    /* ops/quantise.h */ EACH(quantise_nf4) EACH(quantise_i8) EACH(quantise_i4)                   \
    /* ops/quantise_rows.h */ EACH(quantise_rows)                                                 \
    /* ops/matmul.h */ EACH(matmul)                                                               \
    /* ops/layer_norm.h */ EACH(layer_norm) EACH(layer_norm_dx) EACH(layer_norm_dw)               \
    /* ops/activations.h */ EACH(silu) EACH(silu_dx) EACH(gelu) EACH(gelu_dx)                     \
    EACH(gelu_tanh) EACH(gelu_tanh_dx) EACH(swiglu) EACH(swiglu_d)                                \
    /* ops/rows.h */ ONE(copy_rows) ONE(gather_rows) ONE(scatter_rows)                            \
    ONE(patches) ONE(patches_dx)                                                                  \
    /* ops/columns.h */ EACH(gather_columns)                                                      \
    /* ops/combine.h */ EACH(combine_rows)                                                        \
    /* ops/softmax.h */ EACH(softmax) EACH(softmax_dx) EACH(argmax)                               \
    /* ops/cross_entropy.h */ EACH(cross_entropy) EACH(cross_entropy_dx)                          \
    /* ops/random.h */ ONE(random_uniform) ONE(random_normal)                                     \
    /* ops/dropout.h */ EACH(dropout)                                                             \
    /* ops/reduce.h */ EACH(square_blocks) EACH(max_abs_blocks) EACH(row_means)                   \
    EACH(spread_rows)                                                                             \
    /* ops/clip_factor.h */ ONE(clip_factor)                                                      \
    /* ops/adamw.h */ EACH(adamw) EACH(adamw8)                                                    \
    /* ops/sgd.h */ EACH(sgd)                                                                     \
    /* ops/rotary.h, ops/rotary_angles.h */ EACH(rotary) ONE(rotary_angles)                       \
    /* ops/attention.h */ EACH(attention) EACH(attention_join)                                    \
    /* ops/attention_gradient.h */ EACH(attention_gradient) EACH(attention_gradient_sum)          \
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

/// The four words of one block of the generator Philox4x32-10 (philox.h).
void ck_philox(uint64_t key, uint64_t stream, uint64_t block, uint32_t words[4]);
/// The number in [0, 1) that kernels make of a word.
float ck_philox_uniform(uint32_t word);
/// The two normal numbers that kernels make of two words.
void ck_philox_normals(const uint32_t words[2], float normals[2]);
