#if defined(__x86_64__)
#include "tiers.h"

#include <immintrin.h>

// The tier whose dot products of bfloat16 pairs and int8 quadruples are single instructions.
#define HAS_BF16_DOT 1
#define HAS_INT8_DOT 1
// Everything below may use them; select.c checks the processor before any call.
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx512vnni," \
                          "avx512vbmi,avx2,fma,f16c"))), \
    apply_to = function)
#include "vec/avx512.h"
#include "ops/all.h"
#pragma clang attribute pop

const ck_tier ck_tier_avx512_bf16 = CK_TABLE("avx512-bf16");
#endif
