// y = x r weight, where r = 1 / sqrt(mean(x^2) + epsilon) of each row, in float32.
//
// rms_norm: pointers: y, r [rows] (float32, kept for the derivatives), x, weight; numbers: width;
//     scalars: epsilon. Units: rows.
// rms_norm_dx: dx = r g - x r^3 mean(x g), g = dy weight. pointers: dx, dy, x, weight, r;
//     numbers: width. Units: rows.
// rms_norm_dw: dweight = sum over rows of dy x r. pointers: dweight, dy, x, r;
//     numbers: rows, width. Units: CK_COLUMNS columns.

static void NAME(rms_norm)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t width = a->numbers[0];
    const T *weight = a->pointers[3];
    f32 *r = a->pointers[1];
    for (int64_t row = begin; row < end; row++) {
        const T *x = (const T *)a->pointers[2] + row * width;
        T *y = (T *)a->pointers[0] + row * width;
        vec squares = vec_set(0);
        for (int64_t i = 0; i < width; i += LANES) {
            vec value = NAME(load_at)(x, i, width - i);
            squares = vec_fma(value, value, squares);
        }
        r[row] = 1 / sqrtf(vec_sum(squares) / (float)width + a->scalars[0]);
        vec factor = vec_set(r[row]);
        for (int64_t i = 0; i < width; i += LANES) {
            vec normal = vec_mul(NAME(load_at)(x, i, width - i), factor);
            NAME(store_at)(y, i, vec_mul(normal, NAME(load_at)(weight, i, width - i)), width - i);
        }
    }
}

static void NAME(rms_norm_dx)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t width = a->numbers[0];
    const T *weight = a->pointers[3];
    const f32 *r = a->pointers[4];
    for (int64_t row = begin; row < end; row++) {
        T *dx = (T *)a->pointers[0] + row * width;
        const T *dy = (const T *)a->pointers[1] + row * width;
        const T *x = (const T *)a->pointers[2] + row * width;
        vec products = vec_set(0);
        for (int64_t i = 0; i < width; i += LANES) {
            vec g = vec_mul(NAME(load_at)(dy, i, width - i), NAME(load_at)(weight, i, width - i));
            products = vec_fma(g, NAME(load_at)(x, i, width - i), products);
        }
        vec mean = vec_set(vec_sum(products) / (float)width * r[row] * r[row]);
        for (int64_t i = 0; i < width; i += LANES) {
            vec g = vec_mul(NAME(load_at)(dy, i, width - i), NAME(load_at)(weight, i, width - i));
            vec along = vec_mul(NAME(load_at)(x, i, width - i), mean);
            NAME(store_at)(dx, i, vec_mul(vec_sub(g, along), vec_set(r[row])), width - i);
        }
    }
}

static void NAME(rms_norm_dw)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t rows = a->numbers[0], width = a->numbers[1];
    const T *dy = a->pointers[1], *x = a->pointers[2];
    const f32 *r = a->pointers[3];
    for (int64_t i = begin * CK_COLUMNS; i < end * CK_COLUMNS && i < width; i += LANES) {
        vec sum = vec_set(0);
        for (int64_t row = 0; row < rows; row++) {
            vec normal = vec_mul(NAME(load_at)(x + row * width, i, width - i), vec_set(r[row]));
            sum = vec_fma(NAME(load_at)(dy + row * width, i, width - i), normal, sum);
        }
        NAME(store_at)((T *)a->pointers[0], i, sum, width - i);
    }
}
