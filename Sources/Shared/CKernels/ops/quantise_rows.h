// Rows of x as 8-bit whole numbers, packed as A of a product of TILE_I8 (tile.h).
//
//     x = (u - 128) scale,  scale = max |x| / 127 of the row,  u in 1...255
//
// pointers: packed, scales [rows] (float32), x [rows][depth];
// numbers: rows, depth, rows of a block. Units: rows.

// A row's u, and zeros up to whole units.
static float NAME(quantise_row)(const T *x, int64_t depth, uint8_t *bytes) {
    vec largest = vec_set(0);
    for (int64_t k = 0; k < depth; k += LANES) {
        largest = vec_max(largest, vec_abs(NAME(load_at)(x, k, depth - k)));
    }
    float absmax = vec_largest(largest);
    vec inverse = vec_set(absmax > 0 ? 127 / absmax : 0);
    for (int64_t k = 0; k < depth; k += LANES) {
        f32 lanes[LANES];
        vec_store_f32(lanes, vec_round(vec_mul(NAME(load_at)(x, k, depth - k), inverse)));
        int64_t count = depth - k < LANES ? depth - k : LANES;
        for (int64_t i = 0; i < count; i++) bytes[k + i] = (uint8_t)((int32_t)lanes[i] + 128);
    }
    for (int64_t k = depth; k < (depth + 3) / 4 * 4; k++) bytes[k] = 0;
    return absmax / 127;
}

static void NAME(quantise_rows)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t rows = a->numbers[0], depth = a->numbers[1], block_rows = a->numbers[2];
    int64_t units = tile_units(TILE_I8, depth);
    uint8_t *bytes = ck_scratch((size_t)depth + 4);
    for (int64_t row = begin; row < end; row++) {
        const T *x = (const T *)a->pointers[2] + row * depth;
        ((f32 *)a->pointers[1])[row] = NAME(quantise_row)(x, depth, bytes);
        int64_t first = row / block_rows * block_rows, inside = row - first;
        int64_t some = rows - first < block_rows ? rows - first : block_rows;
        int64_t strip = tile_strip_rows(some), start = inside / strip * strip;
        int64_t lines = some - start < strip ? some - start : strip;
        uint32_t *to = (uint32_t *)a->pointers[0] + first * units;
        for (int64_t u = 0; u < units; u++) {
            int64_t block = u / TILE_DEPTH * TILE_DEPTH;
            int64_t deep = units - block < TILE_DEPTH ? units - block : TILE_DEPTH;
            uint32_t word = bytes[u];
            if (tile_unit(TILE_I8) == 4) memcpy(&word, bytes + 4 * u, sizeof word);
            to[block * some + start * deep + (u - block) * lines + inside - start] = word;
        }
    }
}
