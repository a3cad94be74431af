// Keys and values of an item of attention: found in rows or in pages, and packed block by block.

// `count` rows of k or v from a key of the sequence on, for the item's key head: where they are, or
// gathered from pages (and from int8, value = scale code).
static const T *NAME(attention_rows)(const ITEM *item, const void *from, const f32 *scales,
                                     int64_t key, int64_t count, T *held, int64_t *stride) {
    const int32_t *pages = item->args->pointers[6];
    int64_t width = item->width, page = item->args->numbers[4];
    if (!pages) {
        *stride = item->key_heads * width;
        return (const T *)from + (item->key_place + key) * *stride + item->key_head * width;
    }
    *stride = width;
    for (int64_t i = 0; i < count; i++, key++) {
        int64_t row = pages[item->key_place + key / page] * page + key % page;
        int64_t head = row * item->key_heads + item->key_head;
        T *to = held + i * width;
        if (scales) {
            const int8_t *codes = (const int8_t *)from + head * width;
            for (int64_t j = 0; j < width; j++) to[j] = FROM_FLOAT((float)codes[j] * scales[head]);
        } else {
            memcpy(to, (const T *)from + head * width, (size_t)width * sizeof(T));
        }
    }
    return held;
}

// k as strips of keys, or as panels of keys where the rows are few; v as panels of its width.
static void NAME(attention_pack_keys)(ITEM *item, int64_t key, int64_t keys) {
    const ck_args *a = item->args;
    int64_t stride, lines = item->few ? TILE_COLUMNS : tile_strip_rows(keys);
    const T *k = NAME(attention_rows)(item, a->pointers[3], a->pointers[8], key, keys, item->held,
                                      &stride);
    for (int64_t i = 0; i < keys; i += lines) {
        int64_t left = keys - i < lines ? keys - i : lines;
        NAME(tile_pack_lines)(item->type, item->k + i * item->units, item->few ? lines : left,
                              k + i * stride, stride, left, item->width);
    }
    const T *v = NAME(attention_rows)(item, a->pointers[4], a->pointers[9], key, keys, item->held,
                                      &stride);
    for (int64_t i = 0; i < item->width; i += TILE_COLUMNS) {
        int64_t left = item->width - i < TILE_COLUMNS ? item->width - i : TILE_COLUMNS;
        NAME(tile_pack_across)(item->type, item->v + i * tile_units(item->type, keys),
                               TILE_COLUMNS, v + i, stride, left, keys);
    }
}
