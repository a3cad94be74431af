// Few rows by a quantised weight, without a tile in between: the values go from registers to the
// sums. Same order of additions, and so the same bits, as by way of tiles.

#if defined(HAS_BF16_DOT)
#define ROWS_MAX 4
#define ROWS_PANELS 2

typedef enum rows_format { ROWS_I8, ROWS_LUT4, ROWS_LUT4_ZEROS } rows_format;

// A block of depth of the rows and of ROWS_PANELS panels.
typedef struct rows_product {
    const weight *w;
    int64_t panel, k, depth;
    const f32 *a;
    f32 *c;
    int64_t c_stride;
    bool add;
} rows_product;

// Words of a panel for 16 of depth.
static inline int64_t rows_words(const weight *w) {
    return w->format == CK_WEIGHT_I8 ? 4 * TILE_COLUMNS : 2 * TILE_COLUMNS;
}

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpsabi"

// Line j of 8 of a half of the panel, as pairs.
TILE_INLINE vec rows_pairs(rows_format format, const lut4_group *group, const uint32_t *words,
                           int half, int j) {
    if (format == ROWS_I8) {
        tile_line bytes = weight_load(words, j / 2 * 2 + half);
        __builtin_prefetch(words + (j / 2 * 2 + half) * TILE_SQUARE + WEIGHT_AHEAD / 4);
        return (vec)(weight_bytes(TILE_BF16, bytes, j % 2 * 2) >> 16
                     | weight_bytes(TILE_BF16, bytes, j % 2 * 2 + 1));
    }
    const uint32_t *line = words + half * TILE_COLUMNS;
    if (j == 0) __builtin_prefetch(line + WEIGHT_AHEAD / 4);
    if (j == 1) __builtin_prefetch(line + TILE_SQUARE + WEIGHT_AHEAD / 4);
    bool zeros = format == ROWS_LUT4_ZEROS;
    __m512i first = _mm512_loadu_si512(line), second = _mm512_loadu_si512(line + TILE_SQUARE);
    __m512 low = lut4_values(group, zeros, 2 * half, first, j);
    __m512 high = lut4_values(group, zeros, 2 * half + 1, second, j);
    return (vec)_mm512_cvtne2ps_pbh(high, low);
}
#pragma clang diagnostic pop

// 16 of depth of one panel, for each row and half of the panel.
TILE_INLINE void rows_step(rows_format format, int rows, const lut4_group *group,
                           const uint32_t *words, const f32 *a, vec sums[][2]) {
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i++) {
        int half = i / 8, j = i % 8;
        vec pairs = rows_pairs(format, group, words, half, j);
#pragma clang loop unroll(full)
        for (int row = 0; row < rows; row++) {
            vec element = vec_set(a[j * rows + row]);
            sums[row][half] = tile_step(TILE_BF16, element, pairs, sums[row][half]);
        }
    }
}

// The panels in turn, so that their sums do not wait for each other.
TILE_INLINE void rows_block(rows_format format, int rows, const rows_product *p) {
    const weight *w = p->w;
    int64_t each = rows_words(w), stride = (w->depth + 15) / 16 * each;
    int64_t group = format == ROWS_I8 ? w->depth : w->group;
    int64_t groups = (w->depth + group - 1) / group;
    const uint32_t *words = (const uint32_t *)w->values + p->panel * stride + p->k / 16 * each;
    vec sums[ROWS_PANELS][ROWS_MAX][2];
    lut4_group held[ROWS_PANELS];
    const f32 *a = p->a;
#pragma clang loop unroll(full)
    for (int i = 0; i < ROWS_PANELS * rows * 2; i++) {
        sums[i / (rows * 2)][i / 2 % rows][i % 2] = vec_set(0);
    }
    if (format != ROWS_I8) held[0].table = held[1].table = _mm512_loadu_ps(w->table);
    for (int64_t k = p->k; k < p->k + p->depth; k += 16) {
        bool fresh = format != ROWS_I8 && (k % group == 0 || k == p->k);
        for (int i = 0; fresh && i < ROWS_PANELS; i++) {
            lut4_load_group(w, ((p->panel + i) * groups + k / group) * TILE_COLUMNS, &held[i]);
        }
#pragma clang loop unroll(full)
        for (int i = 0; i < ROWS_PANELS; i++) {
            rows_step(format, rows, &held[i], words + i * stride, a, sums[i]);
        }
        words += each;
        a += 8 * rows;
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < ROWS_PANELS * rows * 2; i++) {
        f32 *to = p->c + i / 2 % rows * p->c_stride + i / (rows * 2) * TILE_COLUMNS
                  + i % 2 * TILE_SQUARE;
        vec sum = sums[i / (rows * 2)][i / 2 % rows][i % 2];
        vec_store_f32(to, p->add ? vec_add(vec_load_f32(to), sum) : sum);
    }
}

TILE_INLINE void rows_any(rows_format format, int64_t rows, const rows_product *p) {
    switch (rows) {
    case 1: rows_block(format, 1, p); break;
    case 2: rows_block(format, 2, p); break;
    case 3: rows_block(format, 3, p); break;
    case 4: rows_block(format, 4, p); break;
    }
}

static void rows_by_format(int64_t rows, const rows_product *p) {
    if (p->w->format == CK_WEIGHT_I8) rows_any(ROWS_I8, rows, p);
    else if (p->w->zeros) rows_any(ROWS_LUT4_ZEROS, rows, p);
    else rows_any(ROWS_LUT4, rows, p);
}
#endif

// How many of a block's columns weight_rows can do: panels in twos, if all words are whole.
static inline int64_t weight_rows_columns(const weight *w, int64_t rows, int64_t columns) {
#if defined(HAS_BF16_DOT)
    bool whole = w->format == CK_WEIGHT_I8 || (w->format == CK_WEIGHT_LUT4 && w->group % 16 == 0);
    if (!whole || w->type != TILE_BF16 || rows > ROWS_MAX || w->depth % 16 != 0) return 0;
    return columns / (ROWS_PANELS * TILE_COLUMNS) * (ROWS_PANELS * TILE_COLUMNS);
#else
    (void)w, (void)rows, (void)columns;
    return 0;
#endif
}

// C = A B for the columns from `column` on.
static inline void weight_rows(const weight *w, const tile *t, int64_t column) {
#if defined(HAS_BF16_DOT)
    int64_t block = TILE_DEPTH * tile_unit(TILE_BF16);
    for (int64_t i = 0; i < t->columns; i += ROWS_PANELS * TILE_COLUMNS) {
        for (int64_t k = 0; k < w->depth; k += block) {
            rows_product p = {.w = w, .k = k, .c = t->c + i, .c_stride = t->c_stride};
            p.panel = (column + i) / TILE_COLUMNS;
            p.depth = w->depth - k < block ? w->depth - k : block;
            p.a = t->a + k / tile_unit(TILE_BF16) * t->rows;
            p.add = k > 0;
            rows_by_format(t->rows, &p);
        }
    }
#else
    (void)w, (void)t, (void)column;
#endif
}
