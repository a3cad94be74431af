// y = x factor where the element's random word (philox.h) is at least `threshold`, else 0. The
// same launch on dy gives dx: the mask is made again, never kept.
//
// dropout: pointers: y, x; numbers: elements, key, stream, threshold; scalars: factor.
//     Units: CK_RANDOM_BLOCK elements.

static void NAME(dropout)(const ck_args *a, int64_t begin, int64_t end) {
    philox_key key = {(uint64_t)a->numbers[1], (uint64_t)a->numbers[2]};
    uint32_t threshold = (uint32_t)a->numbers[3];
    float factor = a->scalars[0];
    for (int64_t block = begin; block < end; block++) {
        int64_t start = block * CK_RANDOM_BLOCK, left = a->numbers[0] - start;
        uint32_t words[CK_RANDOM_BLOCK];
        f32 factors[CK_RANDOM_BLOCK];
        philox_words(key, (uint64_t)start / 4, words);
        for (int i = 0; i < CK_RANDOM_BLOCK; i++) {
            factors[i] = words[i] >= threshold ? factor : 0;
        }
        T *y = (T *)a->pointers[0] + start;
        const T *x = (const T *)a->pointers[1] + start;
        for (int64_t i = 0; i < CK_RANDOM_BLOCK && i < left; i += LANES) {
            vec kept = vec_mul(NAME(load_at)(x, i, left - i), vec_load_f32(factors + i));
            NAME(store_at)(y, i, kept, left - i);
        }
    }
}
