// Pages of keys and values that are operands of products (tile.h) as they lie, so that nothing is
// packed when they are read. Where an element is a unit's part as it is, and panels are whole,
//
//     k   [rows / 32][unit of K][32 keys]      a panel of keys
//     v   [K / 32][unit of rows][32 columns]   panels of columns
//
// is a page of one head. All other pages are rows [rows][K]. int8 lies as bfloat16 would, as sign
// and magnitude, a line of 64 in the order in which its halves are interleaved again.

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

// Where byte i of a line is kept: the halves' groups of eight take turns.
static inline int64_t NAME(page_byte_at)(int64_t i) {
    int64_t inside = i % 64;
    return i - inside + inside % 32 / 8 * 16 + inside / 32 * 8 + inside % 8;
}

// The low and the high halves of magnitudes in bfloat16.
#define PAGE_HALVES 256

static inline void NAME(page_halves)(uint8_t *halves) {
    for (int i = 0; i < PAGE_HALVES / 2; i++) {
        uint16_t bits = bf16_from_float((float)i).bits;
        halves[i] = (uint8_t)bits;
        halves[PAGE_HALVES / 2 + i] = (uint8_t)(bits >> 8);
    }
}

#if defined(HAS_BF16_DOT)
// `count` bytes, whole lines, as bfloat16, exactly.
static inline void NAME(page_decode)(T *to, const int8_t *from, int64_t count,
                                     const uint8_t *halves) {
    __m512i table[4], sign = _mm512_set1_epi8((char)0x80);
    for (int i = 0; i < 4; i++) table[i] = _mm512_loadu_si512(halves + 64 * i);
    for (int64_t i = 0; i < count; i += 64) {
        __m512i codes = _mm512_loadu_si512(from + i);
        __m512i low = _mm512_permutex2var_epi8(table[0], codes, table[1]);
        __m512i high = _mm512_permutex2var_epi8(table[2], codes, table[3]);
        high = _mm512_or_si512(high, _mm512_and_si512(codes, sign));
        _mm512_storeu_si512(to + i, _mm512_unpacklo_epi8(low, high));
        _mm512_storeu_si512(to + i + 32, _mm512_unpackhi_epi8(low, high));
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
