// Loads and stores of a row at `i`, with `count` elements left there: whole vectors, then the rest.

static inline vec NAME(load_at)(const T *row, int64_t i, int64_t count) {
    return count >= LANES ? LOAD(row + i) : LOAD_SOME(row + i, count);
}

static inline void NAME(store_at)(T *row, int64_t i, vec a, int64_t count) {
    if (count >= LANES) STORE(row + i, a);
    else STORE_SOME(row + i, a, count);
}
