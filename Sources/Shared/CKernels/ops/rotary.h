// y = x turned in the planes (j, j + width / 2) of each head by its row's angles.
//
// rotary: pointers: y, x [rows, heads, width], cosines, sines [rows, width / 2] (float32);
//     numbers: heads, width; scalars: 1, or -1 to turn back. Units: rows.

static void NAME(rotary_head)(T *y, const T *x, const f32 *cosines, const f32 *sines,
                              int64_t half, vec direction) {
    for (int64_t j = 0; j < half; j += LANES) {
        int64_t left = half - j;
        vec low = NAME(load_at)(x, j, left), high = NAME(load_at)(x + half, j, left);
        vec cosine = load_at_f32(cosines, j, left);
        vec sine = vec_mul(load_at_f32(sines, j, left), direction);
        vec low_turned = vec_sub(vec_mul(low, cosine), vec_mul(high, sine));
        vec high_turned = vec_fma(high, cosine, vec_mul(low, sine));
        NAME(store_at)(y, j, low_turned, left);
        NAME(store_at)(y + half, j, high_turned, left);
    }
}

static void NAME(rotary)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t heads = a->numbers[0], width = a->numbers[1], half = width / 2;
    const f32 *cosines = a->pointers[2], *sines = a->pointers[3];
    vec direction = vec_set(a->scalars[0]);
    for (int64_t i = begin * heads; i < end * heads; i++) {
        int64_t angles = i / heads * half;
        NAME(rotary_head)((T *)a->pointers[0] + i * width, (const T *)a->pointers[1] + i * width,
                          cosines + angles, sines + angles, half, direction);
    }
}
