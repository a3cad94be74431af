// Tiles of 4-bit weights: see weight.h for the layout.

// Any group, any tier, one value at a time.
static void lut4_fill_any(const weight *w, int64_t panel, int64_t k, int64_t depth, f32 *to) {
    int64_t groups = (w->depth + w->group - 1) / w->group;
    const uint32_t *words = (const uint32_t *)w->values + panel * ((w->depth + 15) / 16) * 64;
    memset(to, 0, (size_t)(tile_units(w->type, depth) * TILE_COLUMNS) * sizeof(f32));
    for (int64_t i = k; i < k + depth; i++) {
        int64_t place = (panel * groups + i / w->group) * TILE_COLUMNS;
        int64_t shift = i % 16 / 2 * 4;
        for (int64_t column = 0; column < TILE_COLUMNS; column++) {
            uint32_t word = words[i / 16 * 64 + column * 2 + i % 2];
            float value = w->table[word >> shift & 15];
            if (w->zeros) value -= w->zeros[place + column];
            value *= w->scales[place + column];
            if (tile_unit(w->type) == 2) {
                bf16 *pairs = (bf16 *)(to + (i - k) / 2 * TILE_COLUMNS);
                pairs[column * 2 + i % 2] = bf16_from_float(value);
            } else {
                if (w->type == TILE_BF16) value = float_from_bf16(bf16_from_float(value));
                to[(i - k) * TILE_COLUMNS + column] = value;
            }
        }
    }
}

#if LANES == 16
// What a group's values are made with, in the order of a panel's words.
typedef struct lut4_group {
    __m512 table, scales[4], zeros[4];
} lut4_group;

static inline __m512 lut4_twice(const f32 *columns) {
    __m512i twice = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
    return _mm512_permutexvar_ps(twice, _mm512_castps256_ps512(_mm256_loadu_ps(columns)));
}

static inline void lut4_load_group(const weight *w, int64_t place, lut4_group *group) {
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        group->scales[i] = lut4_twice(w->scales + place + 8 * i);
        group->zeros[i] = w->zeros ? lut4_twice(w->zeros + place + 8 * i) : _mm512_setzero_ps();
    }
}

// Codes number j of a quarter of the panel's columns, as values. vpermps minds only the lowest 4
// bits of a lane.
TILE_INLINE __m512 lut4_values(const lut4_group *group, bool zeros, int quarter, __m512i words,
                               int j) {
    __m512 value = _mm512_permutexvar_ps(_mm512_srli_epi32(words, (unsigned)(4 * j)),
                                         group->table);
    if (zeros) value = _mm512_sub_ps(value, group->zeros[quarter]);
    return _mm512_mul_ps(value, group->scales[quarter]);
}

// A line of pairs, or two lines of float32, from two quarters.
TILE_INLINE void lut4_store(tile_type type, __m512 first, __m512 second, f32 *to) {
#if defined(HAS_BF16_DOT)
    if (type == TILE_BF16) {
        _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh(second, first));
        return;
    }
#endif
    if (type == TILE_BF16) first = tile_rounded(first), second = tile_rounded(second);
    __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    _mm512_storeu_ps(to, _mm512_permutex2var_ps(first, even, second));
    _mm512_storeu_ps(to + TILE_COLUMNS, _mm512_permutex2var_ps(first, odd, second));
}

// Whole words of 16 along the depth, whose groups are whole too.
TILE_INLINE void lut4_fill_words(const weight *w, tile_type type, bool zeros, int64_t panel,
                                 int64_t k, int64_t depth, f32 *to) {
    int64_t groups = (w->depth + w->group - 1) / w->group;
    const uint32_t *words = (const uint32_t *)w->values + panel * ((w->depth + 15) / 16) * 64;
    lut4_group group = {.table = _mm512_loadu_ps(w->table)};
    int64_t held = -1;
    for (int64_t i = k; i < k + depth; i += 16) {
        int64_t wanted = i / w->group;
        if (wanted != held) lut4_load_group(w, (panel * groups + wanted) * TILE_COLUMNS, &group);
        held = wanted;
        for (int line = 0; line < 64; line += 16) {
            __builtin_prefetch(words + i / 16 * 64 + WEIGHT_AHEAD / 4 + line);
        }
#pragma clang loop unroll(full)
        for (int half = 0; half < 2; half++) {
            __m512i first = _mm512_loadu_si512(words + i / 16 * 64 + half * 32);
            __m512i second = _mm512_loadu_si512(words + i / 16 * 64 + half * 32 + 16);
#pragma clang loop unroll(full)
            for (int j = 0; j < 8; j++) {
                f32 *line = to + half * TILE_SQUARE + 2 * j / tile_unit(type) * TILE_COLUMNS;
                lut4_store(type, lut4_values(&group, zeros, 2 * half, first, j),
                           lut4_values(&group, zeros, 2 * half + 1, second, j), line);
            }
        }
        to += 16 / tile_unit(type) * TILE_COLUMNS;
    }
}
#endif

static void weight_fill_lut4(const weight *w, int64_t panel, int64_t k, int64_t depth, f32 *to) {
    int64_t whole = 0;
#if LANES == 16
    if (w->group % 16 == 0) {
        whole = depth / 16 * 16;
        if (w->type == TILE_F32) {
            if (w->zeros) lut4_fill_words(w, TILE_F32, true, panel, k, whole, to);
            else lut4_fill_words(w, TILE_F32, false, panel, k, whole, to);
        } else {
            if (w->zeros) lut4_fill_words(w, TILE_BF16, true, panel, k, whole, to);
            else lut4_fill_words(w, TILE_BF16, false, panel, k, whole, to);
        }
    }
#endif
    if (whole == depth) return;
    lut4_fill_any(w, panel, k + whole, depth - whole,
                  to + whole / tile_unit(w->type) * TILE_COLUMNS);
}
