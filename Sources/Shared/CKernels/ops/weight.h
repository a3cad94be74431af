// Frozen weights as they are kept, and how blocks of them become tiles.
//
// W is [out, in], packed once in panels of TILE_COLUMNS rows of W (the columns of x W^T), the same
// for every tier: per panel, with k counting along `in`,
//
//     CK_WEIGHT_F32     [k][column] float32
//     CK_WEIGHT_BF16    [k / 2][column] pairs of bfloat16, the even k in the low half; F16 likewise
//     CK_WEIGHT_I8      [k / 4][column] quadruples of int8; a scale for each row of W comes after
//     CK_WEIGHT_LUT4    [k / 16][column / 8][column % 8][k % 2] words of 8 codes, code j (4 bits,
//                       lowest first) for k % 16 = 2 j + k % 2: so that codes next to each other
//                       become the two halves of a pair. Scales and zeros: [k / group][column].
//                       A value is (table[code] - zero) scale in float32, rounded to the type.
//     CK_WEIGHT_TILES   packed for this product and tier (pack.h), direct or across alike
//
// The derivative dx = dy W reads the same panels across: its depth is `out`.

// The functions below that take vectors of 64 bytes are inlined: no tier calls another's.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpsabi"

// How many bytes ahead a panel is fetched while it is made tiles.
#define WEIGHT_AHEAD 4096

typedef struct weight {
    int64_t format;
    tile_type type;  // of the product
    int64_t rows, depth, group;
    const void *values;
    // LUT4; zeros may be NULL. I8: scales of the rows of W, for a product across.
    const f32 *scales, *zeros, *table;
} weight;

typedef int32_t weight_ints __attribute__((vector_size(sizeof(tile_line))));
typedef float weight_floats __attribute__((vector_size(sizeof(tile_line))));

static inline int64_t weight_panel_bytes(const weight *w) {
    int64_t line = TILE_COLUMNS * (int64_t)sizeof(f32);
    switch (w->format) {
    case CK_WEIGHT_BF16:
    case CK_WEIGHT_F16: return (w->depth + 1) / 2 * line;
    case CK_WEIGHT_I8: return (w->depth + 3) / 4 * line;
    case CK_WEIGHT_LUT4: return (w->depth + 15) / 16 * 2 * line;
    case CK_WEIGHT_TILES: return tile_units(w->type, w->depth) * line;
    default: return w->depth * line;
    }
}

static inline void weight_store(f32 *to, tile_line line) { memcpy(to, &line, sizeof line); }

static inline tile_line weight_load(const void *from, int64_t index) {
    tile_line line;
    memcpy(&line, (const char *)from + index * (int64_t)sizeof line, sizeof line);
    return line;
}

// Pairs of halves to lines of float32. Lines past `depth` are not written.
static inline void weight_fill_halves(const weight *w, const char *pairs, int64_t depth, f32 *to) {
    for (int64_t k = 0; k < depth; k++) {
        for (int64_t half = 0; half < 2; half++) {
            f32 *line = to + k * TILE_COLUMNS + half * TILE_SQUARE;
            tile_line pair = weight_load(pairs, k / 2 * 2 + half);
            if (w->format == CK_WEIGHT_BF16) {
                weight_store(line, k % 2 == 0 ? pair << 16 : pair >> 16 << 16);
                continue;
            }
            typedef uint16_t halves __attribute__((vector_size(2 * TILE_SQUARE)));
            halves bits = __builtin_convertvector(k % 2 == 0 ? pair & 0xffff : pair >> 16, halves);
            f16 elements[TILE_SQUARE];
            memcpy(elements, &bits, sizeof bits);
            for (int i = 0; i < TILE_SQUARE; i += LANES) {
                vec_store_f32(line + i, vec_load_f16(elements + i));
            }
        }
    }
}

// Byte `place` of quadruples of int8, as int32 or exactly as float32.
static inline tile_line weight_bytes(tile_type type, tile_line quadruple, int place) {
    weight_ints bytes = (weight_ints)(quadruple << (24 - 8 * place)) >> 24;
    if (type == TILE_I8) return (tile_line)bytes;
    return (tile_line)__builtin_convertvector(bytes, weight_floats);
}

// Times a scale for each line, rounded to bfloat16 if the type is; else whole numbers below 256,
// which are exact in the upper half of a float32 as they are.
static inline tile_line weight_scaled(tile_type type, tile_line bytes, const f32 *scales) {
    if (!scales) return bytes;
    tile_line bits = (tile_line)((weight_floats)bytes * (weight_floats)weight_load(scales, 0));
    if (type == TILE_BF16) bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
    return bits;
}

// scales: for each row of W of the panel, or NULL.
static inline void weight_fill_i8(const weight *w, const char *quadruples, const f32 *scales,
                                  int64_t depth, f32 *to) {
    int64_t unit = tile_unit(w->type);
    for (int64_t i = 0; i < (depth + 3) / 4 * 2; i++) {
        tile_line quadruple = weight_load(quadruples, i), bytes[4];
        __builtin_prefetch(quadruples + i * (int64_t)sizeof quadruple + WEIGHT_AHEAD);
#pragma clang loop unroll(full)
        for (int place = 0; place < 4; place++) {
            bytes[place] = weight_bytes(w->type, quadruple, place);
            const f32 *scale = scales ? scales + i % 2 * TILE_SQUARE : NULL;
            bytes[place] = weight_scaled(w->type, bytes[place], scale);
        }
        int64_t k = i / 2 * 4;
        f32 *line = to + k / unit * TILE_COLUMNS + i % 2 * TILE_SQUARE;
        if (unit == 2) {
            weight_store(line, bytes[0] >> 16 | bytes[1]);
            if (k + 2 < depth) weight_store(line + TILE_COLUMNS, bytes[2] >> 16 | bytes[3]);
            continue;
        }
#pragma clang loop unroll(full)
        for (int place = 0; place < 4; place++) {
            if (k + place < depth) weight_store(line + place * TILE_COLUMNS, bytes[place]);
        }
    }
}

