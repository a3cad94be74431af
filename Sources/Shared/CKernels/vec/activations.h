// Activation functions of vectors and their slopes, written once for all tiers.

// x / (1 + e^(-factor x))
static inline vec vec_silu(vec x, vec factor) {
    return vec_mul(x, vec_sigmoid(vec_mul(x, factor)));
}

static inline vec vec_silu_slope(vec x, vec factor) {
    vec along = vec_mul(x, factor), s = vec_sigmoid(along);
    return vec_mul(s, vec_fma(along, vec_sub(vec_set(1), s), vec_set(1)));
}

// The part of a normal distribution below x, given e = e^(-x^2/2).
static inline vec vec_normal_below(vec x, vec e) {
    vec tail = vec_mul(e, vec_normal_tail(vec_abs(x)));
    return vec_where_greater(x, vec_set(0), vec_sub(vec_set(1), tail), tail);
}

static inline vec vec_bell(vec x) {
    return vec_exp(vec_mul(vec_mul(x, x), vec_set(-0.5f)));
}

// x P(normal < x)
static inline vec vec_gelu(vec x, vec factor) {
    (void)factor;
    return vec_mul(x, vec_normal_below(x, vec_bell(x)));
}

static inline vec vec_gelu_slope(vec x, vec factor) {
    (void)factor;
    vec e = vec_bell(x), density = vec_mul(e, vec_set(0.398942280f));
    return vec_fma(x, density, vec_normal_below(x, e));
}

// x / (1 + e^(-2u)) with u = sqrt(2 / pi) (x + 0.044715 x^3): x (1 + tanh u) / 2 without loss.
static inline vec vec_gelu_tanh(vec x, vec factor) {
    (void)factor;
    vec cube = vec_fma(vec_mul(x, x), vec_set(0.0713548163f), vec_set(1.59576912f));
    return vec_mul(x, vec_sigmoid(vec_mul(x, cube)));
}

static inline vec vec_gelu_tanh_slope(vec x, vec factor) {
    (void)factor;
    vec square = vec_mul(x, x);
    vec s = vec_sigmoid(vec_mul(x, vec_fma(square, vec_set(0.0713548163f), vec_set(1.59576912f))));
    vec inner = vec_mul(x, vec_fma(square, vec_set(0.214064449f), vec_set(1.59576912f)));
    return vec_mul(s, vec_fma(inner, vec_sub(vec_set(1), s), vec_set(1)));
}
