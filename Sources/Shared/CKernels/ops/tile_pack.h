// Packs operands of tile.h from rows of element type T. Lines are rows of A or columns of B.
//
//     tile_pack_lines_T     lines of depth: A from [row][depth], or B from [column][depth]
//                           (y = x W^T with W [out, in])
//     tile_pack_across_T    lines across the rows: A from [depth][row], or B from [depth][column]
//                           (dx = dy W, dW = dy^T x)
//
// `width` is the lines of a strip (A) or TILE_COLUMNS (B); one call packs one strip or panel of
// `lines` <= width lines; what a panel lacks is filled up with zeros, as is the last unit. For
// TILE_BF16 float32 is rounded; for TILE_F32 half precision is widened. TILE_I8 packs elsewhere.

#define TILE_SAME_BITS(type)                                                                     \
    _Generic((T){0}, f32: (type) == TILE_F32, bf16: tile_unit(type) == 2, default: false)

// Converts `count` elements to units, and fills up with zeros to TILE_SQUARE units.
static inline void NAME(tile_convert)(tile_type type, uint32_t *units, const T *from,
                                      int64_t count) {
    int64_t elements = TILE_SQUARE * tile_unit(type);
    if (TILE_SAME_BITS(type)) {
        if (count < elements) memset(units, 0, sizeof(tile_line));
        if (count >= elements) memcpy(units, from, sizeof(tile_line));
        else if (count > 0) memcpy(units, from, (size_t)count * sizeof(T));
        return;
    }
    for (int64_t i = 0; i < elements; i += LANES) {
        vec x = i < count ? NAME(load_at)(from, i, count - i) : vec_set(0);
        if (type == TILE_F32) vec_store_f32((f32 *)units + i, x);
        else if (tile_unit(type) == 2) vec_store_bf16((bf16 *)units + i, x);
        else vec_store_f32((f32 *)units + i, tile_rounded(x));
    }
}

// A whole square of units that need no conversion, by way of the registers alone.
TILE_INLINE void NAME(tile_pack_square)(f32 *to, int64_t width, const T *from, int64_t stride) {
    tile_line lines[TILE_SQUARE];
#pragma clang loop unroll(full)
    for (int i = 0; i < TILE_SQUARE; i++) memcpy(&lines[i], from + i * stride, sizeof(tile_line));
    tile_transpose_lines(lines);
#pragma clang loop unroll(full)
    for (int i = 0; i < TILE_SQUARE; i++) memcpy(to + i * width, &lines[i], sizeof(tile_line));
}

// A group of up to TILE_SQUARE lines of a strip or panel that ends at `end`.
TILE_INLINE void NAME(tile_pack_group)(tile_type type, f32 *to, int64_t width, const T *from,
                                       int64_t stride, int64_t lines, int64_t depth,
                                       const f32 *end) {
    int64_t units = tile_units(type, depth), unit = tile_unit(type);
    for (int64_t u = 0; u < units; u += TILE_SQUARE) {
        bool whole = lines >= TILE_SQUARE && (u + TILE_SQUARE) * unit <= depth;
        if (TILE_SAME_BITS(type) && whole && width % TILE_SQUARE == 0) {
            NAME(tile_pack_square)(to + u * width, width, from + u * unit, stride);
            continue;
        }
        tile_square square;
        for (int64_t line = 0; line < lines; line++) {
            const T *elements = from + line * stride + u * unit;
            NAME(tile_convert)(type, square.units[line], elements, depth - u * unit);
        }
        for (int64_t line = lines > 0 ? lines : 0; line < TILE_SQUARE; line++) {
            memset(square.units[line], 0, sizeof(tile_line));
        }
        tile_transpose(&square);
        int64_t count = units - u < TILE_SQUARE ? units - u : TILE_SQUARE;
        tile_store_lines(to + u * width, width, &square, count, end);
    }
}

static inline void NAME(tile_pack_lines)(tile_type type, f32 *to, int64_t width, const T *from,
                                  int64_t stride, int64_t lines, int64_t depth) {
    const f32 *end = to + tile_units(type, depth) * width;
    for (int64_t group = 0; group < width; group += TILE_SQUARE) {
        int64_t left = lines - group < TILE_SQUARE ? lines - group : TILE_SQUARE;
        const T *first = from + group * stride;
        if (type == TILE_F32) {
            NAME(tile_pack_group)(TILE_F32, to + group, width, first, stride, left, depth, end);
        } else {
            NAME(tile_pack_group)(TILE_BF16, to + group, width, first, stride, left, depth, end);
        }
    }
}

// The units of TILE_SQUARE lines from one row of depth, or from two that make pairs.
TILE_INLINE void NAME(tile_pair)(tile_type type, uint32_t *units, const T *even, const T *odd,
                                 int64_t count) {
    if (tile_unit(type) == 1) {
        NAME(tile_convert)(type, units, even, count);
        return;
    }
    typedef uint16_t halves __attribute__((vector_size(2 * TILE_SQUARE)));
    uint32_t pairs[2][TILE_SQUARE] = {{0}, {0}};
    halves first, second = {0};
    if (TILE_SAME_BITS(type) && count >= TILE_SQUARE) {
        memcpy(&first, even, sizeof first);
        if (odd) memcpy(&second, odd, sizeof second);
    } else {
        int64_t some = count < TILE_SQUARE ? count : TILE_SQUARE;
        NAME(tile_convert)(type, pairs[0], even, some);
        if (odd) NAME(tile_convert)(type, pairs[1], odd, some);
        memcpy(&first, pairs[0], sizeof first);
        memcpy(&second, pairs[1], sizeof second);
    }
    tile_line line = __builtin_convertvector(first, tile_line)
                     | __builtin_convertvector(second, tile_line) << 16;
    memcpy(units, &line, sizeof line);
}

static inline void NAME(tile_pack_across)(tile_type type, f32 *to, int64_t width, const T *from,
                                   int64_t stride, int64_t lines, int64_t depth) {
    int64_t units = tile_units(type, depth), unit = tile_unit(type);
    for (int64_t u = 0; u < units; u++, to += width) {
        const T *even = from + u * unit * stride;
        const T *odd = u * unit + 1 < depth ? even + stride : NULL;
        for (int64_t line = 0; line < width; line += TILE_SQUARE) {
            // Whole groups go straight to their place: a copy just stored is slow to load.
            uint32_t group[TILE_SQUARE];
            bool whole = width - line >= TILE_SQUARE;
            uint32_t *units_to = whole ? (uint32_t *)(to + line) : group;
            NAME(tile_pair)(type, units_to, even + line, odd ? odd + line : NULL, lines - line);
            if (!whole) memcpy(to + line, group, 4 * (size_t)(width - line));
        }
    }
}

#undef TILE_SAME_BITS
