// Sums of squares in an order that depends on the shape alone, as in sum.h.
//
// sum_squares: pointers: sums [blocks] (float32), x; numbers: elements, elements a block.
// Units: blocks. Runs of 64 are added first, so that errors stay small without many lanes.
// sum_blocks adds up the sums.

static void NAME(sum_squares)(const ck_args *a, int64_t begin, int64_t end) {
    f32 *sums = a->pointers[0];
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
        sums[b] = vec_sum(sum);
    }
}
