// Weights and slopes of a block of query rows and keys, for the derivatives of attention.

// Scores become weights p, and dp becomes ds: for tiles of bfloat16 pairs as pairs of rows, which
// is A of products over the rows; then `halves` has ds in rows too.
typedef struct attention_block {
    f32 *p, *ds;  // [rows][CK_ATTENTION_KEYS]
    bf16 *halves;
    const f32 *logs, *sums;
    int64_t rows, keys;
    int64_t seen;  // keys that the first row sees; causal: the next one more
    bool causal;
    f32 log_scale, scale;
} attention_block;

// Keys that a row sees in the block; none for a row past the last.
static inline int64_t attention_seen_in(const attention_block *b, int64_t row) {
    int64_t seen = b->seen + (b->causal ? row : 0);
    if (row >= b->rows || seen < 0) return 0;
    return seen < b->keys ? seen : b->keys;
}

// LANES weights and slopes of a row at key i.
TILE_INLINE void attention_slope(const attention_block *b, int64_t row, int64_t i, int64_t seen,
                                 vec *p, vec *ds) {
    static const f32 numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    int64_t at = row * CK_ATTENTION_KEYS + i;
    if (seen <= i) {
        *p = *ds = vec_set(0);
        return;
    }
    vec score = vec_load_f32(b->p + at), slope = vec_load_f32(b->ds + at);
    vec log = vec_set(-b->logs[row]);
    *p = vec_exp2(vec_fma(score, vec_set(b->log_scale), log));
    *ds = vec_mul(vec_mul(*p, vec_set(b->scale)), vec_sub(slope, vec_set(b->sums[row])));
    if (seen >= i + LANES) return;
    vec left = vec_set((f32)(seen - i)), lane = vec_load_f32(numbers);
    *p = vec_where_greater(left, lane, *p, vec_set(0));
    *ds = vec_where_greater(left, lane, *ds, vec_set(0));
}

TILE_INLINE void attention_slopes_two(tile_type type, const attention_block *b, int64_t row) {
    int64_t seen[2] = {attention_seen_in(b, row), attention_seen_in(b, row + 1)};
    for (int64_t i = 0; i < b->keys; i += LANES) {
        vec p[2], ds[2];
        attention_slope(b, row, i, seen[0], &p[0], &ds[0]);
        attention_slope(b, row + 1, i, seen[1], &p[1], &ds[1]);
#if defined(HAS_BF16_DOT)
        if (type == TILE_BF16) {
            int64_t at = row / 2 * CK_ATTENTION_KEYS + i;
            vec_store_f32(b->p + at, vec_bf16_pairs(p[0], p[1]));
            vec_store_f32(b->ds + at, vec_bf16_pairs(ds[0], ds[1]));
            vec_store_bf16_normal(b->halves + row * CK_ATTENTION_KEYS + i, ds[0]);
            vec_store_bf16_normal(b->halves + (row + 1) * CK_ATTENTION_KEYS + i, ds[1]);
            continue;
        }
#endif
        for (int j = 0; j < 2; j++) {
            int64_t at = (row + j) * CK_ATTENTION_KEYS + i;
            vec_store_f32(b->p + at, type == TILE_BF16 ? tile_rounded(p[j]) : p[j]);
            vec_store_f32(b->ds + at, type == TILE_BF16 ? tile_rounded(ds[j]) : ds[j]);
        }
    }
}

static void attention_slopes(tile_type type, const attention_block *b) {
    for (int64_t row = 0; row < b->rows; row += 2) {
        if (type == TILE_BF16) attention_slopes_two(TILE_BF16, b, row);
        else attention_slopes_two(TILE_F32, b, row);
    }
}
