// Conversion of whole numbers. pointers: to (float32), from (int32). Units: elements.
static void f32_from_i32(const ck_args *a, int64_t begin, int64_t end) {
    f32 *to = a->pointers[0];
    const int32_t *from = a->pointers[1];
    for (int64_t i = begin; i < end; i++) to[i] = (float)from[i];
}
