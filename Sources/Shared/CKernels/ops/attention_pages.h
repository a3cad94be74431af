// Writes rows of keys and values into pages, as they are or as int8 with one scale for each row and
// head: code = round(x / scale), scale = largest |x| / 127.
//
// attention_pages: pointers: pages of k, pages of v, scales of k and of v float32 [rows, G] or
//     NULL, k, v [N, G, K], slots int32 [N]: row of the pages, or -1 for none;
//     numbers: G, K. Units: rows.

static void NAME(attention_code_head)(int8_t *codes, f32 *scale, const T *x, int64_t width) {
    vec largest = vec_set(0);
    for (int64_t i = 0; i < width; i += LANES) {
        largest = vec_max(largest, vec_abs(NAME(load_at)(x, i, width - i)));
    }
    *scale = vec_largest(largest) / 127;
    float factor = *scale > 0 ? 1 / *scale : 0;
    for (int64_t i = 0; i < width; i++) codes[i] = (int8_t)rintf(TO_FLOAT(x[i]) * factor);
}

static void NAME(attention_pages)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t heads = a->numbers[0], width = a->numbers[1];
    const int32_t *slots = a->pointers[6];
    for (int64_t row = begin; row < end; row++) {
        if (slots[row] < 0) continue;
        for (int i = 0; i < 2; i++) {
            f32 *scales = a->pointers[2 + i];
            const T *x = (const T *)a->pointers[4 + i] + row * heads * width;
            if (!scales) {
                T *to = (T *)a->pointers[i] + slots[row] * heads * width;
                memcpy(to, x, (size_t)(heads * width) * sizeof(T));
                continue;
            }
            for (int64_t head = 0; head < heads; head++) {
                int64_t place = slots[row] * heads + head;
                NAME(attention_code_head)((int8_t *)a->pointers[i] + place * width, scales + place,
                                          x + head * width, width);
            }
        }
    }
}
