// Products of packed tiles, the inner loop of every matrix product.
//
// C [rows, columns] (+)= A [rows, depth] B [depth, columns]. Depth is counted in units of 4 bytes:
// one float32; two bfloat16 where the tier multiplies pairs, else one float32 that holds a
// bfloat16; four int8 where the tier multiplies quadruples, else one int32. A is packed in blocks
// of TILE_DEPTH units (the last block has what is left), each of strips of tile_strip_rows(rows)
// rows, `[block][strip][unit][row]` (the last strip has as many rows as are left): a block is in
// one piece, so that it does not compete with itself for places in the cache. B is packed in panels
// of TILE_COLUMNS columns, `[panel][unit][column]` (the last one is filled up with zeros).
//
// One order of additions for each element of C, whatever the number of rows and the threads: the
// depth is cut into blocks of TILE_DEPTH units; in a block one chain of multiply-adds from 0; then
// the blocks one after another. So a caller that cuts the depth itself cuts it at whole blocks.
//
// tile_pack.h packs operands; tile_multiply is the product.

#define TILE_COLUMNS 32
#define TILE_DEPTH 256

// Rows and vectors whose sums, with the operands, fill the registers.
#if LANES == 16
#define TILE_ROWS 14
#define TILE_VECTORS 2
#elif LANES == 8
#define TILE_ROWS 6
#define TILE_VECTORS 2
#elif LANES == 4
#define TILE_ROWS 6
#define TILE_VECTORS 4
#else
#define TILE_ROWS 4
#define TILE_VECTORS 4
#endif
// Few rows leave registers free: then twice as many columns hide the latency of the sums.
#define TILE_ROWS_WIDE (TILE_ROWS / 2 - 1)
#define TILE_VECTORS_WIDE (2 * TILE_VECTORS)

// As in ck_product.
typedef enum tile_type { TILE_F32, TILE_BF16, TILE_I8 } tile_type;

// Elements of depth in a unit of this tier.
static inline int64_t tile_unit(tile_type type) {
#if defined(HAS_BF16_DOT)
    if (type == TILE_BF16) return 2;
#endif
#if defined(HAS_INT8_DOT)
    if (type == TILE_I8) return 4;
#endif
    (void)type;
    return 1;
}

static inline int64_t tile_units(tile_type type, int64_t depth) {
    int64_t unit = tile_unit(type);
    return (depth + unit - 1) / unit;
}

// Rows of a strip where there are `rows` in all: about equal ones, since two rows alone are slow.
static inline int64_t tile_strip_rows(int64_t rows) {
    int64_t strips = (rows + TILE_ROWS - 1) / TILE_ROWS;
    return strips > 0 ? (rows + strips - 1) / strips : 1;
}

#define TILE_INLINE static inline __attribute__((always_inline))

// sum + a b, lane by lane; the lanes' bits are units.
TILE_INLINE vec tile_step(tile_type type, vec a, vec b, vec sum) {
#if defined(HAS_BF16_DOT)
    if (type == TILE_BF16) return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
#endif
    if (type != TILE_I8) return vec_fma(a, b, sum);
#if defined(HAS_INT8_DOT)
    return (vec)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)a, (__m512i)b);
#else
    typedef int32_t lanes __attribute__((vector_size(sizeof(vec))));
    lanes x, y, z;
    memcpy(&x, &a, sizeof x), memcpy(&y, &b, sizeof y), memcpy(&z, &sum, sizeof z);
    z += x * y;
    memcpy(&sum, &z, sizeof sum);
    return sum;
#endif
}

TILE_INLINE vec tile_add(tile_type type, vec a, vec b) {
    if (type != TILE_I8) return vec_add(a, b);
    typedef int32_t lanes __attribute__((vector_size(sizeof(vec))));
    lanes x, y;
    memcpy(&x, &a, sizeof x), memcpy(&y, &b, sizeof y);
    x += y;
    memcpy(&a, &x, sizeof a);
    return a;
}

