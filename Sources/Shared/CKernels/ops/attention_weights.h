// The running softmax of attention, in float32: scores of a block of keys become weights.
//
// Scores of a block are [key][row], so that everything is done for LANES rows at a time and a row
// meets its keys in one order, whatever rows are beside it. With c = scale log2(e):
//
//     largest' = max(largest, c s)    p = 2^(c s - largest')    f = 2^(largest - largest')
//     total' = total f + sum p        out' = out f + p V
//
// Keys are taken in blocks of CK_ATTENTION_KEYS from the first of the sequence on; every
// CK_ATTENTION_PART keys the softmax begins anew, and the parts are joined in order. A masked key
// adds exact zeros, so blocks may be cut off behind the last key that a row sees.

// The largest score of a row that has seen no key: finite, so that differences are numbers.
#define ATTENTION_NOTHING (-1e30f)

// Sums of up to CK_ATTENTION_ROWS rows.
typedef struct attention_sums {
    _Alignas(64) f32 largest[CK_ATTENTION_ROWS];
    _Alignas(64) f32 total[CK_ATTENTION_ROWS];
    f32 *out;  // [row][stride]
} attention_sums;

static void attention_clear(attention_sums *sums) {
    for (int row = 0; row < CK_ATTENTION_ROWS; row++) {
        sums->largest[row] = ATTENTION_NOTHING;
        sums->total[row] = 0;
    }
}

// Stores weights of keys `key` and `key + 1` as A of the product with V: units of the depth one
// after another. In place, since a unit is not after its keys.
TILE_INLINE void attention_store(tile_type type, f32 *scores, int64_t key, vec even, vec odd) {
#if defined(HAS_BF16_DOT)
    if (type == TILE_BF16) {
        vec_store_f32(scores + key / 2 * CK_ATTENTION_ROWS, vec_bf16_pairs(even, odd));
        return;
    }
#endif
    if (type == TILE_BF16) even = tile_rounded(even), odd = tile_rounded(odd);
    vec_store_f32(scores + key * CK_ATTENTION_ROWS, even);
    vec_store_f32(scores + (key + 1) * CK_ATTENTION_ROWS, odd);
}

// The scores of a key, times its scale if keys have scales.
TILE_INLINE vec attention_score(const f32 *scores, const f32 *scales, int64_t key) {
    vec score = vec_load_f32(scores + key * CK_ATTENTION_ROWS);
    return scales ? vec_mul(score, vec_set(scales[key])) : score;
}

// LANES rows of a block. A key more is masked where their number is odd. With scales, of keys and
// CK_ATTENTION_KEYS further of values, weights are stored times those of the values.
TILE_INLINE void attention_weigh(tile_type type, f32 *scores, const f32 *scales, int64_t keys,
                                 f32 scale, f32 *largest, f32 *total, f32 *factor) {
    vec highest[4], c = vec_set(scale), before = vec_load_f32(largest);
    for (int i = 0; i < 4; i++) highest[i] = vec_set(-INFINITY);
    int64_t key = 0;
    for (; key + 4 <= keys; key += 4) {
#pragma clang loop unroll(full)
        for (int i = 0; i < 4; i++) {
            highest[i] = vec_max(highest[i], attention_score(scores, scales, key + i));
        }
    }
    for (; key < keys; key++) {
        highest[0] = vec_max(highest[0], attention_score(scores, scales, key));
    }
    highest[0] = vec_max(vec_max(highest[0], highest[1]), vec_max(highest[2], highest[3]));
    vec after = vec_max(vec_mul(highest[0], c), before), sum = vec_set(0);
    vec shift = vec_sub(vec_set(0), after);
    for (key = 0; key < keys; key += 2) {
        vec even = attention_score(scores, scales, key);
        vec odd = attention_score(scores, scales, key + 1);
        if (key + 1 == keys) odd = vec_set(-INFINITY);
        even = vec_exp2(vec_fma(even, c, shift));
        odd = vec_exp2(vec_fma(odd, c, shift));
        sum = vec_add(vec_add(sum, even), odd);
        if (scales) {
            even = vec_mul(even, vec_set(scales[CK_ATTENTION_KEYS + key]));
            odd = vec_mul(odd, vec_set(scales[CK_ATTENTION_KEYS + key + 1]));
        }
        attention_store(type, scores, key, even, odd);
    }
    vec f = vec_exp2(vec_sub(before, after));
    vec_store_f32(largest, after);
    vec_store_f32(total, vec_fma(vec_load_f32(total), f, sum));
    vec_store_f32(factor, f);
}