// int8's scales are those of the sums of a direct product, but of the depth of one across.
static inline void weight_fill_bytes(const weight *w, const char *from, int64_t panel,
                                     int64_t depth, f32 *to) {
    if (!w->scales) {
        weight_fill_i8(w, from, NULL, depth, to);
        return;
    }
    f32 scales[TILE_COLUMNS] = {0};
    int64_t row = panel * TILE_COLUMNS;
    int64_t rows = w->rows - row < TILE_COLUMNS ? w->rows - row : TILE_COLUMNS;
    memcpy(scales, w->scales + row, (size_t)rows * sizeof(f32));
    weight_fill_i8(w, from, scales, depth, to);
}

#pragma clang diagnostic pop

static void weight_fill_lut4(const weight *w, int64_t panel, int64_t k, int64_t depth, f32 *to);

// Whether the packed panels are themselves tiles of the product.
static inline bool weight_is_tiles(const weight *w) {
    switch (w->format) {
    case CK_WEIGHT_TILES: return true;
    case CK_WEIGHT_F32: return w->type == TILE_F32;
    case CK_WEIGHT_BF16: return w->type == TILE_BF16 && tile_unit(TILE_BF16) == 2;
    case CK_WEIGHT_I8: return w->type == TILE_I8 && tile_unit(TILE_I8) == 4;
    default: return false;
    }
}

// The tile of `depth` elements from `k` on, a multiple of 32, of one panel.
static void weight_fill(const weight *w, int64_t panel, int64_t k, int64_t depth, f32 *to) {
    const char *from = (const char *)w->values + panel * weight_panel_bytes(w);
    int64_t line = TILE_COLUMNS * (int64_t)sizeof(f32);
    if (weight_is_tiles(w)) {
        int64_t unit = tile_unit(w->type);
        memcpy(to, from + k / unit * line, (size_t)(tile_units(w->type, depth) * line));
        return;
    }
    switch (w->format) {
    case CK_WEIGHT_BF16:
    case CK_WEIGHT_F16: weight_fill_halves(w, from + k / 2 * line, depth, to); break;
    case CK_WEIGHT_I8: weight_fill_bytes(w, from + k / 4 * line, panel, depth, to); break;
    case CK_WEIGHT_LUT4: weight_fill_lut4(w, panel, k, depth, to); break;
    default: break;
    }
}

// A square of pairs [pair][line], made into the lines' own pairs across: [line / 2][pair's k].
static inline void weight_cross_pairs(tile_square *square, f32 *to) {
    typedef uint16_t halves __attribute__((vector_size(sizeof(tile_line))));
    tile_transpose(square);
    for (int line = 0; line < TILE_SQUARE; line += 2) {
        halves even, odd, low, high;
        memcpy(&even, square->units[line], sizeof even);
        memcpy(&odd, square->units[line + 1], sizeof odd);
        low = __builtin_shufflevector(even, odd, 0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5, 37, 6, 38,
                                      7, 39, 8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46,
                                      15, 47);
        high = __builtin_shufflevector(even, odd, 16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53,
                                       22, 54, 23, 55, 24, 56, 25, 57, 26, 58, 27, 59, 28, 60, 29,
                                       61, 30, 62, 31, 63);
        memcpy(to + line / 2 * TILE_COLUMNS, &low, sizeof low);
        memcpy(to + line / 2 * TILE_COLUMNS + TILE_SQUARE, &high, sizeof high);
    }
}

// The tile of dx = dy W: TILE_COLUMNS columns of W from `column` on, a multiple of it, and `depth`
// rows of W from `row` on, a multiple of it too.
static void weight_fill_across(const weight *w, int64_t column, int64_t row, int64_t depth,
                               f32 *to) {
    _Alignas(64) f32 direct[TILE_COLUMNS * TILE_COLUMNS];
    int64_t unit = tile_unit(w->type), units = TILE_COLUMNS / unit;
    int64_t some = w->depth - column < TILE_COLUMNS ? w->depth - column : TILE_COLUMNS;
    if (some < TILE_COLUMNS) memset(direct, 0, sizeof direct);
    for (int64_t done = 0; done < depth; done += TILE_COLUMNS, to += units * TILE_COLUMNS) {
        weight_fill(w, (row + done) / TILE_COLUMNS, column, some, direct);
        for (int64_t u = 0; u < units; u += TILE_SQUARE) {
            for (int64_t line = 0; line < TILE_COLUMNS; line += TILE_SQUARE) {
                tile_square square;
                for (int i = 0; i < TILE_SQUARE; i++) {
                    const f32 *from = direct + (u + i) * TILE_COLUMNS + line;
                    memcpy(square.units[i], from, sizeof square.units[i]);
                }
                if (unit == 2) {
                    weight_cross_pairs(&square, to + line / 2 * TILE_COLUMNS);
                    continue;
                }
                tile_transpose(&square);
                for (int i = 0; i < TILE_SQUARE; i++) {
                    f32 *line_to = to + (line + i) * TILE_COLUMNS + u;
                    memcpy(line_to, square.units[i], sizeof square.units[i]);
                }
            }
        }
    }
}
