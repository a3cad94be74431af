// Squares of 16 x 16 units: the step between lines of depth and packed operands (tile_pack.h).

#define TILE_SQUARE 16

typedef struct tile_square {
    _Alignas(64) uint32_t units[TILE_SQUARE][TILE_SQUARE];
} tile_square;

typedef uint32_t tile_line __attribute__((vector_size(4 * TILE_SQUARE)));

// Exchanges the corners of squares of twice `distance` lines that are not on their diagonals.
#define TILE_LOW(i, d) ((i) & (d) ? TILE_SQUARE + (i) - (d) : (i))
#define TILE_HIGH(i, d) ((i) & (d) ? TILE_SQUARE + (i) : (i) + (d))
#define TILE_LANES(pick, d)                                                                      \
    pick(0, d), pick(1, d), pick(2, d), pick(3, d), pick(4, d), pick(5, d), pick(6, d),          \
        pick(7, d), pick(8, d), pick(9, d), pick(10, d), pick(11, d), pick(12, d), pick(13, d),  \
        pick(14, d), pick(15, d)
#define TILE_EXCHANGE(distance)                                                                  \
    static inline void tile_exchange_##distance(tile_line *lines) {                              \
        for (int i = 0; i < TILE_SQUARE; i++) {                                                  \
            if (i & distance) continue;                                                          \
            tile_line a = lines[i], b = lines[i + distance];                                     \
            lines[i] = __builtin_shufflevector(a, b, TILE_LANES(TILE_LOW, distance));            \
            lines[i + distance] =                                                                \
                __builtin_shufflevector(a, b, TILE_LANES(TILE_HIGH, distance));                  \
        }                                                                                        \
    }
TILE_EXCHANGE(8)
TILE_EXCHANGE(4)
TILE_EXCHANGE(2)
TILE_EXCHANGE(1)
#undef TILE_EXCHANGE
#undef TILE_LANES
#undef TILE_HIGH
#undef TILE_LOW

static inline void tile_transpose_lines(tile_line *lines) {
    tile_exchange_8(lines);
    tile_exchange_4(lines);
    tile_exchange_2(lines);
    tile_exchange_1(lines);
}

static inline void tile_transpose(tile_square *square) {
    tile_line lines[TILE_SQUARE];
    memcpy(lines, square, sizeof lines);
    tile_transpose_lines(lines);
    memcpy(square, lines, sizeof lines);
}

// Stores the first `count` units of a square's lines one after another, `width` apart; each store
// may run over into the next line's place, but not past `end`.
static inline void tile_store_lines(f32 *to, int64_t width, const tile_square *square,
                                    int64_t count, const f32 *end) {
    int64_t stored = width < TILE_SQUARE ? width : TILE_SQUARE;
    for (int64_t i = 0; i < count; i++, to += width) {
        if (to + TILE_SQUARE <= end) memcpy(to, square->units[i], 4 * TILE_SQUARE);
        else memcpy(to, square->units[i], 4 * (size_t)stored);
    }
}

// Rounds to bfloat16 and back.
static inline vec tile_rounded(vec x) {
    bf16 lanes[LANES];
    vec_store_bf16(lanes, x);
    return vec_load_bf16(lanes);
}
