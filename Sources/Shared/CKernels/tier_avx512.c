#if defined(__x86_64__)
#include "tiers.h"

#include <immintrin.h>

// Everything below may use AVX-512; select.c checks the processor before any call.
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"))), \
    apply_to = function)
#include "vec/avx512.h"
#include "ops/all.h"
#pragma clang attribute pop

const ck_tier ck_tier_avx512 = CK_TABLE("avx512");
#endif
