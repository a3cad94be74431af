// One step of AdamW (Loshchilov and Hutter, 2019), as torch does it:
//
//     m += (1 - beta1) (g - m)        v = beta2 v + (1 - beta2) g^2
//     p = decay p - rate m / (sqrt(v) + epsilon)
//
// scalars: decay = 1 - learning rate x weight decay, 1 - beta1, beta2, 1 - beta2, and with
// c = sqrt(1 - beta2^n) the rate = learning rate x c / (1 - beta1^n) and epsilon x c: the
// corrections of the means' bias, multiplied out. T is the type of the gradient.
//
// adamw: pointers: p, m, v, old p, old m, old v (float32), g, factor of g (one float32, or none
//     for 1). Units: elements.
// adamw8: m and v are kept as a byte an element, which stands for an entry of a table, and a
//     float32 scale a block. pointers: p, m codes, m scales, v codes, v scales, the same old,
//     g, factor, tables [4, 256] (entries for m and v, upper bounds of the intervals of numbers
//     that stand for them), starts [2, 2, CK_STATE_STARTS] (bytes; for m and v, then for numbers
//     above 0 and below); numbers: elements. Units: blocks of CK_STATE_BLOCK elements.
//
// The starts spare a search. Numbers of one sign that share exponent and seven bits of mantissa lie
// so close together that one bound at most is among them: their start is the code of the least.

static inline vec NAME(adamw_lanes)(const f32 *scalars, vec p, vec g, vec *m, vec *v) {
    *m = vec_fma(vec_set(scalars[1]), vec_sub(g, *m), *m);
    *v = vec_fma(vec_mul(vec_set(scalars[3]), g), g, vec_mul(vec_set(scalars[2]), *v));
    vec root = vec_add(vec_sqrt(*v), vec_set(scalars[5]));
    vec step = vec_mul(vec_set(scalars[4]), vec_div(*m, root));
    return vec_sub(vec_mul(p, vec_set(scalars[0])), step);
}

static void NAME(adamw)(const ck_args *a, int64_t begin, int64_t end) {
    const f32 *old_p = a->pointers[3], *old_m = a->pointers[4], *old_v = a->pointers[5];
    const f32 *factor = a->pointers[7];
    const T *g = a->pointers[6];
    vec scale = vec_set(factor ? *factor : 1);
    for (int64_t i = begin; i < end; i += LANES) {
        vec m = load_at_f32(old_m, i, end - i), v = load_at_f32(old_v, i, end - i);
        vec gradient = vec_mul(NAME(load_at)(g, i, end - i), scale);
        vec p = NAME(adamw_lanes)(a->scalars, load_at_f32(old_p, i, end - i), gradient, &m, &v);
        store_at_f32(a->pointers[0], i, p, end - i);
        store_at_f32(a->pointers[1], i, m, end - i);
        store_at_f32(a->pointers[2], i, v, end - i);
    }
}

static inline void NAME(state_encode)(uint8_t *codes, const f32 *x, float scale, const f32 *bounds,
                                      const uint8_t *starts, int64_t count) {
    float inverse = scale >= FLT_MIN ? 1 / scale : 0;
    for (int64_t i = 0; i < count; i++) {
        float value = x[i] * inverse;
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        int32_t place = (int32_t)((bits & 0x7fffffff) >> 16) - CK_STATE_FIRST;
        place = place < 0 ? 0 : place >= CK_STATE_STARTS ? CK_STATE_STARTS - 1 : place;
        uint8_t code = starts[place + (bits >> 31) * CK_STATE_STARTS];
        codes[i] = code + (value > bounds[code]);
    }
}

static inline void NAME(state_decode)(f32 *x, const uint8_t *codes, float scale, const f32 *entries,
                                      int64_t count) {
    for (int64_t i = 0; i < count; i++) x[i] = entries[codes[i]] * scale;
}

static void NAME(adamw8)(const ck_args *a, int64_t begin, int64_t end) {
    const f32 *factor = a->pointers[11], *tables = a->pointers[12];
    const uint8_t *starts = a->pointers[13];
    vec scale = vec_set(factor ? *factor : 1);
    for (int64_t block = begin; block < end; block++) {
        int64_t first = block * CK_STATE_BLOCK, left = a->numbers[0] - first;
        int64_t count = left < CK_STATE_BLOCK ? left : CK_STATE_BLOCK;
        f32 ms[CK_STATE_BLOCK], vs[CK_STATE_BLOCK];
        f32 *m_scale = (f32 *)a->pointers[2] + block, *v_scale = (f32 *)a->pointers[4] + block;
        NAME(state_decode)(ms, (const uint8_t *)a->pointers[6] + first,
                           ((const f32 *)a->pointers[7])[block], tables, count);
        NAME(state_decode)(vs, (const uint8_t *)a->pointers[8] + first,
                           ((const f32 *)a->pointers[9])[block], tables + 256, count);
        const f32 *old_p = (const f32 *)a->pointers[5] + first;
        const T *g = (const T *)a->pointers[10] + first;
        vec m_largest = vec_set(0), v_largest = vec_set(0);
        for (int64_t i = 0; i < count; i += LANES) {
            vec m = load_at_f32(ms, i, count - i), v = load_at_f32(vs, i, count - i);
            vec gradient = vec_mul(NAME(load_at)(g, i, count - i), scale);
            vec p = load_at_f32(old_p, i, count - i);
            p = NAME(adamw_lanes)(a->scalars, p, gradient, &m, &v);
            store_at_f32((f32 *)a->pointers[0] + first, i, p, count - i);
            store_at_f32(ms, i, m, count - i);
            store_at_f32(vs, i, v, count - i);
            m_largest = vec_max(m_largest, vec_abs(m));
            v_largest = vec_max(v_largest, v);
        }
        *m_scale = vec_largest(m_largest);
        *v_scale = vec_largest(v_largest);
        NAME(state_encode)((uint8_t *)a->pointers[1] + first, ms, *m_scale, tables + 512, starts,
                           count);
        NAME(state_encode)((uint8_t *)a->pointers[3] + first, vs, *v_scale, tables + 768,
                           starts + 2 * CK_STATE_STARTS, count);
    }
}