// A product. The strides are in units: from panel to panel of B (its whole depth, of which `units`
// may be a part), and from row to row of C, which is float32, or int32 for TILE_I8.
typedef struct tile {
    tile_type type;
    int64_t rows, columns, units;
    int64_t strip_rows;
    const f32 *a;
    // From unit to unit of A where its rows lie one after another, unpacked, in one block of depth;
    // 0 where A is packed.
    int64_t a_step;
    const f32 *b;
    int64_t b_stride;
    // Where B lies in pieces of as many units: how far each is from `b`. NULL where it is in one.
    const int64_t *pieces;
    int64_t piece_units;
    f32 *c;
    int64_t c_stride;
    bool add;  // to what C holds; else C is written
    // Where the next panels are, and by how many bytes to look further at each unit of this strip.
    const char *next;
    int64_t next_step;
    // For one group of columns: what is needed after it, from panel to panel and, a step a unit,
    // along them. NULL to look TILE_AHEAD further in B.
    const char *fetch;
    int64_t fetch_panel, fetch_step;
} tile;

// How a strip meets B: with other strips, and then the next panel is fetched while they pass by; or
// alone, and then B streams through, fetched a little ahead, and more columns may be taken at once.
typedef enum tile_way { TILE_SHARED, TILE_STREAMED, TILE_STREAMED_WIDE } tile_way;
#define TILE_AHEAD 96

// One strip by a group of columns over one block of depth. `type`, `way` and `rows` are constants
// where this is inlined, so the sums stay in registers.
TILE_INLINE void tile_block(tile_type type, tile_way way, int rows, const tile *t) {
    const int vectors = way == TILE_STREAMED_WIDE ? TILE_VECTORS_WIDE : TILE_VECTORS;
    const f32 *a = t->a, *b = t->b;
    const char *next = t->next;
    const char *fetch = t->fetch ? t->fetch : (const char *)(b + TILE_AHEAD * TILE_COLUMNS);
    int64_t fetch_panel = t->fetch ? t->fetch_panel : t->b_stride * (int64_t)sizeof(f32);
    int64_t fetch_step = t->fetch ? t->fetch_step : TILE_COLUMNS * (int64_t)sizeof(f32);
    vec sum[TILE_ROWS][TILE_VECTORS_WIDE];
#pragma clang loop unroll(full)
    for (int i = 0; i < rows * vectors; i++) sum[i / vectors][i % vectors] = vec_set(0);
    int64_t length = t->pieces ? t->piece_units : t->units;
    for (int64_t unit = 0, end; unit < t->units; unit = end) {
        if (t->pieces) b = t->b + t->pieces[unit / length];
        end = unit + length < t->units ? unit + length : t->units;
        for (int64_t i = unit; i < end; i++) {
            vec column[TILE_VECTORS_WIDE];
#pragma clang loop unroll(full)
            for (int v = 0; v < vectors; v++) {
                int64_t panel = v * LANES / TILE_COLUMNS, inside = v * LANES % TILE_COLUMNS;
                column[v] = vec_load_f32(b + panel * t->b_stride + inside);
                const char *line = fetch + panel * fetch_panel;
                bool starts = inside * sizeof(f32) % 64 == 0;
                if (way != TILE_SHARED && starts) {
                    __builtin_prefetch(inside ? line + fetch_step / 2 : line);
                }
            }
            if (way == TILE_SHARED) __builtin_prefetch(next, 0, 2);
#pragma clang loop unroll(full)
            for (int row = 0; row < rows; row++) {
                vec element = vec_set(a[row]);
#pragma clang loop unroll(full)
                for (int v = 0; v < vectors; v++) {
                    sum[row][v] = tile_step(type, element, column[v], sum[row][v]);
                }
            }
            a += t->a_step;
            b += TILE_COLUMNS;
            next += t->next_step;
            fetch += fetch_step;
        }
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < rows * vectors; i++) {
        f32 *to = t->c + i / vectors * t->c_stride + i % vectors * LANES;
        vec total = sum[i / vectors][i % vectors];
        vec_store_f32(to, t->add ? tile_add(type, vec_load_f32(to), total) : total);
    }
}

