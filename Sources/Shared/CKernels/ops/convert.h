// Conversions from and to float32. pointers: to, from. Units: elements.

static void NAME(to_f32)(const ck_args *a, int64_t begin, int64_t end) {
    f32 *to = a->pointers[0];
    const T *from = a->pointers[1];
    for (int64_t i = begin; i < end; i += LANES) {
        store_at_f32(to, i, NAME(load_at)(from, i, end - i), end - i);
    }
}

static void NAME(from_f32)(const ck_args *a, int64_t begin, int64_t end) {
    T *to = a->pointers[0];
    const f32 *from = a->pointers[1];
    for (int64_t i = begin; i < end; i += LANES) {
        NAME(store_at)(to, i, load_at_f32(from, i, end - i), end - i);
    }
}
