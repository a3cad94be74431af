// Packs operands of products, for this tier (tile.h).
//
// pack_rows: A from x. pointers: packed, x; numbers: rows, depth, stride, 1 if x is [depth][rows]
//     (else [rows][depth]), type of tile, rows of a block, depth of a block (a multiple of the
//     tiles' own). Blocks of rows follow one another. Units: blocks of depth of blocks of rows.
// pack_columns: B from w. pointers: packed, w; numbers: columns, depth, stride, 1 if w is
//     [depth][columns] (else [columns][depth]), type of tile. Units: panels.

// One block of depth of one block of rows.
static void NAME(pack_block)(tile_type type, bool across, f32 *to, const T *x, int64_t stride,
                             int64_t rows, int64_t depth) {
    int64_t strip = tile_strip_rows(rows), units = tile_units(type, depth);
    for (int64_t row = 0; row < rows; row += strip) {
        int64_t lines = rows - row < strip ? rows - row : strip;
        f32 *strip_to = to + row * units;
        if (across) NAME(tile_pack_across)(type, strip_to, lines, x + row, stride, lines, depth);
        else NAME(tile_pack_lines)(type, strip_to, lines, x + row * stride, stride, lines, depth);
    }
}

static void NAME(pack_rows)(const ck_args *a, int64_t begin, int64_t end) {
    const int64_t *n = a->numbers;
    int64_t rows = n[0], depth = n[1], stride = n[2], block_rows = n[5];
    tile_type type = (tile_type)n[4];
    int64_t units = tile_units(type, depth), block = TILE_DEPTH * tile_unit(type);
    int64_t slices = (depth + n[6] - 1) / n[6];
    for (int64_t i = begin; i < end; i++) {
        int64_t row = i / slices * block_rows, first = i % slices * n[6];
        int64_t some = rows - row < block_rows ? rows - row : block_rows;
        int64_t last = first + n[6] < depth ? first + n[6] : depth;
        for (int64_t k = first; k < last; k += block) {
            f32 *to = (f32 *)a->pointers[0] + row * units + k / tile_unit(type) * some;
            const T *x = (const T *)a->pointers[1] + (n[3] ? k * stride + row : row * stride + k);
            NAME(pack_block)(type, n[3] != 0, to, x, stride, some,
                             last - k < block ? last - k : block);
        }
    }
}

static void NAME(pack_columns)(const ck_args *a, int64_t begin, int64_t end) {
    const int64_t *n = a->numbers;
    int64_t columns = n[0], depth = n[1], stride = n[2];
    bool across = n[3] != 0;
    tile_type type = (tile_type)n[4];
    for (int64_t panel = begin; panel < end; panel++) {
        int64_t column = panel * TILE_COLUMNS;
        int64_t lines = columns - column < TILE_COLUMNS ? columns - column : TILE_COLUMNS;
        f32 *to = (f32 *)a->pointers[0] + column * tile_units(type, depth);
        const T *w = a->pointers[1];
        if (across) {
            NAME(tile_pack_across)(type, to, TILE_COLUMNS, w + column, stride, lines, depth);
        } else {
            NAME(tile_pack_lines)(type, to, TILE_COLUMNS, w + column * stride, stride, lines,
                                  depth);
        }
    }
}

// weight_pack: a frozen W in its own type (weight.h). pointers: packed, W [rows][depth];
// numbers: rows, depth. Units: panels.
static void NAME(weight_pack)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t rows = a->numbers[0], depth = a->numbers[1], each = 4 / (int64_t)sizeof(T);
    int64_t words = (depth + each - 1) / each;
    for (int64_t panel = begin; panel < end; panel++) {
        T *to = (T *)a->pointers[0] + panel * words * TILE_COLUMNS * each;
        memset(to, 0, (size_t)(words * TILE_COLUMNS * 4));
        for (int64_t column = 0; column < TILE_COLUMNS; column++) {
            int64_t row = panel * TILE_COLUMNS + column;
            const T *from = (const T *)a->pointers[1] + row * depth;
            for (int64_t k = 0; row < rows && k < depth; k++) {
                to[(k / each * TILE_COLUMNS + column) * each + k % each] = from[k];
            }
        }
    }
}
