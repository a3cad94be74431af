// Lines of 64 bytes that stand for 64 bfloat16: 32 units of a panel (tile.h), exactly. A byte is a
// sign and a magnitude, and the line's halves are in the order in which they are interleaved again.

// Where byte i of a line is kept: the halves' groups of eight take turns.
static inline int64_t page_byte_at(int64_t i) {
    int64_t inside = i % 64;
    return i - inside + inside % 32 / 8 * 16 + inside / 32 * 8 + inside % 8;
}

// The low and the high halves of magnitudes in bfloat16.
#define PAGE_HALVES 256

static inline void page_halves(uint8_t *halves) {
    for (int i = 0; i < PAGE_HALVES / 2; i++) {
        uint16_t bits = bf16_from_float((float)i).bits;
        halves[i] = (uint8_t)bits;
        halves[PAGE_HALVES / 2 + i] = (uint8_t)(bits >> 8);
    }
}

// Rows that meet bytes without a tile in between.
#define PAGE_ROWS 8

#if defined(HAS_BF16_DOT)
typedef struct page_table {
    __m512i low[2], high[2], sign;
} page_table;

TILE_INLINE page_table page_table_of(const uint8_t *halves) {
    return (page_table){
        .low = {_mm512_loadu_si512(halves), _mm512_loadu_si512(halves + 64)},
        .high = {_mm512_loadu_si512(halves + 128), _mm512_loadu_si512(halves + 192)},
        .sign = _mm512_set1_epi8((char)0x80),
    };
}

// A line as its 32 units.
TILE_INLINE void page_units(const page_table *t, const void *from, __m512i *units) {
    __m512i codes = _mm512_loadu_si512(from);
    __m512i low = _mm512_permutex2var_epi8(t->low[0], codes, t->low[1]);
    __m512i high = _mm512_permutex2var_epi8(t->high[0], codes, t->high[1]);
    // high | codes & sign
    high = _mm512_ternarylogic_epi32(high, codes, t->sign, 0xf8);
    units[0] = _mm512_unpacklo_epi8(low, high);
    units[1] = _mm512_unpackhi_epi8(low, high);
}

// So many rows leave registers for two panels, whose sums do not wait for each other.
#define PAGE_ROWS_WIDE 4

// C (+)= A B for a few rows and one or two panels of bytes, with the order of additions, and so the
// bits, of tile_multiply. The depth is one block of it at most.
typedef struct page_product {
    int64_t rows, panels, units;
    const f32 *a;  // packed as one strip, or with a_step from unit to unit
    int64_t a_step;
    // As in a tile, in steps of 4 bytes.
    const f32 *b;
    int64_t b_stride;
    const int64_t *pieces;
    int64_t piece_units;
    f32 *c;
    int64_t c_stride;
    bool add;
    const uint8_t *halves;
    // What is needed next, a line a unit and panel.
    const char *fetch;
    int64_t fetch_panel, fetch_step;
} page_product;

TILE_INLINE void page_block(int rows, int panels, const page_product *p) {
    const page_table table = page_table_of(p->halves);
    const f32 *a = p->a;
    const char *fetch = p->fetch;
    int64_t length = p->pieces ? p->piece_units : p->units;
    vec sum[PAGE_ROWS][4];
#pragma clang loop unroll(full)
    for (int i = 0; i < rows * 4; i++) sum[i / 4][i % 4] = vec_set(0);
    for (int64_t unit = 0, end; unit < p->units; unit = end) {
        const f32 *b = p->b + (p->pieces ? p->pieces[unit / length] : 0);
        end = unit + length < p->units ? unit + length : p->units;
        for (int64_t i = unit; i < end; i++) {
            __m512i column[4];
#pragma clang loop unroll(full)
            for (int panel = 0; panel < panels; panel++) {
                page_units(&table, b + panel * p->b_stride, column + 2 * panel);
                __builtin_prefetch(fetch + panel * p->fetch_panel);
            }
#pragma clang loop unroll(full)
            for (int row = 0; row < rows; row++) {
                vec element = vec_set(a[row]);
#pragma clang loop unroll(full)
                for (int v = 0; v < 2 * panels; v++) {
                    sum[row][v] = tile_step(TILE_BF16, element, (vec)column[v], sum[row][v]);
                }
            }
            a += p->a_step;
            b += TILE_COLUMNS / 2;
            fetch += p->fetch_step;
        }
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < rows * 2 * panels; i++) {
        f32 *to = p->c + i / (2 * panels) * p->c_stride + i % (2 * panels) * LANES;
        vec total = sum[i / (2 * panels)][i % (2 * panels)];
        vec_store_f32(to, p->add ? vec_add(vec_load_f32(to), total) : total);
    }
}

// Both panels at once if `rows` leaves registers for them, else one after the other.
TILE_INLINE void page_panels(int rows, const page_product *p) {
    if (rows <= PAGE_ROWS_WIDE && p->panels == 2) {
        page_block(rows, 2, p);
        return;
    }
    page_product one = *p;
    for (int64_t panel = 0; panel < p->panels; panel++) {
        page_block(rows, 1, &one);
        one.b += one.b_stride;
        one.c += TILE_COLUMNS;
        one.fetch += one.fetch_panel;
    }
}

static void page_multiply(const page_product *p) {
    switch (p->rows) {
    case 1: page_panels(1, p); break;
    case 2: page_panels(2, p); break;
    case 3: page_panels(3, p); break;
    case 4: page_panels(4, p); break;
    case 5: page_panels(5, p); break;
    case 6: page_panels(6, p); break;
    case 7: page_panels(7, p); break;
    case 8: page_panels(8, p); break;
    }
}
#endif
