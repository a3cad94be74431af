// out (+)= A B with a float32 epilogue, rounded to element type T of out.
//
// pointers: out [rows][columns], A (pack_rows), B's values (weight.h), scales, zeros, table,
//     bias [columns] float32, scale of columns [columns] float32; the last five may be NULL.
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
    };
}

// v = sum scale + bias (+ out), a row of a block.
static void NAME(matmul_finish)(const ck_args *a, T *out, const f32 *sums, int64_t column,
                                int64_t columns) {
    const f32 *bias = a->pointers[6], *scale = a->pointers[7];
    bool add = a->numbers[11] != 0;
    for (int64_t i = 0; i < columns; i += LANES) {
        int64_t left = columns - i;
        vec v = vec_load_f32(sums + i);
        if (scale) v = vec_mul(v, load_at_f32(scale, column + i, left));
        if (bias) v = vec_add(v, load_at_f32(bias, column + i, left));
        if (add) v = vec_add(NAME(load_at)(out, i, left), v);
        NAME(store_at)(out, i, v, left);
    }
}

static void NAME(matmul)(const ck_args *a, int64_t begin, int64_t end) {
    matmul m = NAME(matmul_of)(a);
    int64_t row_blocks = (m.rows + m.block_rows - 1) / m.block_rows;
    int64_t width = (m.block_columns + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS;
    f32 *tiles = ck_scratch((size_t)(m.block_rows * width + 2 * TILE_DEPTH * TILE_COLUMNS) * 4);
    f32 *sums = tiles + 2 * TILE_DEPTH * TILE_COLUMNS;
    bool direct = _Generic((T){0}, f32: true, default: false) && !a->pointers[6] && !a->pointers[7]
                  && a->numbers[11] == 0;
    for (int64_t i = begin; i < end; i++) {
        int64_t row = i % row_blocks * m.block_rows, column = i / row_blocks * m.block_columns;
        T *out = (T *)a->pointers[0] + row * m.columns + column;
        if (direct) {
            matmul_block(&m, row, column, (f32 *)out, m.columns, tiles);
            continue;
        }
        matmul_block(&m, row, column, sums, width, tiles);
        int64_t rows = m.rows - row < m.block_rows ? m.rows - row : m.block_rows;
        int64_t columns = m.columns - column;
        if (columns > m.block_columns) columns = m.block_columns;
        for (int64_t r = 0; r < rows; r++) {
            NAME(matmul_finish)(a, out + r * m.columns, sums + r * width, column, columns);
        }
    }
}
