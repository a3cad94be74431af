// One block of rows and columns of a product, for matmul.h.

typedef struct matmul {
    weight b;
    bool across;  // the depth of the product runs along the rows of the weight
    int64_t rows, columns, depth;
    int64_t block_rows, block_columns;
    const f32 *a;
} matmul;

// The panels' blocks of depth one after another: each is made a tile, unless it is one, and stays
// in the first-level cache while the rows' strips pass by; their block of A stays in the second.
static void matmul_block(const matmul *m, int64_t row, int64_t column, f32 *c, int64_t c_stride,
                         f32 *tiles) {
    tile_type type = m->b.type;
    int64_t unit = tile_unit(type), units = tile_units(type, m->depth);
    bool is_tiles = weight_is_tiles(&m->b) && (!m->across || m->b.format == CK_WEIGHT_TILES);
    tile t = {.type = type, .units = units, .c_stride = c_stride};
    t.rows = m->rows - row < m->block_rows ? m->rows - row : m->block_rows;
    t.strip_rows = tile_strip_rows(t.rows);
    t.a = m->a + row * units;
    int64_t columns = m->columns - column;
    if (columns > m->block_columns) columns = m->block_columns;
    t.c = c;
    if (is_tiles) {
        t.b_stride = units * TILE_COLUMNS;
        t.b = (const f32 *)m->b.values + column * units;
        t.columns = columns;
        tile_multiply(&t);
        return;
    }
    int64_t group = TILE_COLUMNS * (t.strip_rows <= TILE_ROWS_WIDE ? 2 : 1);
    t.b = tiles;
    t.b_stride = TILE_DEPTH * TILE_COLUMNS;
    for (int64_t u = 0; u < units; u += TILE_DEPTH) {
        int64_t k = u * unit, depth = TILE_DEPTH * unit;
        if (depth > m->depth - k) depth = m->depth - k;
        for (int64_t i = 0; i < columns; i += group) {
            t.columns = columns - i < group ? columns - i : group;
            for (int64_t j = 0; j < t.columns; j += TILE_COLUMNS) {
                f32 *to = tiles + j / TILE_COLUMNS * t.b_stride;
                if (m->across) weight_fill_across(&m->b, column + i + j, k, depth, to);
                else weight_fill(&m->b, (column + i + j) / TILE_COLUMNS, k, depth, to);
            }
            t.c = c + i;
            tile_multiply_block(&t, u);
        }
    }
}
