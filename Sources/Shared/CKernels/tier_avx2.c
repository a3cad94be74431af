#if defined(__x86_64__)
#include "tiers.h"

#include <immintrin.h>

// Everything below may use AVX2; select.c checks the processor before any call.
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#include "vec/avx2.h"
#include "vec/partial.h"
#include "ops/all.h"
#pragma clang attribute pop

const ck_tier ck_tier_avx2 = CK_TABLE("avx2");
#endif
