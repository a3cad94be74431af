// Random numbers: element i is made of word i % 4 of block i / 4 (philox.h).
//
// uniform, normal: pointers: y (float32); numbers: elements, key, stream.
//     Units: CK_RANDOM_BLOCK elements.

_Static_assert(CK_RANDOM_BLOCK == PHILOX_WORDS, "a unit is what one call makes");

static void random_uniform(const ck_args *a, int64_t begin, int64_t end) {
    f32 *y = a->pointers[0];
    philox_key key = {(uint64_t)a->numbers[1], (uint64_t)a->numbers[2]};
    for (int64_t block = begin; block < end; block++) {
        int64_t start = block * CK_RANDOM_BLOCK, left = a->numbers[0] - start;
        uint32_t words[CK_RANDOM_BLOCK];
        philox_words(key, (uint64_t)start / 4, words);
        for (int64_t i = 0; i < CK_RANDOM_BLOCK && i < left; i++) {
            y[start + i] = philox_uniform(words[i]);
        }
    }
}

static void random_normal(const ck_args *a, int64_t begin, int64_t end) {
    f32 *y = a->pointers[0];
    philox_key key = {(uint64_t)a->numbers[1], (uint64_t)a->numbers[2]};
    for (int64_t block = begin; block < end; block++) {
        int64_t start = block * CK_RANDOM_BLOCK, left = a->numbers[0] - start;
        uint32_t words[CK_RANDOM_BLOCK];
        f32 normals[CK_RANDOM_BLOCK];
        philox_words(key, (uint64_t)start / 4, words);
        for (int i = 0; i < CK_RANDOM_BLOCK; i += 2) philox_normals(words + i, normals + i);
        memcpy(y + start, normals,
               (size_t)(left < CK_RANDOM_BLOCK ? left : CK_RANDOM_BLOCK) * sizeof(f32));
    }
}
