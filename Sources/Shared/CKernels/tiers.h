// What the tiers share: their tables, the element types, the table macro and scratch memory.
#pragma once
#include "CKernels.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// Element types. Half precision is storage only: arithmetic is in float32.
typedef float f32;
typedef struct { uint16_t bits; } bf16;
typedef struct { uint16_t bits; } f16;

#define CK_ENTRY_EACH(name) \
    [CK_##name##_f32] = name##_f32, [CK_##name##_bf16] = name##_bf16, \
    [CK_##name##_f16] = name##_f16,
#define CK_ENTRY_ONE(name) [CK_##name] = name,
#define CK_TABLE(tier_name) \
    {.name = tier_name, .functions = {CK_KERNELS(CK_ENTRY_EACH, CK_ENTRY_ONE)}}

extern const ck_tier ck_tier_scalar;
#if defined(__x86_64__)
extern const ck_tier ck_tier_avx2, ck_tier_avx512, ck_tier_avx512_bf16;
#elif defined(__aarch64__)
extern const ck_tier ck_tier_neon;
#endif

// At least this many bytes for the calling thread, aligned to 64, the same ones at every call:
// a kernel asks once and shares them out among its needs.
void *ck_scratch(size_t bytes);

// bfloat16 and float16 one at a time; vectors convert in the tiers.
static inline float float_from_bf16(bf16 h) {
    uint32_t bits = (uint32_t)h.bits << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// Rounds to nearest, ties to even; NaN stays NaN.
static inline bf16 bf16_from_float(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000) return (bf16){(uint16_t)(bits >> 16 | 0x40)};
    return (bf16){(uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

static inline float float_from_f16(f16 h) {
    _Float16 x;
    memcpy(&x, &h.bits, sizeof x);
    return (float)x;
}

static inline f16 f16_from_float(float x) {
    _Float16 h = (_Float16)x;
    f16 result;
    memcpy(&result.bits, &h, sizeof h);
    return result;
}

static inline float float_from_f32(f32 x) { return x; }
static inline f32 f32_from_float(float x) { return x; }
