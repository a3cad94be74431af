// Activations, elementwise (vec/activations.h). Units: elements.
//
// silu, gelu, gelu_tanh: pointers: y, x; scalars: factor (silu only).
// silu_dx, gelu_dx, gelu_tanh_dx: dx = dy slope(x). pointers: dx, dy, x; scalars: factor.
// swiglu: y = silu(gate) up. pointers: y, gate, up.
// swiglu_d: dgate = dy up slope(gate), dup = dy silu(gate).
//     pointers: dgate, dup (NULL where not needed), dy, gate, up.

#define ACTIVATION(name)                                                                    \
    static void NAME(name)(const ck_args *a, int64_t begin, int64_t end) {                  \
        vec factor = vec_set(a->scalars[0]);                                                \
        for (int64_t i = begin; i < end; i += LANES) {                                      \
            vec x = NAME(load_at)(a->pointers[1], i, end - i);                              \
            NAME(store_at)(a->pointers[0], i, vec_##name(x, factor), end - i);              \
        }                                                                                   \
    }                                                                                       \
    static void NAME(name##_dx)(const ck_args *a, int64_t begin, int64_t end) {             \
        vec factor = vec_set(a->scalars[0]);                                                \
        for (int64_t i = begin; i < end; i += LANES) {                                      \
            vec slope = vec_##name##_slope(NAME(load_at)(a->pointers[2], i, end - i), factor); \
            vec dy = NAME(load_at)(a->pointers[1], i, end - i);                             \
            NAME(store_at)(a->pointers[0], i, vec_mul(dy, slope), end - i);                 \
        }                                                                                   \
    }
ACTIVATION(silu)
ACTIVATION(gelu)
ACTIVATION(gelu_tanh)
#undef ACTIVATION

static void NAME(swiglu)(const ck_args *a, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += LANES) {
        vec gate = vec_silu(NAME(load_at)(a->pointers[1], i, end - i), vec_set(1));
        vec up = NAME(load_at)(a->pointers[2], i, end - i);
        NAME(store_at)(a->pointers[0], i, vec_mul(gate, up), end - i);
    }
}

static void NAME(swiglu_d)(const ck_args *a, int64_t begin, int64_t end) {
    T *dgate = a->pointers[0], *dup = a->pointers[1];
    for (int64_t i = begin; i < end; i += LANES) {
        vec dy = NAME(load_at)(a->pointers[2], i, end - i);
        vec gate = NAME(load_at)(a->pointers[3], i, end - i);
        if (dgate) {
            vec up = vec_mul(dy, NAME(load_at)(a->pointers[4], i, end - i));
            NAME(store_at)(dgate, i, vec_mul(up, vec_silu_slope(gate, vec_set(1))), end - i);
        }
        if (dup) NAME(store_at)(dup, i, vec_mul(dy, vec_silu(gate, vec_set(1))), end - i);
    }
}
