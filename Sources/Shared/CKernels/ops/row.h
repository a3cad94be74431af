// Loads and stores of a row at `i`, with `count` elements left there: whole vectors, then the rest.

static inline vec NAME(load_at)(const T *row, int64_t i, int64_t count) {
    return count >= LANES ? LOAD(row + i) : LOAD_SOME(row + i, count);
}

static inline void NAME(store_at)(T *row, int64_t i, vec a, int64_t count) {
    if (count >= LANES) STORE(row + i, a);
    else STORE_SOME(row + i, a, count);
}

// The same load with `padding` in the lanes past the end of the row.
static inline vec NAME(load_padded)(const T *row, int64_t i, int64_t count, float padding) {
    if (count >= LANES) return LOAD(row + i);
    f32 lanes[LANES];
    for (int64_t j = 0; j < LANES; j++) lanes[j] = j < count ? TO_FLOAT(row[i + j]) : padding;
    return vec_load_f32(lanes);
}
