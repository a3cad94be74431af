// One block of rows and columns of a product, for matmul.h.

typedef struct matmul {
    weight b;
    bool across;  // the depth of the product runs along the rows of the weight
    int64_t rows, columns, depth;
    int64_t block_rows, block_columns;
    const f32 *a;
    // A second product of float32 that is added: its depth, 0 for none, and its packed operands.
    int64_t low_depth;
    const f32 *low_a, *low_b;
} matmul;

// Adds the second product to a block.
static inline void matmul_low(const matmul *m, int64_t row, int64_t column, f32 *c,
                              int64_t c_stride) {
    tile t = {.type = TILE_F32, .units = m->low_depth, .c = c, .c_stride = c_stride, .add = true};
    t.rows = m->rows - row < m->block_rows ? m->rows - row : m->block_rows;
    t.columns = m->columns - column < m->block_columns ? m->columns - column : m->block_columns;
    t.strip_rows = tile_strip_rows(t.rows);
    t.a = m->low_a + row * m->low_depth;
    t.b = m->low_b + column * m->low_depth;
    t.b_stride = m->low_depth * TILE_COLUMNS;
    tile_multiply(&t);
}

// Makes tiles of some columns over one block of depth and multiplies them.
static void matmul_fill(const matmul *m, tile *t, int64_t column, int64_t u, f32 *tiles) {
    int64_t unit = tile_unit(m->b.type), k = u * unit, depth = TILE_DEPTH * unit;
    if (depth > m->depth - k) depth = m->depth - k;
    t->b = tiles;
    t->b_stride = TILE_DEPTH * TILE_COLUMNS;
    for (int64_t i = 0; i < t->columns; i += TILE_COLUMNS) {
        f32 *to = tiles + i / TILE_COLUMNS * t->b_stride;
        if (m->across) weight_fill_across(&m->b, column + i, k, depth, to);
        else weight_fill(&m->b, (column + i) / TILE_COLUMNS, k, depth, to);
    }
    tile_multiply_block(t, u);
}

// Few rows read each panel from its first block to its last, as memory likes it; more rows take
// each block of depth past all panels, so that their block of A stays in the second-level cache.
static void matmul_filled(const matmul *m, const tile *t, int64_t column, f32 *tiles) {
    bool streams = t->rows <= t->strip_rows;
    int64_t group = TILE_COLUMNS * (t->rows <= TILE_ROWS_WIDE ? 2 : 1);
    int64_t groups = (t->columns + group - 1) / group;
    int64_t blocks = (t->units + TILE_DEPTH - 1) / TILE_DEPTH;
    for (int64_t i = 0; i < groups * blocks; i++) {
        int64_t first = (streams ? i / blocks : i % groups) * group;
        int64_t u = (streams ? i % blocks : i / groups) * TILE_DEPTH;
        tile part = *t;
        part.columns = t->columns - first < group ? t->columns - first : group;
        part.c = t->c + first;
        matmul_fill(m, &part, column + first, u, tiles);
    }
}

// The panels' blocks of depth one after another: each is made a tile, unless it is one, and stays
// in the first-level cache while the rows' strips pass by; their block of A stays in the second.
static void matmul_block(const matmul *m, int64_t row, int64_t column, f32 *c, int64_t c_stride,
                         f32 *tiles) {
    tile_type type = m->b.type;
    int64_t units = tile_units(type, m->depth);
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
    t.columns = m->across ? 0 : weight_rows_columns(&m->b, t.rows, columns);
    weight_rows(&m->b, &t, column);
    t.c += t.columns;
    column += t.columns;
    t.columns = columns - t.columns;
    matmul_filled(m, &t, column, tiles);
}
