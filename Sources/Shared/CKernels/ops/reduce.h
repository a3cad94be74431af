// Reductions besides sums, in an order that depends on the shape alone.
//
// square_blocks: sums of squares, runs of 64 first, which keeps errors small where there are few
//     lanes. pointers: sums [blocks] (float32), x; numbers: elements, elements a block.
//     Units: blocks.
// max_abs_blocks: largest sizes, NaN where there is one. Arguments as of square_blocks.
// row_means: pointers: means [rows] (float32), x; numbers: width. Units: rows.
// spread_rows: y[row, :] = values[row] factor. pointers: y, values [rows] (float32);
//     numbers: width; scalars: factor. Units: rows.

static void NAME(square_blocks)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t count = a->numbers[0], block = a->numbers[1];
    for (int64_t b = begin; b < end; b++) {
        const T *x = (const T *)a->pointers[1] + b * block;
        int64_t left = count - b * block < block ? count - b * block : block;
        vec sum = vec_set(0);
        for (int64_t run = 0; run < left; run += 64) {
            vec squares = vec_set(0);
            for (int64_t i = run; i < left && i < run + 64; i += LANES) {
                vec value = NAME(load_at)(x, i, left - i);
                squares = vec_fma(value, value, squares);
            }
            sum = vec_add(sum, squares);
        }
        ((f32 *)a->pointers[0])[b] = vec_sum(sum);
    }
}

static void NAME(max_abs_blocks)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t count = a->numbers[0], block = a->numbers[1];
    for (int64_t b = begin; b < end; b++) {
        const T *x = (const T *)a->pointers[1] + b * block;
        int64_t left = count - b * block < block ? count - b * block : block;
        vec largest = vec_set(0), poison = vec_set(0);
        for (int64_t i = 0; i < left; i += LANES) {
            vec value = vec_abs(NAME(load_at)(x, i, left - i));
            largest = vec_where_greater(value, largest, value, largest);
            poison = vec_where_greater(value, vec_set(-1), poison, vec_set(NAN));
        }
        ((f32 *)a->pointers[0])[b] = vec_largest(largest) + vec_sum(poison);
    }
}

static void NAME(row_means)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t width = a->numbers[0];
    for (int64_t row = begin; row < end; row++) {
        const T *x = (const T *)a->pointers[1] + row * width;
        vec sum = vec_set(0);
        for (int64_t i = 0; i < width; i += LANES) {
            sum = vec_add(sum, NAME(load_at)(x, i, width - i));
        }
        ((f32 *)a->pointers[0])[row] = vec_sum(sum) / (float)width;
    }
}

static void NAME(spread_rows)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t width = a->numbers[0];
    for (int64_t row = begin; row < end; row++) {
        T *y = (T *)a->pointers[0] + row * width;
        vec value = vec_set(((const f32 *)a->pointers[1])[row] * a->scalars[0]);
        for (int64_t i = 0; i < width; i += LANES) NAME(store_at)(y, i, value, width - i);
    }
}
