// Changes of pictures for training: positions, light and noise.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "images.h"
#include "strips.h"

// Sets of instructions that can join a product and a sum would round differently from others.
#pragma clang fp contract(off)
// Vectors are passed only between functions that are inlined into one another.
#pragma clang diagnostic ignored "-Wpsabi"

#define INLINED static inline __attribute__((always_inline))

typedef uint8_t bytes_4 __attribute__((vector_size(4)));
typedef uint32_t pixel __attribute__((vector_size(16)));

INLINED uint8_t clamped_float(float value) {
    const float bounded = fminf(fmaxf(value + 0.5f, 0), 255);
    return (uint8_t)(int32_t)bounded;
}

static uint8_t clamped(double value) {
    if (!(value > 0)) return 0;
    return value >= 255 ? 255 : (uint8_t)(value + 0.5);
}

// ITU-R 601-2, as Pillow's mode "L".
INLINED uint32_t luma(const uint8_t *rgb) {
    return (rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16;
}

static ptrdiff_t within(ptrdiff_t value, size_t count) {
    if (value < 0) return 0;
    return value >= (ptrdiff_t)count ? (ptrdiff_t)count - 1 : value;
}

static double bounded(double value, size_t count) {
    if (!(value > 0)) return 0;
    return value >= (double)count ? nextafter((double)count, 0) : value;
}

// The mean of the four pixels around a place, weighed by nearness; the edge is repeated.
static void sample(uint8_t *out, ci_source in, double x, double y) {
    const double left = floor(x - 0.5), top = floor(y - 0.5);
    const double across = x - 0.5 - left, down = y - 0.5 - top;
    const ptrdiff_t x0 = within((ptrdiff_t)left, in.width);
    const ptrdiff_t x1 = within((ptrdiff_t)left + 1, in.width);
    const ptrdiff_t y0 = within((ptrdiff_t)top, in.height);
    const ptrdiff_t y1 = within((ptrdiff_t)top + 1, in.height);
    const uint8_t *first = in.pixels + y0 * (ptrdiff_t)in.width * 3;
    const uint8_t *second = in.pixels + y1 * (ptrdiff_t)in.width * 3;
    for (int c = 0; c < 3; c++) {
        const double upper = first[3 * x0 + c] * (1 - across) + first[3 * x1 + c] * across;
        const double lower = second[3 * x0 + c] * (1 - across) + second[3 * x1 + c] * across;
        out[c] = clamped(upper * (1 - down) + lower * down);
    }
}

// A pixel at the edge, or outside.
static void project_edge(uint8_t *out, ci_source in, double u, double v, const uint8_t *fill) {
    const bool inside = u >= 0 && v >= 0 && u < (double)in.width && v < (double)in.height;
    if (!inside && fill)
        memcpy(out, fill, 3);
    else
        sample(out, in, bounded(u, in.width), bounded(v, in.height));
}

// Rows of a box: the one before it, its first one, the one after it.
typedef struct {
    const uint8_t *before;
    const uint8_t *first;
    const uint8_t *after;
} box_rows;

// Of 2^24: a whole row, and each of the two that count in part.
typedef struct {
    uint32_t whole;
    uint32_t ends;
} box_weights;

typedef struct {
    void (*project)(uint8_t *, size_t, size_t, ci_source, const double[9], const uint8_t *);
    void (*add_noise)(uint8_t *, const uint8_t *, size_t, float, float, uint64_t);
    void (*blend_grey)(uint8_t *, const uint8_t *, size_t, float);
    void (*mix_channels)(uint8_t *, const uint8_t *, size_t, const float[9]);
    void (*blend_level)(uint8_t *, const uint8_t *, size_t, float, float);
    void (*box_row)(uint8_t *, uint32_t *, box_rows, size_t, box_weights);
} loops;

#define NAMED(name) name##_base
#include "augment_loops.h"
#undef NAMED

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#define NAMED(name) name##_avx2
#include "augment_loops.h"
#undef NAMED
#pragma clang attribute pop
#endif

// The fastest loops that this processor has.
static const loops *best(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) return &loops_avx2;
#endif
    return &loops_base;
}