// One strip. Rows that the tier's strips do not have are left out at compile time.
TILE_INLINE void tile_strip(tile_type type, tile_way way, int rows_max, const tile *t) {
    switch (t->rows) {
    case 1:
        if (1 <= rows_max) tile_block(type, way, 1, t);
        break;
    case 2:
        if (2 <= rows_max) tile_block(type, way, 2, t);
        break;
    case 3:
        if (3 <= rows_max) tile_block(type, way, 3, t);
        break;
    case 4:
        if (4 <= rows_max) tile_block(type, way, 4, t);
        break;
    case 5:
        if (5 <= rows_max) tile_block(type, way, 5, t);
        break;
    case 6:
        if (6 <= rows_max) tile_block(type, way, 6, t);
        break;
    case 7:
        if (7 <= rows_max) tile_block(type, way, 7, t);
        break;
    case 8:
        if (8 <= rows_max) tile_block(type, way, 8, t);
        break;
    case 9:
        if (9 <= rows_max) tile_block(type, way, 9, t);
        break;
    case 10:
        if (10 <= rows_max) tile_block(type, way, 10, t);
        break;
    case 11:
        if (11 <= rows_max) tile_block(type, way, 11, t);
        break;
    case 12:
        if (12 <= rows_max) tile_block(type, way, 12, t);
        break;
    case 13:
        if (13 <= rows_max) tile_block(type, way, 13, t);
        break;
    case 14:
        if (14 <= rows_max) tile_block(type, way, 14, t);
        break;
    }
}

typedef void (*tile_function)(const tile *);

#define TILE_STRIP(type, name)                                                                   \
    static void tile_shared_##name(const tile *t) {                                              \
        tile_strip(type, TILE_SHARED, TILE_ROWS, t);                                             \
    }                                                                                            \
    static void tile_streamed_##name(const tile *t) {                                            \
        tile_strip(type, TILE_STREAMED, TILE_ROWS, t);                                           \
    }                                                                                            \
    static void tile_wide_##name(const tile *t) {                                                \
        tile_strip(type, TILE_STREAMED_WIDE, TILE_ROWS_WIDE, t);                                 \
    }
TILE_STRIP(TILE_F32, f32)
TILE_STRIP(TILE_BF16, bf16)
TILE_STRIP(TILE_I8, i8)
#undef TILE_STRIP

// One strip by fewer columns than the vectors have: by way of a whole tile on the stack.
static inline void tile_strip_narrow(tile_function function, const tile *t) {
    _Alignas(64) f32 whole[TILE_ROWS * TILE_VECTORS_WIDE * LANES];
    tile part = *t;
    part.c = whole;
    part.c_stride = TILE_VECTORS_WIDE * LANES;
    part.add = false;
    function(&part);
    for (int64_t row = 0; row < t->rows; row++) {
        const f32 *from = whole + row * part.c_stride;
        f32 *to = t->c + row * t->c_stride;
        for (int64_t i = 0; i < t->columns; i += LANES) {
            int64_t count = t->columns - i < LANES ? t->columns - i : LANES;
            vec total = vec_load_f32(from + i);
            if (t->add) total = tile_add(t->type, vec_load_some_f32(to + i, count), total);
            vec_store_some_f32(to + i, total, count);
        }
    }
}

static inline tile_function tile_function_of(tile_type type, tile_way way) {
    static const tile_function functions[3][3] = {
        [TILE_F32] = {tile_shared_f32, tile_streamed_f32, tile_wide_f32},
        [TILE_BF16] = {tile_shared_bf16, tile_streamed_bf16, tile_wide_bf16},
        [TILE_I8] = {tile_shared_i8, tile_streamed_i8, tile_wide_i8},
    };
    return functions[type][way];
}

