// Four lanes of NEON (AArch64).
typedef float32x4_t vec;
#define LANES 4

static inline vec vec_set(float x) { return vdupq_n_f32(x); }
static inline vec vec_load_f32(const f32 *p) { return vld1q_f32(p); }
static inline vec vec_load_bf16(const bf16 *p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16((const uint16_t *)p), 16));
}
static inline vec vec_load_f16(const f16 *p) {
    return vcvt_f32_f16(vld1_f16((const float16_t *)p));
}
static inline void vec_store_f32(f32 *p, vec a) { vst1q_f32(p, a); }
static inline void vec_store_f16(f16 *p, vec a) { vst1_f16((float16_t *)p, vcvt_f16_f32(a)); }
// Rounds to nearest even: adds 0x7fff and the lowest kept bit; NaN keeps its upper half.
static inline void vec_store_bf16(bf16 *p, vec a) {
    uint32x4_t bits = vreinterpretq_u32_f32(a);
    uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    uint32x4_t sum = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
    uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));
    uint32x4_t high = vbslq_u32(vceqq_f32(a, a), sum, quiet);
    vst1_u16((uint16_t *)p, vshrn_n_u32(high, 16));
}
static inline vec vec_add(vec a, vec b) { return vaddq_f32(a, b); }
static inline vec vec_sub(vec a, vec b) { return vsubq_f32(a, b); }
static inline vec vec_mul(vec a, vec b) { return vmulq_f32(a, b); }
static inline vec vec_div(vec a, vec b) { return vdivq_f32(a, b); }
static inline vec vec_fma(vec a, vec b, vec c) { return vfmaq_f32(c, a, b); }
static inline vec vec_max(vec a, vec b) { return vmaxq_f32(a, b); }
static inline vec vec_sqrt(vec a) { return vsqrtq_f32(a); }
static inline vec vec_abs(vec a) { return vabsq_f32(a); }
static inline vec vec_round(vec a) { return vrndnq_f32(a); }
static inline vec vec_where_greater(vec a, vec b, vec yes, vec no) {
    return vbslq_f32(vcgtq_f32(a, b), yes, no);
}
static inline vec vec_power_of_two(vec n) {
    int32x4_t exponent = vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127));
    return vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23));
}
static inline vec vec_times_power_of_two(vec a, vec n) {
    return vec_mul(a, vec_power_of_two(vec_max(n, vec_set(-127))));
}
static inline float vec_sum(vec a) { return vaddvq_f32(a); }
static inline float vec_largest(vec a) { return vmaxvq_f32(a); }