void ci_project(uint8_t *out, size_t width, size_t height, ci_source in, const double map[9],
                const uint8_t *fill) {
    best()->project(out, width, height, in, map, fill);
}

void ci_blend_level(uint8_t *out, const uint8_t *in, size_t pixels, double level, double factor) {
    best()->blend_level(out, in, 3 * pixels, (float)level, (float)factor);
}

double ci_mean_luma(const uint8_t *in, size_t pixels) {
    uint64_t sum = 0;
    for (size_t i = 0; i < pixels; i++) sum += luma(in + 3 * i);
    return pixels ? (double)sum / (double)pixels : 0;
}

void ci_blend_grey(uint8_t *out, const uint8_t *in, size_t pixels, double factor) {
    best()->blend_grey(out, in, pixels, (float)factor);
}

void ci_mix_channels(uint8_t *out, const uint8_t *in, size_t pixels, const double mix[9]) {
    float single[9];
    for (int i = 0; i < 9; i++) single[i] = (float)mix[i];
    best()->mix_channels(out, in, pixels, single);
}

void ci_add_noise(uint8_t *out, const uint8_t *in, size_t pixels, double read, double shot,
                  uint64_t seed) {
    best()->add_noise(out, in, 3 * pixels, (float)read, (float)shot, seed);
}

// A box along columns of `count` rows; `out` and `in` are of the same size and do not overlap.
static void box_pass(uint8_t *out, const uint8_t *in, size_t row_bytes, size_t count,
                     uint32_t *sums, double radius) {
    const ptrdiff_t reach = (ptrdiff_t)radius;
    const uint32_t whole = (uint32_t)((1 << 24) / (2 * radius + 1));
    const box_weights weights = {whole, ((1u << 24) - (uint32_t)(2 * reach + 1) * whole) / 2};
    const loops *const fastest = best();
    memset(sums, 0, row_bytes * sizeof *sums);
    for (ptrdiff_t y = -reach; y <= reach; y++) {
        const uint8_t *row = in + (size_t)within(y, count) * row_bytes;
        for (size_t x = 0; x < row_bytes; x++) sums[x] += row[x];
    }
    for (ptrdiff_t y = 0; y < (ptrdiff_t)count; y++) {
        const box_rows rows = {in + (size_t)within(y - reach - 1, count) * row_bytes,
                               in + (size_t)within(y - reach, count) * row_bytes,
                               in + (size_t)within(y + reach + 1, count) * row_bytes};
        fastest->box_row(out + (size_t)y * row_bytes, sums, rows, row_bytes, weights);
    }
}

// Several passes back and forth between two blocks; returns the one that holds the result.
static uint8_t *box_passes(uint8_t *first, uint8_t *second, size_t row_bytes, size_t count,
                           uint32_t *sums, ci_box box) {
    for (int pass = 0; pass < box.passes; pass++) {
        box_pass(second, first, row_bytes, count, sums, box.radius);
        uint8_t *const swapped = first;
        first = second;
        second = swapped;
    }
    return first;
}

bool ci_box_blur(uint8_t *pixels, size_t width, size_t height, ci_box box) {
    const size_t row_bytes = width * 3;
    const size_t widest = row_bytes > column_bytes ? row_bytes : column_bytes;
    uint8_t *other = malloc(width * height * 3);
    uint8_t *strips = calloc(2 * width, column_bytes);
    uint32_t *sums = malloc(widest * sizeof *sums);
    const bool has_memory = other && strips && sums;
    if (has_memory) {
        for (size_t y = 0; y < height; y += strip_rows) {
            const size_t rows = height - y < strip_rows ? height - y : strip_rows;
            turn_in(strips, pixels + y * row_bytes, width, rows);
            const uint8_t *blurred = box_passes(strips, strips + width * column_bytes,
                                                column_bytes, width, sums, box);
            turn_out(pixels + y * row_bytes, blurred, width, rows);
        }
        const uint8_t *blurred = box_passes(pixels, other, row_bytes, height, sums, box);
        if (blurred != pixels) memcpy(pixels, blurred, row_bytes * height);
    }
    free(sums);
    free(strips);
    free(other);
    return has_memory;
}