// All rows of a block. Only pages of bytes whose products are of bfloat16 have scales.
static void attention_weights(tile_type type, f32 *scores, const f32 *scales, int64_t keys,
                              int64_t rows, f32 scale, attention_sums *sums, f32 *factors) {
    for (int64_t row = 0; row < rows; row += LANES) {
        f32 *largest = sums->largest + row, *total = sums->total + row, *factor = factors + row;
        f32 *from = scores + row;
        if (type != TILE_BF16) {
            attention_weigh(TILE_F32, from, NULL, keys, scale, largest, total, factor);
        } else if (scales) {
            attention_weigh(TILE_BF16, from, scales, keys, scale, largest, total, factor);
        } else {
            attention_weigh(TILE_BF16, from, NULL, keys, scale, largest, total, factor);
        }
    }
}

// Scores of a few rows, [row][CK_ATTENTION_KEYS], as [key][CK_ATTENTION_ROWS].
static void attention_turn(f32 *to, const f32 *from, int64_t rows, int64_t keys) {
    for (int64_t key = 0; key < keys; key += TILE_SQUARE) {
        tile_square square = {0};
        for (int64_t row = 0; row < rows; row++) {
            memcpy(square.units[row], from + row * CK_ATTENTION_KEYS + key, sizeof(tile_line));
        }
        tile_transpose(&square);
        for (int64_t i = 0; i < TILE_SQUARE; i++) {
            memcpy(to + (key + i) * CK_ATTENTION_ROWS, square.units[i], sizeof(tile_line));
        }
    }
}

// row = row factor
static inline void attention_scale(f32 *row, f32 factor, int64_t width) {
    vec f = vec_set(factor);
    for (int64_t i = 0; i < width; i += LANES) {
        vec_store_f32(row + i, vec_mul(vec_load_f32(row + i), f));
    }
}

// row = row factor + other other_factor
static inline void attention_join_row(f32 *row, f32 factor, const f32 *other, f32 other_factor,
                                      int64_t width) {
    vec f = vec_set(factor), g = vec_set(other_factor);
    for (int64_t i = 0; i < width; i += LANES) {
        vec sum = vec_fma(vec_load_f32(other + i), g, vec_mul(vec_load_f32(row + i), f));
        vec_store_f32(row + i, sum);
    }
}

// The factors by which two parts of a row are joined; the first one becomes both.
static inline void attention_join(f32 *largest, f32 *total, f32 other_largest, f32 other_total,
                                  f32 *factors) {
    vec first = vec_set(*largest), second = vec_set(other_largest);
    vec after = vec_max(first, second), lanes[2];
    lanes[0] = vec_exp2(vec_sub(first, after));
    lanes[1] = vec_exp2(vec_sub(second, after));
    memcpy(&factors[0], &lanes[0], sizeof(f32));
    memcpy(&factors[1], &lanes[1], sizeof(f32));
    memcpy(largest, &after, sizeof(f32));
    *total = fmaf(other_total, factors[1], *total * factors[0]);
}

// log2 of the sum of 2^(c s): from it the weights can be had again. Infinite without keys, so that
// weights are 0.
static inline f32 attention_log(f32 largest, f32 total) {
    return total == 0 ? INFINITY : largest + log2f(total);
}
