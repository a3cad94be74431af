// Pages of keys and values that are operands of products (tile.h) as they lie, so that nothing is
// packed when they are read. Where an element is a unit's part as it is, and panels are whole,
//
//     k   [rows / 32][unit of K][32 keys]      a panel of keys
//     v   [K / 32][unit of rows][32 columns]   panels of columns
//
// is a page of one head. All other pages are rows [rows][K]. int8 lies as bfloat16 would, in lines
// of page_bytes.h.

static inline bool NAME(page_is_tiles)(int64_t width, int64_t page, bool bytes) {
    bool same = _Generic((T){0}, f32: !bytes, bf16: tile_unit(TILE_BF16) == 2, default: false);
    return same && width % TILE_COLUMNS == 0 && page % TILE_COLUMNS == 0;
}

// Elements of a unit.
static inline int64_t NAME(page_unit)(void) { return (int64_t)(sizeof(f32) / sizeof(T)); }

// Where element i of row r of k, or of v, is in the page of a head.
static inline int64_t NAME(page_key_at)(int64_t width, int64_t r, int64_t i) {
    int64_t unit = NAME(page_unit)(), line = i / unit * TILE_COLUMNS + r % TILE_COLUMNS;
    return r / TILE_COLUMNS * TILE_COLUMNS * width + line * unit + i % unit;
}

static inline int64_t NAME(page_value_at)(int64_t page, int64_t r, int64_t i) {
    int64_t unit = NAME(page_unit)(), line = r / unit * TILE_COLUMNS + i % TILE_COLUMNS;
    return i / TILE_COLUMNS * TILE_COLUMNS * page + line * unit + r % unit;
}

#if defined(HAS_BF16_DOT)
// `count` bytes, whole lines, as bfloat16, exactly.
static inline void NAME(page_decode)(T *to, const int8_t *from, int64_t count,
                                     const uint8_t *halves) {
    const page_table table = page_table_of(halves);
    for (int64_t i = 0; i < count; i += 64) {
        __m512i units[2];
        page_units(&table, from + i, units);
        memcpy(to + i, units, sizeof units);
    }
}
#endif

// Takes `count` elements from a page, or with halves the bytes that stand for them.
static inline void NAME(page_take)(T *to, const void *from, int64_t first, int64_t count,
                                   const uint8_t *halves) {
#if defined(HAS_BF16_DOT)
    if (halves) {
        NAME(page_decode)(to, (const int8_t *)from + first, count, halves);
        return;
    }
#endif
    (void)halves;
    const char *at = (const char *)((const T *)from + first);
    for (int64_t i = 0; i < count * (int64_t)sizeof(T); i += 64) memcpy((char *)to + i, at + i, 64);
}
