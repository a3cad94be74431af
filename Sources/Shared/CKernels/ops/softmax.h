// Softmax of rows, in float32: y = e^(x - max) / sum of e^(x - max).
//
// softmax: pointers: y, x; numbers: width. Units: rows.
// softmax_dx: dx = y (dy - sum of y dy). pointers: dx, dy, y; numbers: width. Units: rows.
// argmax: the first place of the largest value, -1 if all are NaN. pointers: y (int32), x;
//     numbers: width. Units: rows.

// The largest number of a row; NaN is none.
static inline float NAME(row_max)(const T *x, int64_t width) {
    vec largest = vec_set(-INFINITY);
    for (int64_t i = 0; i < width; i += LANES) {
        vec value = NAME(load_padded)(x, i, width - i, -INFINITY);
        largest = vec_where_greater(value, largest, value, largest);
    }
    return vec_largest(largest);
}

static inline float NAME(row_exp_sum)(const T *x, int64_t width, float max) {
    vec sum = vec_set(0);
    for (int64_t i = 0; i < width; i += LANES) {
        vec value = NAME(load_padded)(x, i, width - i, -INFINITY);
        sum = vec_add(sum, vec_exp(vec_sub(value, vec_set(max))));
    }
    return vec_sum(sum);
}

static void NAME(softmax)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t width = a->numbers[0];
    for (int64_t row = begin; row < end; row++) {
        T *y = (T *)a->pointers[0] + row * width;
        const T *x = (const T *)a->pointers[1] + row * width;
        float max = NAME(row_max)(x, width);
        vec factor = vec_set(1 / NAME(row_exp_sum)(x, width, max));
        for (int64_t i = 0; i < width; i += LANES) {
            vec e = vec_exp(vec_sub(NAME(load_at)(x, i, width - i), vec_set(max)));
            NAME(store_at)(y, i, vec_mul(e, factor), width - i);
        }
    }
}

static void NAME(softmax_dx)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t width = a->numbers[0];
    for (int64_t row = begin; row < end; row++) {
        T *dx = (T *)a->pointers[0] + row * width;
        const T *dy = (const T *)a->pointers[1] + row * width;
        const T *y = (const T *)a->pointers[2] + row * width;
        vec sum = vec_set(0);
        for (int64_t i = 0; i < width; i += LANES) {
            sum = vec_fma(NAME(load_at)(y, i, width - i), NAME(load_at)(dy, i, width - i), sum);
        }
        vec along = vec_set(vec_sum(sum));
        for (int64_t i = 0; i < width; i += LANES) {
            vec across = vec_sub(NAME(load_at)(dy, i, width - i), along);
            vec value = vec_mul(NAME(load_at)(y, i, width - i), across);
            NAME(store_at)(dx, i, value, width - i);
        }
    }
}

static void NAME(argmax)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t width = a->numbers[0];
    for (int64_t row = begin; row < end; row++) {
        const T *x = (const T *)a->pointers[1] + row * width;
        float max = NAME(row_max)(x, width);
        int64_t place = 0;
        while (place < width && TO_FLOAT(x[place]) != max) place++;
        ((int32_t *)a->pointers[0])[row] = place < width ? (int32_t)place : -1;
    }
}
