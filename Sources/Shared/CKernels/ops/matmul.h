// out (+)= A B scale + bias + A' B', rounded to element type T of out; all sums in float32.
//
// pointers: 0 out [rows][columns], 1 A (pack_rows), 2 B's values (weight.h), 3 its scales, 4 zeros
//     and 5 table, 6 scale of columns [columns], 7 bias [columns], 8 A' (pack_rows, float32),
//     9 B' (pack_columns, float32), 10 scale of rows [rows] and 11 sums of B's columns [columns]
//     (int32), for TILE_I8 only; all but the first three may be NULL; scales, bias: float32.
// numbers: as matmul_of reads them, then 1 to add to what out holds.
// Units: blocks of rows by columns, the rows' blocks of a column block one after another.

static matmul NAME(matmul_of)(const ck_args *a) {
    const int64_t *n = a->numbers;
    return (matmul){
        .rows = n[0],
        .columns = n[1],
        .depth = n[2],
        .block_rows = n[5],
        .block_columns = n[6],
        .across = n[7] != 0,
        .a = a->pointers[1],
        .b = {.type = (tile_type)n[3],
              .format = n[4],
              .rows = n[8],
              .depth = n[9],
              .group = n[10],
              .values = a->pointers[2],
              .scales = a->pointers[3],
              .zeros = a->pointers[4],
              .table = a->pointers[5]},
        .low_a = a->pointers[8],
        .low_b = a->pointers[9],
        .low_depth = n[11],
    };
}

// The sums of (u - 128) w from those of u w (quantise_rows.h), times the row's scale, in place.
static void NAME(matmul_whole)(const ck_args *a, f32 *sums, int64_t row, int64_t column,
                               int64_t columns) {
    const f32 *row_scales = a->pointers[10];
    const int32_t *column_sums = a->pointers[11];
    if (!row_scales) return;
    for (int64_t i = 0; i < columns; i++) {
        int32_t sum;
        memcpy(&sum, sums + i, sizeof sum);
        sums[i] = (float)(sum - 128 * column_sums[column + i]) * row_scales[row];
    }
}

// v = sum scale + bias, in place; the low product comes after it, since its columns are not scaled.
static void NAME(matmul_scale)(const ck_args *a, f32 *sums, int64_t column, int64_t columns) {
    const f32 *scale = a->pointers[6], *bias = a->pointers[7];
    for (int64_t i = 0; i < columns && (scale || bias); i += LANES) {
        vec v = load_at_f32(sums, i, columns - i);
        if (scale) v = vec_mul(v, load_at_f32(scale, column + i, columns - i));
        if (bias) v = vec_add(v, load_at_f32(bias, column + i, columns - i));
        store_at_f32(sums, i, v, columns - i);
    }
}

static void NAME(matmul_store)(bool add, T *out, const f32 *sums, int64_t columns) {
    for (int64_t i = 0; i < columns; i += LANES) {
        vec v = load_at_f32(sums, i, columns - i);
        if (add) v = vec_add(NAME(load_at)(out, i, columns - i), v);
        NAME(store_at)(out, i, v, columns - i);
    }
}

// A block whose sums are made in scratch memory.
static void NAME(matmul_by_sums)(const ck_args *a, const matmul *m, int64_t row, int64_t column,
                                 f32 *tiles, f32 *sums, int64_t width) {
    int64_t rows = m->rows - row < m->block_rows ? m->rows - row : m->block_rows;
    int64_t columns = m->columns - column;
    if (columns > m->block_columns) columns = m->block_columns;
    matmul_block(m, row, column, sums, width, tiles);
    for (int64_t r = 0; r < rows; r++) {
        NAME(matmul_whole)(a, sums + r * width, row + r, column, columns);
        NAME(matmul_scale)(a, sums + r * width, column, columns);
    }
    if (m->low_depth > 0) matmul_low(m, row, column, sums, width);
    T *out = (T *)a->pointers[0] + row * m->columns + column;
    for (int64_t r = 0; r < rows; r++) {
        NAME(matmul_store)(a->numbers[12] != 0, out + r * m->columns, sums + r * width, columns);
    }
}

static void NAME(matmul)(const ck_args *a, int64_t begin, int64_t end) {
    matmul m = NAME(matmul_of)(a);
    int64_t row_blocks = (m.rows + m.block_rows - 1) / m.block_rows;
    int64_t width = (m.block_columns + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS;
    f32 *tiles = ck_scratch((size_t)(m.block_rows * width + 2 * TILE_DEPTH * TILE_COLUMNS) * 4);
    f32 *sums = tiles + 2 * TILE_DEPTH * TILE_COLUMNS;
    bool is_f32 = _Generic((T){0}, f32: true, default: false);
    bool direct = is_f32 && !a->pointers[6] && !a->pointers[7] && !a->pointers[10]
                  && m.low_depth == 0 && a->numbers[12] == 0;
    for (int64_t i = begin; i < end; i++) {
        int64_t row = i % row_blocks * m.block_rows, column = i / row_blocks * m.block_columns;
        if (direct) {
            f32 *out = (f32 *)a->pointers[0] + row * m.columns + column;
            matmul_block(&m, row, column, out, m.columns, tiles);
        } else {
            NAME(matmul_by_sums)(a, &m, row, column, tiles, sums, width);
        }
    }
}
