// A vector of one lane: the reference that every machine can run.
typedef float vec;
#define LANES 1

static inline vec vec_set(float x) { return x; }
static inline vec vec_load_f32(const f32 *p) { return *p; }
static inline vec vec_load_bf16(const bf16 *p) { return float_from_bf16(*p); }
static inline vec vec_load_f16(const f16 *p) { return float_from_f16(*p); }
static inline void vec_store_f32(f32 *p, vec a) { *p = a; }
static inline void vec_store_bf16(bf16 *p, vec a) { *p = bf16_from_float(a); }
static inline void vec_store_f16(f16 *p, vec a) { *p = f16_from_float(a); }
static inline vec vec_add(vec a, vec b) { return a + b; }
static inline vec vec_sub(vec a, vec b) { return a - b; }
static inline vec vec_mul(vec a, vec b) { return a * b; }
static inline vec vec_div(vec a, vec b) { return a / b; }
static inline vec vec_fma(vec a, vec b, vec c) { return a * b + c; }
static inline vec vec_max(vec a, vec b) { return a > b ? a : b; }
static inline vec vec_sqrt(vec a) { return sqrtf(a); }
static inline vec vec_abs(vec a) { return fabsf(a); }
static inline vec vec_round(vec a) { return rintf(a); }
static inline vec vec_where_greater(vec a, vec b, vec yes, vec no) { return a > b ? yes : no; }
static inline float vec_sum(vec a) { return a; }
static inline float vec_largest(vec a) { return a; }

// 2^n for whole n in -126...127.
static inline vec vec_power_of_two(vec n) {
    int32_t bits = ((int32_t)n + 127) << 23;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// a 2^n for whole n below 128; 0 where 2^n would be denormal.
static inline vec vec_times_power_of_two(vec a, vec n) {
    return vec_mul(a, vec_power_of_two(vec_max(n, vec_set(-127))));
}
