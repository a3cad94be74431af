// Which tiers exist, and which of them this processor can run.
#include "tiers.h"

#include <string.h>

#if defined(__x86_64__)
static bool has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
           && __builtin_cpu_supports("f16c");
}

static bool has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
           && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static bool has_avx512_bf16(void) {
    return has_avx512() && __builtin_cpu_supports("avx512bf16")
           && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi");
}
#endif

const ck_tier *ck_tier_table(ck_tier_id tier) {
    switch (tier) {
    case CK_TIER_SCALAR: return &ck_tier_scalar;
#if defined(__x86_64__)
    case CK_TIER_AVX2: return has_avx2() ? &ck_tier_avx2 : NULL;
    case CK_TIER_AVX512: return has_avx512() ? &ck_tier_avx512 : NULL;
    case CK_TIER_AVX512_BF16: return has_avx512_bf16() ? &ck_tier_avx512_bf16 : NULL;
#elif defined(__aarch64__)
    case CK_TIER_NEON: return &ck_tier_neon;
#endif
    default: return NULL;
    }
}

const char *ck_tier_name(ck_tier_id tier) {
    static const char *const names[CK_TIER_COUNT] = {"scalar", "avx2", "avx512", "avx512-bf16",
                                                     "neon"};
    return tier < CK_TIER_COUNT ? names[tier] : NULL;
}

#define NAME_EACH(name) #name "_f32", #name "_bf16", #name "_f16",
#define NAME_ONE(name) #name,

const char *ck_kernel_name(ck_kernel kernel) {
    static const char *const names[] = {CK_KERNELS(NAME_EACH, NAME_ONE)};
    return kernel < CK_KERNEL_COUNT ? names[kernel] : NULL;
}
