// Resampling of 8-bit pixels with whole-number weights: exact, so every path gives the same bytes.
#include "images.h"
#include "strips.h"

// Vectors are passed only between functions that are inlined into one another.
#pragma clang diagnostic ignored "-Wpsabi"

typedef uint8_t small __attribute__((vector_size(16)));
// Unsigned, so that sums wrap as Pillow's do in practice instead of being undefined.
typedef uint32_t lanes __attribute__((vector_size(64)));
typedef int32_t signed_lanes __attribute__((vector_size(64)));

#define INLINED static inline __attribute__((always_inline))

typedef struct {
    const int32_t *weights;
    int32_t taps;
    int32_t bits;
} taps_of;

// What is left of a row after whole vectors.
static void sum_rest(uint8_t *out, const uint8_t *in, size_t stride, size_t count, taps_of of) {
    for (size_t x = 0; x < count; x++) {
        uint32_t sum = 1u << (of.bits - 1);
        for (int32_t t = 0; t < of.taps; t++)
            sum += in[(size_t)t * stride + x] * (uint32_t)of.weights[t];
        const int32_t value = (int32_t)sum >> of.bits;
        out[x] = value < 0 ? 0 : value > 255 ? 255 : (uint8_t)value;
    }
}

#define NAMED(name) name##_base
#include "resample_rows.h"
#undef NAMED

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#define NAMED(name) name##_avx2
#include "resample_rows.h"
#undef NAMED
#pragma clang attribute pop

#pragma clang attribute push(                                                                      \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#define NAMED(name) name##_avx512
#include "resample_rows.h"
#undef NAMED
#pragma clang attribute pop
#endif

typedef void (*rows_function)(uint8_t *, const uint8_t *, size_t, const ci_axis *);

static rows_function rows_in(ci_tier tier) {
    switch (tier) {
#if defined(__x86_64__)
    case CI_AVX512: {
        const bool has = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")
                         && __builtin_cpu_supports("avx512vl");
        return has ? resample_rows_avx512 : NULL;
    }
    case CI_AVX2: return __builtin_cpu_supports("avx2") ? resample_rows_avx2 : NULL;
#endif
    case CI_BASE: return resample_rows_base;
    default: return NULL;
    }
}

bool ci_resample_rows_in(ci_tier tier, uint8_t *out, const uint8_t *in, size_t row_bytes,
                         const ci_axis *axis) {
    const rows_function resample = rows_in(tier);
    if (resample) resample(out, in, row_bytes, axis);
    return resample != NULL;
}

void ci_resample_rows(uint8_t *out, const uint8_t *in, size_t row_bytes, const ci_axis *axis) {
    ci_tier tier = CI_AVX512;
    while (!ci_resample_rows_in(tier, out, in, row_bytes, axis)) tier--;
}

// Columns are resampled as rows, in strips.
bool ci_resample_columns(uint8_t *out, const uint8_t *in, size_t width, size_t height,
                         const ci_axis *axis) {
    const size_t out_width = (size_t)axis->count;
    uint8_t *strips = calloc(width + out_width, column_bytes);
    if (!strips) return false;
    uint8_t *resampled = strips + width * column_bytes;
    for (size_t y = 0; y < height; y += strip_rows) {
        const size_t rows = height - y < strip_rows ? height - y : strip_rows;
        turn_in(strips, in + y * width * 3, width, rows);
        ci_resample_rows(resampled, strips, column_bytes, axis);
        turn_out(out + y * out_width * 3, resampled, out_width, rows);
    }
    free(strips);
    return true;
}
