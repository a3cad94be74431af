// Writes rows of keys and values into pages, as they are or as int8 with one scale for each row and
// head: code = round(x / scale), scale = largest |x| / 127.
//
// A page is [G][rows][K]: what one key head reads is in one piece. page_tiles.h has the order of
// what is in it, and of int8 then.
//
// attention_pages: pointers: pages of k, pages of v, scales of k and of v float32 [pages][G][rows]
//     or NULL, k, v [N, G, K], slots int32 [N]: row of all pages' rows, or -1 for none;
//     numbers: G, K, rows of a page. Units: rows.

static void NAME(attention_code_head)(int8_t *codes, f32 *scale, const T *x, int64_t width) {
    vec largest = vec_set(0);
    for (int64_t i = 0; i < width; i += LANES) {
        largest = vec_max(largest, vec_abs(NAME(load_at)(x, i, width - i)));
    }
    *scale = vec_largest(largest) / 127;
    float factor = *scale > 0 ? 1 / *scale : 0;
    for (int64_t i = 0; i < width; i++) codes[i] = (int8_t)rintf(TO_FLOAT(x[i]) * factor);
}

// Keeps a row of one head in the order of tiles: codes as sign and magnitude, or elements.
static void NAME(attention_keep)(const ck_args *a, int64_t which, int64_t place, const T *x,
                                 const int8_t *codes) {
    int64_t width = a->numbers[1], page = a->numbers[2], row = place % page;
    int64_t first = (place - row) * width;
    for (int64_t i = 0; i < width; i++) {
        int64_t at = first + (which ? NAME(page_value_at)(page, row, i)
                                    : NAME(page_key_at)(width, row, i));
        if (!codes) {
            ((T *)a->pointers[which])[at] = x[i];
            continue;
        }
        uint8_t magnitude = (uint8_t)abs(codes[i]);
        uint8_t *to = (uint8_t *)a->pointers[which] + page_byte_at(at);
        *to = codes[i] < 0 ? magnitude | 0x80 : magnitude;
    }
}

static void NAME(attention_pages)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t heads = a->numbers[0], width = a->numbers[1], page = a->numbers[2];
    const int32_t *slots = a->pointers[6];
    bool tiles = NAME(page_is_tiles)(width, page, a->pointers[2] != NULL);
    int8_t held[CK_ATTENTION_WIDTH];
    for (int64_t i = begin * 2 * heads; i < end * 2 * heads; i++) {
        int64_t row = i / heads / 2, head = i % heads, which = i / heads % 2;
        if (slots[row] < 0) continue;
        const T *x = (const T *)a->pointers[4 + which] + (row * heads + head) * width;
        int64_t place = (slots[row] / page * heads + head) * page + slots[row] % page;
        f32 *scales = a->pointers[2 + which];
        int8_t *codes = tiles ? held : (int8_t *)a->pointers[which] + place * width;
        if (scales) NAME(attention_code_head)(codes, scales + place, x, width);
        if (tiles) NAME(attention_keep)(a, which, place, x, scales ? codes : NULL);
        if (tiles || scales) continue;
        memcpy((T *)a->pointers[which] + place * width, x, (size_t)width * sizeof(T));
    }
}