// Columns that are taken at once, of those that are left.
static inline int64_t tile_group(const tile *t, int64_t columns, tile_way *way) {
    *way = t->rows > t->strip_rows ? TILE_SHARED : TILE_STREAMED;
    if (t->rows > TILE_ROWS_WIDE || columns <= TILE_VECTORS * LANES) return TILE_VECTORS * LANES;
    *way = TILE_STREAMED_WIDE;
    return TILE_VECTORS_WIDE * LANES;
}

// One group of columns, which begins at B, over the block of depth that begins at `unit`.
static inline void tile_multiply_group(const tile *t, tile_way way, int64_t group, int64_t unit) {
    tile_function function = tile_function_of(t->type, way);
    tile part = *t;
    part.units = t->units - unit < TILE_DEPTH ? t->units - unit : TILE_DEPTH;
    part.add = t->add || unit > 0;
    for (int64_t row = 0; row < t->rows; row += t->strip_rows) {
        part.rows = t->rows - row < t->strip_rows ? t->rows - row : t->strip_rows;
        part.a = t->a + (t->a_step ? row : unit * t->rows + row * part.units);
        part.a_step = t->a_step ? t->a_step : part.rows;
        part.c = t->c + row * t->c_stride;
        if (t->columns >= group) function(&part);
        else tile_strip_narrow(function, &part);
        part.next += part.next_step * part.units;
    }
}

// The block of depth that begins at `unit`, where B begins too: a group of columns stays in the
// first-level cache while the strips pass by.
static inline void tile_multiply_block(const tile *t, int64_t unit) {
    tile part = *t;
    tile_way way;
    int64_t line = TILE_COLUMNS * (int64_t)sizeof(f32), rows = t->rows > 0 ? t->rows : 1;
    part.next_step = (line * t->strip_rows + rows - 1) / rows;
    for (int64_t column = 0, group; column < t->columns; column += group) {
        part.columns = t->columns - column;
        group = tile_group(t, part.columns, &way);
        part.b = t->b + column / TILE_COLUMNS * t->b_stride + column % TILE_COLUMNS;
        part.c = t->c + column;
        bool last = part.columns <= group;
        part.next = (const char *)(last ? t->b + TILE_DEPTH * TILE_COLUMNS
                                        : t->b + (column + group) / TILE_COLUMNS * t->b_stride);
        tile_multiply_group(&part, way, group, unit);
    }
}

// One strip: a panel streams through from its first unit to its last.
static inline void tile_multiply_strip(const tile *t) {
    tile part = *t;
    tile_way way;
    for (int64_t column = 0, group; column < t->columns; column += group) {
        part.columns = t->columns - column;
        group = tile_group(t, part.columns, &way);
        part.b = t->b + column / TILE_COLUMNS * t->b_stride + column % TILE_COLUMNS;
        part.c = t->c + column;
        for (int64_t unit = 0; unit < t->units; unit += TILE_DEPTH) {
            tile_multiply_group(&part, way, group, unit);
            part.b += TILE_DEPTH * TILE_COLUMNS;
        }
    }
}

// C (+)= A B. Without depth C is zero.
static inline void tile_multiply(const tile *t) {
    tile part = *t;
    for (int64_t row = 0; t->units == 0 && !t->add && row < t->rows; row++) {
        memset(t->c + row * t->c_stride, 0, (size_t)t->columns * sizeof(f32));
    }
    if (t->rows <= t->strip_rows) {
        tile_multiply_strip(t);
        return;
    }
    for (int64_t unit = 0; unit < t->units; unit += TILE_DEPTH) {
        tile_multiply_block(&part, unit);
        part.b += TILE_DEPTH * TILE_COLUMNS;
    }
}
