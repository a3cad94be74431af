// One step of gradient descent, as torch does it:
//
//     d = g + weight decay x p        b = momentum x b + d        p -= rate x d'
//
// where d' is d without momentum, b with it, and d + momentum x b as Nesterov has it.
//
// pointers: p, b or none (no momentum), old p, old b or none (float32), g, factor of g (one
// float32, or none for 1); numbers: 1 for Nesterov's; scalars: rate, weight decay, momentum.
// Units: elements.

static void NAME(sgd)(const ck_args *a, int64_t begin, int64_t end) {
    const f32 *old_p = a->pointers[2], *old_b = a->pointers[3], *factor = a->pointers[5];
    const T *g = a->pointers[4];
    vec scale = vec_set(factor ? *factor : 1), momentum = vec_set(a->scalars[2]);
    for (int64_t i = begin; i < end; i += LANES) {
        vec p = load_at_f32(old_p, i, end - i);
        vec gradient = vec_mul(NAME(load_at)(g, i, end - i), scale);
        vec d = vec_fma(vec_set(a->scalars[1]), p, gradient);
        if (old_b) {
            vec b = vec_fma(momentum, load_at_f32(old_b, i, end - i), d);
            store_at_f32(a->pointers[1], i, b, end - i);
            d = a->numbers[0] ? vec_fma(momentum, b, d) : b;
        }
        p = vec_sub(p, vec_mul(vec_set(a->scalars[0]), d));
        store_at_f32(a->pointers[0], i, p, end - i);
    }
}
