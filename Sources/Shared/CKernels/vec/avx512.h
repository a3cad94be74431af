// Sixteen lanes of AVX-512 (F, BW, DQ, VL). The last lanes of a row go through masks.
typedef __m512 vec;
#define LANES 16

static inline vec vec_set(float x) { return _mm512_set1_ps(x); }
static inline vec vec_load_f32(const f32 *p) { return _mm512_loadu_ps(p); }
static inline vec vec_from_bf16_lanes(__m256i lanes) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(lanes), 16));
}
static inline vec vec_load_bf16(const bf16 *p) {
    return vec_from_bf16_lanes(_mm256_loadu_si256((const __m256i *)p));
}
static inline vec vec_load_f16(const f16 *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
// Rounds to nearest even: adds 0x7fff and the lowest kept bit; NaN keeps its upper half. Not
// vcvtneps2bf16, which takes denormals for zero.
static inline __m256i vec_bf16_lanes(vec a) {
    __m512i bits = _mm512_castps_si512(a);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i sum = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    __mmask16 nan = _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q);
    __m512i high = _mm512_mask_or_epi32(sum, nan, bits, _mm512_set1_epi32(0x400000));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(high, 16));
}
static inline void vec_store_f32(f32 *p, vec a) { _mm512_storeu_ps(p, a); }
static inline void vec_store_bf16(bf16 *p, vec a) {
    _mm256_storeu_si256((__m256i *)p, vec_bf16_lanes(a));
}
static inline void vec_store_f16(f16 *p, vec a) {
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}
static inline __mmask16 vec_first(int64_t count) { return (__mmask16)((1u << count) - 1); }
static inline vec vec_load_some_f32(const f32 *p, int64_t count) {
    return _mm512_maskz_loadu_ps(vec_first(count), p);
}
static inline vec vec_load_some_bf16(const bf16 *p, int64_t count) {
    return vec_from_bf16_lanes(_mm256_maskz_loadu_epi16(vec_first(count), p));
}
static inline vec vec_load_some_f16(const f16 *p, int64_t count) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(vec_first(count), p));
}
static inline void vec_store_some_f32(f32 *p, vec a, int64_t count) {
    _mm512_mask_storeu_ps(p, vec_first(count), a);
}
static inline void vec_store_some_bf16(bf16 *p, vec a, int64_t count) {
    _mm256_mask_storeu_epi16(p, vec_first(count), vec_bf16_lanes(a));
}
static inline void vec_store_some_f16(f16 *p, vec a, int64_t count) {
    __m256i lanes = _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT);
    _mm256_mask_storeu_epi16(p, vec_first(count), lanes);
}
static inline vec vec_add(vec a, vec b) { return _mm512_add_ps(a, b); }
static inline vec vec_sub(vec a, vec b) { return _mm512_sub_ps(a, b); }
static inline vec vec_mul(vec a, vec b) { return _mm512_mul_ps(a, b); }
static inline vec vec_div(vec a, vec b) { return _mm512_div_ps(a, b); }
static inline vec vec_fma(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
static inline vec vec_max(vec a, vec b) { return _mm512_max_ps(a, b); }
static inline vec vec_sqrt(vec a) { return _mm512_sqrt_ps(a); }
static inline vec vec_abs(vec a) { return _mm512_abs_ps(a); }
static inline vec vec_round(vec a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline vec vec_where_greater(vec a, vec b, vec yes, vec no) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), no, yes);
}
static inline vec vec_power_of_two(vec n) {
    __m512i exponent = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
    return _mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23));
}
static inline vec vec_times_power_of_two(vec a, vec n) { return _mm512_scalef_ps(a, n); }
static inline float vec_sum(vec a) { return _mm512_reduce_add_ps(a); }
static inline float vec_largest(vec a) { return _mm512_reduce_max_ps(a); }

#if defined(HAS_BF16_DOT)
// Pairs of bfloat16, the first of each in the low half. Here denormals become zero, as they do in
// the dot products.
static inline vec vec_bf16_pairs(vec first, vec second) {
    __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(first));
    __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(second));
    return _mm512_castsi512_ps(_mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
}
static inline void vec_store_bf16_normal(bf16 *p, vec a) {
    _mm256_storeu_si256((__m256i *)p, (__m256i)_mm512_cvtneps_pbh(a));
}
#endif
