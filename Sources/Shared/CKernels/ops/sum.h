// Sums in an order that depends on the shape alone.
//
// sum_blocks: pointers: sums [blocks] (float32), x; numbers: elements, elements a block.
// Units: blocks. Run again over the sums until one is left.
// sum_rows: pointers: y [width], x [rows, width]; numbers: rows, width. Units: CK_COLUMNS columns.

static void NAME(sum_blocks)(const ck_args *a, int64_t begin, int64_t end) {
    f32 *sums = a->pointers[0];
    int64_t count = a->numbers[0], block = a->numbers[1];
    for (int64_t b = begin; b < end; b++) {
        const T *x = (const T *)a->pointers[1] + b * block;
        int64_t left = count - b * block < block ? count - b * block : block;
        vec sum = vec_set(0);
        for (int64_t i = 0; i < left; i += LANES) {
            sum = vec_add(sum, NAME(load_at)(x, i, left - i));
        }
        sums[b] = vec_sum(sum);
    }
}

static void NAME(sum_rows)(const ck_args *a, int64_t begin, int64_t end) {
    T *y = a->pointers[0];
    const T *x = a->pointers[1];
    int64_t rows = a->numbers[0], width = a->numbers[1];
    for (int64_t i = begin * CK_COLUMNS; i < end * CK_COLUMNS && i < width; i += LANES) {
        vec sum = vec_set(0);
        for (int64_t row = 0; row < rows; row++) {
            sum = vec_add(sum, NAME(load_at)(x + row * width, i, width - i));
        }
        NAME(store_at)(y, i, sum, width - i);
    }
}
