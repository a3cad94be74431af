// Functions of vectors, written once for all tiers.

// e^x within 2 units in the last place: x = n ln 2 + r, |r| <= ln 2 / 2, e^r by its Taylor
// polynomial. Below -87.3 the result is 0 (no denormals); above 88.7 it is infinite.
static inline vec vec_exp(vec x) {
    vec n = vec_round(vec_mul(vec_max(x, vec_set(-100)), vec_set(1.44269504f)));
    vec half = vec_round(vec_mul(n, vec_set(0.5f)));
    vec r = vec_fma(n, vec_set(-0.693359375f), x);
    r = vec_fma(n, vec_set(2.12194440e-4f), r);
    vec p = vec_set(1.9841270e-4f);
    p = vec_fma(p, r, vec_set(1.3888889e-3f));
    p = vec_fma(p, r, vec_set(8.3333333e-3f));
    p = vec_fma(p, r, vec_set(4.1666667e-2f));
    p = vec_fma(p, r, vec_set(1.6666667e-1f));
    p = vec_fma(p, r, vec_set(0.5f));
    p = vec_fma(vec_mul(p, r), r, vec_add(r, vec_set(1)));
    // Two factors, since 2^128 is no float32 but e^88.7 is. A NaN comes through r.
    vec y = vec_mul(vec_mul(p, vec_power_of_two(half)), vec_power_of_two(vec_sub(n, half)));
    y = vec_where_greater(vec_set(-87.33654f), x, vec_set(0), y);
    return vec_where_greater(x, vec_set(88.72283f), vec_set(INFINITY), y);
}

// 2^x for x <= 0 (up to 127) within 2 units in the last place: x = n + r, |r| <= 1/2, 2^r by its
// minimax polynomial. 2^0 is 1 exactly; from -127 down and for -infinity the result is 0 or less
// than the smallest normal number. A NaN stays one, by the order of the arguments of vec_max.
static inline vec vec_exp2(vec x) {
    x = vec_max(vec_set(-200), x);
    vec n = vec_round(x), r = vec_sub(x, n);
    vec p = vec_set(1.3264727e-3f);
    p = vec_fma(p, r, vec_set(9.6715130e-3f));
    p = vec_fma(p, r, vec_set(5.5507336e-2f));
    p = vec_fma(p, r, vec_set(2.4022242e-1f));
    p = vec_fma(p, r, vec_set(6.9314700e-1f));
    return vec_times_power_of_two(vec_fma(p, r, vec_set(1)), n);
}

// 1 / (1 + e^-x)
static inline vec vec_sigmoid(vec x) {
    vec e = vec_exp(vec_sub(vec_set(0), x));
    return vec_div(vec_set(1), vec_add(vec_set(1), e));
}

// The part of a normal distribution that lies beyond t >= 0 deviations, divided by e^(-t^2/2): a
// fitted polynomial of 1 / (1 + 0.3 t), within 2e-7 of the value.
static inline vec vec_normal_tail(vec t) {
    vec k = vec_div(vec_set(1), vec_fma(t, vec_set(0.3f), vec_set(1)));
    vec p = vec_set(0.0356767374f);
    p = vec_fma(p, k, vec_set(-0.157211524f));
    p = vec_fma(p, k, vec_set(0.206368443f));
    p = vec_fma(p, k, vec_set(-0.0536976939f));
    p = vec_fma(p, k, vec_set(0.128569185f));
    p = vec_fma(p, k, vec_set(0.0999111751f));
    p = vec_fma(p, k, vec_set(0.12075433f));
    p = vec_fma(p, k, vec_set(0.119629274f));
    return vec_mul(p, k);
}
