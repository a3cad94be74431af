// y = (x - mean) r weight + bias, where r = 1 / sqrt(variance + epsilon) of each row, in float32.
//
// layer_norm: pointers: y, mean [rows], r [rows] (float32, kept for the derivatives), x, weight,
//     bias; numbers: width; scalars: epsilon. Units: rows.
// layer_norm_dx: dx = r (g - mean(g) - n mean(g n)), g = dy weight, n = (x - mean) r.
//     pointers: dx, dy, x, weight, mean, r; numbers: width. Units: rows.
// layer_norm_dw: dweight = sum over rows of dy n. pointers: dweight, dy, x, mean, r;
//     numbers: rows, width. Units: CK_COLUMNS columns.

// Sum of (x - mean)^2 over a row.
static inline float NAME(row_squares)(const T *x, int64_t width, float mean) {
    vec squares = vec_set(0);
    for (int64_t i = 0; i < width; i += LANES) {
        vec value = vec_sub(NAME(load_padded)(x, i, width - i, mean), vec_set(mean));
        squares = vec_fma(value, value, squares);
    }
    return vec_sum(squares);
}

static void NAME(layer_norm)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t width = a->numbers[0];
    f32 *mean = a->pointers[1], *r = a->pointers[2];
    for (int64_t row = begin; row < end; row++) {
        T *y = (T *)a->pointers[0] + row * width;
        const T *x = (const T *)a->pointers[3] + row * width;
        vec sum = vec_set(0);
        for (int64_t i = 0; i < width; i += LANES) {
            sum = vec_add(sum, NAME(load_at)(x, i, width - i));
        }
        mean[row] = vec_sum(sum) / (float)width;
        float variance = NAME(row_squares)(x, width, mean[row]) / (float)width;
        r[row] = 1 / sqrtf(variance + a->scalars[0]);
        for (int64_t i = 0; i < width; i += LANES) {
            vec centred = vec_sub(NAME(load_at)(x, i, width - i), vec_set(mean[row]));
            vec factor = vec_mul(NAME(load_at)(a->pointers[4], i, width - i), vec_set(r[row]));
            vec bias = NAME(load_at)(a->pointers[5], i, width - i);
            NAME(store_at)(y, i, vec_fma(centred, factor, bias), width - i);
        }
    }
}

static void NAME(layer_norm_dx)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t width = a->numbers[0];
    for (int64_t row = begin; row < end; row++) {
        T *dx = (T *)a->pointers[0] + row * width;
        const T *dy = (const T *)a->pointers[1] + row * width;
        const T *x = (const T *)a->pointers[2] + row * width, *weight = a->pointers[3];
        vec mean = vec_set(((const f32 *)a->pointers[4])[row]);
        vec r = vec_set(((const f32 *)a->pointers[5])[row]);
        vec sum = vec_set(0), along = vec_set(0);
        for (int64_t i = 0; i < width; i += LANES) {
            vec g = vec_mul(NAME(load_at)(dy, i, width - i), NAME(load_at)(weight, i, width - i));
            vec normal = vec_mul(vec_sub(NAME(load_at)(x, i, width - i), mean), r);
            sum = vec_add(sum, g);
            along = vec_fma(g, normal, along);
        }
        vec g_mean = vec_set(vec_sum(sum) / (float)width);
        vec along_mean = vec_set(vec_sum(along) / (float)width);
        for (int64_t i = 0; i < width; i += LANES) {
            vec g = vec_mul(NAME(load_at)(dy, i, width - i), NAME(load_at)(weight, i, width - i));
            vec normal = vec_mul(vec_sub(NAME(load_at)(x, i, width - i), mean), r);
            vec across = vec_sub(vec_sub(g, g_mean), vec_mul(normal, along_mean));
            NAME(store_at)(dx, i, vec_mul(across, r), width - i);
        }
    }
}

static void NAME(layer_norm_dw)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t rows = a->numbers[0], width = a->numbers[1];
    const T *dy = a->pointers[1], *x = a->pointers[2];
    const f32 *mean = a->pointers[3], *r = a->pointers[4];
    for (int64_t i = begin * CK_COLUMNS; i < end * CK_COLUMNS && i < width; i += LANES) {
        vec sum = vec_set(0);
        for (int64_t row = 0; row < rows; row++) {
            vec centred = vec_sub(NAME(load_at)(x + row * width, i, width - i), vec_set(mean[row]));
            vec normal = vec_mul(centred, vec_set(r[row]));
            sum = vec_fma(NAME(load_at)(dy + row * width, i, width - i), normal, sum);
        }
        NAME(store_at)((T *)a->pointers[0], i, sum, width - i);
    }
}
