// Packs frozen weights into the panels of weight.h, once, and takes them apart again.
// Units: panels.
//
// weight_pack_i8: pointers: packed, sums of each row [rows] (int32), W int8 [rows][depth];
//     numbers: rows, depth.
// weight_pack_lut4: pointers: packed words, packed scales, packed zeros or NULL, codes of W row by
//     row without gaps, two a byte, the first in the high half; scales, zeros (float32, or NULL);
//     numbers: rows, depth, group, block. A scale is for `group` elements of a row, or, where block
//     is not 0, for `block` elements of all rows in one sequence; the group then divides both.
// weight_unpack: pointers: W float32 [rows][depth], values, scales, zeros, table, scale of each row
//     of W; the last four may be NULL. numbers: format, rows, depth, group.

static void weight_pack_i8(const ck_args *a, int64_t begin, int64_t end) {
    int64_t rows = a->numbers[0], depth = a->numbers[1], words = (depth + 3) / 4;
    const int8_t *from = a->pointers[2];
    for (int64_t panel = begin; panel < end; panel++) {
        int8_t *to = (int8_t *)a->pointers[0] + panel * words * TILE_COLUMNS * 4;
        memset(to, 0, (size_t)(words * TILE_COLUMNS * 4));
        for (int64_t column = 0; column < TILE_COLUMNS; column++) {
            int64_t row = panel * TILE_COLUMNS + column;
            int32_t sum = 0;
            for (int64_t k = 0; row < rows && k < depth; k++) {
                to[(k / 4 * TILE_COLUMNS + column) * 4 + k % 4] = from[row * depth + k];
                sum += from[row * depth + k];
            }
            if (row < rows) ((int32_t *)a->pointers[1])[row] = sum;
        }
    }
}

static void weight_pack_codes(uint32_t *words, const uint8_t *codes, int64_t first, int64_t column,
                              int64_t depth) {
    for (int64_t k = 0; k < depth; k++) {
        int64_t i = first + k;
        uint32_t code = i % 2 == 0 ? codes[i / 2] >> 4 : codes[i / 2] & 15;
        words[k / 16 * 64 + column * 2 + k % 2] |= code << (k % 16 / 2 * 4);
    }
}

static void weight_pack_lut4(const ck_args *a, int64_t begin, int64_t end) {
    int64_t rows = a->numbers[0], depth = a->numbers[1], group = a->numbers[2];
    int64_t block = a->numbers[3], groups = (depth + group - 1) / group;
    const f32 *scales = a->pointers[4], *zeros = a->pointers[5];
    int64_t words = (depth + 15) / 16 * 64;
    for (int64_t panel = begin; panel < end; panel++) {
        uint32_t *to = (uint32_t *)a->pointers[0] + panel * words;
        f32 *scales_to = (f32 *)a->pointers[1] + panel * groups * TILE_COLUMNS;
        f32 *zeros_to = a->pointers[2];
        memset(to, 0, (size_t)words * 4);
        for (int64_t column = 0; column < TILE_COLUMNS; column++) {
            int64_t row = panel * TILE_COLUMNS + column;
            if (row < rows) weight_pack_codes(to, a->pointers[3], row * depth, column, depth);
            for (int64_t g = 0; g < groups; g++) {
                int64_t from = block ? (row * depth + g * group) / block : row * groups + g;
                scales_to[g * TILE_COLUMNS + column] = row < rows ? scales[from] : 0;
                if (!zeros) continue;
                int64_t place = (panel * groups + g) * TILE_COLUMNS + column;
                zeros_to[place] = row < rows ? zeros[from] : 0;
            }
        }
    }
}

static void weight_unpack(const ck_args *a, int64_t begin, int64_t end) {
    const int64_t *n = a->numbers;
    weight w = {.type = TILE_F32,
                .format = n[0],
                .rows = n[1],
                .depth = n[2],
                .group = n[3],
                .values = a->pointers[1],
                .scales = a->pointers[2],
                .zeros = a->pointers[3],
                .table = a->pointers[4]};
    const f32 *row_scales = a->pointers[5];
    _Alignas(64) f32 tile[TILE_COLUMNS * TILE_COLUMNS];
    for (int64_t panel = begin; panel < end; panel++) {
        int64_t row = panel * TILE_COLUMNS;
        int64_t rows = w.rows - row < TILE_COLUMNS ? w.rows - row : TILE_COLUMNS;
        for (int64_t k = 0; k < w.depth; k += TILE_COLUMNS) {
            int64_t some = w.depth - k < TILE_COLUMNS ? w.depth - k : TILE_COLUMNS;
            weight_fill(&w, panel, k, some, tile);
            for (int64_t i = 0; i < some * rows; i++) {
                float value = tile[i % some * TILE_COLUMNS + i / some];
                if (row_scales) value *= row_scales[row + i / some];
                ((f32 *)a->pointers[0])[(row + i / some) * w.depth + k + i % some] = value;
            }
        }
    }
}
