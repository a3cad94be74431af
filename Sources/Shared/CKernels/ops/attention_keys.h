// Keys and values of an item of attention: found in rows or in pages, and packed block by block.

// Keys that are fetched ahead of those that are packed: several microseconds of work.
#define ATTENTION_AHEAD 48
// Keys that are packed at once where they can be, so that fetching and packing overlap and pages of
// as many rows are packed from where they are.
#define ATTENTION_RUN TILE_SQUARE

// Where a key of the sequence is in pages [G][rows of a page][K], in heads.
static inline int64_t NAME(attention_page_place)(const ITEM *item, int64_t key) {
    const int32_t *pages = item->args->pointers[6];
    int64_t page = item->args->numbers[4];
    int64_t head = pages[item->key_place + key / page] * item->key_heads + item->key_head;
    return head * page + key % page;
}

// Whether some keys of the sequence are in one page.
static inline bool NAME(attention_is_together)(const ITEM *item, int64_t key, int64_t count) {
    int64_t page = item->args->numbers[4];
    return key % page + count <= page;
}

// Bytes of a run of keys in a page, where it is in one piece.
static inline int64_t NAME(attention_run_bytes)(const ITEM *item, int value) {
    int64_t size = item->args->pointers[8 + value] ? 1 : (int64_t)sizeof(T);
    return ATTENTION_RUN * item->width * size;
}

// The run of keys that is packed some time after this one; NULL if there is none in one page.
static inline const char *NAME(attention_ahead)(const ITEM *item, int value, int64_t key) {
    const ck_args *a = item->args;
    int64_t size = a->pointers[8 + value] ? 1 : (int64_t)sizeof(T);
    key += ATTENTION_AHEAD;
    if (!a->pointers[6] || key + ATTENTION_RUN > item->end
        || !NAME(attention_is_together)(item, key, ATTENTION_RUN)) {
        return NULL;
    }
    int64_t place = NAME(attention_page_place)(item, key);
    return (const char *)a->pointers[3 + value] + place * item->width * size;
}

// Fetches a part of such a run: a few lines at a time, between pieces of work, since the processor
// waits when too many are under way.
static inline void NAME(attention_fetch)(const char *run, int64_t part, int64_t parts,
                                         int64_t bytes) {
    if (!run) return;
    for (int64_t i = part * bytes / parts; i < (part + 1) * bytes / parts; i += 64) {
        __builtin_prefetch(run + i);
    }
}

static inline void NAME(attention_decode)(T *to, const int8_t *codes, f32 scale, int64_t width) {
    f32 values[LANES];
    for (int64_t i = 0; i < width; i += LANES) {
        int64_t count = width - i < LANES ? width - i : LANES;
        for (int64_t j = 0; j < count; j++) values[j] = (f32)codes[i + j];
        vec x = vec_mul(vec_load_some_f32(values, count), vec_set(scale));
        NAME(store_at)(to, i, x, width - i);
    }
}

static inline void NAME(attention_copy)(T *to, const T *from, int64_t width) {
    const int64_t line = 64 / sizeof(T);
    int64_t i = 0;
    for (; i + line <= width; i += line) memcpy(to + i, from + i, 64);
    if (i < width) memcpy(to + i, from + i, (size_t)(width - i) * sizeof(T));
}

// `count` rows of k or v from a key of the sequence on, for the item's key head: where they are if
// they lie together, else gathered from pages (and from int8, value = scale code).
static const T *NAME(attention_rows)(const ITEM *item, int value, int64_t key, int64_t count,
                                     int64_t *stride) {
    const void *from = item->args->pointers[3 + value];
    const f32 *scales = item->args->pointers[8 + value];
    int64_t width = item->width;
    *stride = width;
    if (!item->args->pointers[6]) {
        *stride *= item->key_heads;
        return (const T *)from + (item->key_place + key) * *stride + item->key_head * width;
    }
    if (!scales && NAME(attention_is_together)(item, key, count)) {
        return (const T *)from + NAME(attention_page_place)(item, key) * width;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t place = NAME(attention_page_place)(item, key + i);
        T *to = item->held + i * width;
        if (scales) {
            const int8_t *codes = (const int8_t *)from + place * width;
            NAME(attention_decode)(to, codes, scales[place], width);
        } else {
            NAME(attention_copy)(to, (const T *)from + place * width, width);
        }
    }
    return item->held;
}

// k as panels of keys, where the rows are few.
static void NAME(attention_pack_panels)(ITEM *item, int64_t key, int64_t keys) {
    const tile_type type = _Generic((T){0}, bf16: TILE_BF16, default: TILE_F32);
    int64_t end = (keys + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS;
    int64_t slice = TILE_SQUARE * tile_unit(type), panel = TILE_COLUMNS * item->units;
    int64_t slices = (item->width + slice - 1) / slice, bytes = NAME(attention_run_bytes)(item, 0);
    for (int64_t i = 0; i < end; i += ATTENTION_RUN) {
        int64_t stride = 0, left = keys - i < ATTENTION_RUN ? keys - i : ATTENTION_RUN;
        const T *k = left > 0 ? NAME(attention_rows)(item, 0, key + i, left, &stride) : NULL;
        const char *ahead = NAME(attention_ahead)(item, 0, key + i);
        f32 *to = item->k + i / TILE_COLUMNS * panel;
        for (int64_t j = 0; j < item->width; j += slice) {
            int64_t count = item->width - j < slice ? item->width - j : slice;
            NAME(attention_fetch)(ahead, j / slice, slices, bytes);
            f32 *square = to + j / tile_unit(type) * TILE_COLUMNS + i % TILE_COLUMNS;
            NAME(tile_pack_group)(type, square, TILE_COLUMNS, left > 0 ? k + j : k, stride, left,
                                  count, to + panel);
        }
    }
}

// k as strips of keys, where the rows are many.
static void NAME(attention_pack_strips)(ITEM *item, int64_t key, int64_t keys) {
    int64_t stride, lines = tile_strip_rows(keys);
    for (int64_t i = 0; i < keys; i += lines) {
        int64_t left = keys - i < lines ? keys - i : lines;
        const T *k = NAME(attention_rows)(item, 0, key + i, left, &stride);
        NAME(tile_pack_lines)(item->type, item->k + i * item->units, left, k, stride, left,
                              item->width);
    }
}

// v as panels of its width.
static void NAME(attention_pack_values)(ITEM *item, int64_t key, int64_t keys) {
    int64_t stride, units = tile_units(item->type, keys);
    int64_t bytes = NAME(attention_run_bytes)(item, 1);
    for (int64_t i = 0; i < keys; i += ATTENTION_RUN) {
        int64_t run = keys - i < ATTENTION_RUN ? keys - i : ATTENTION_RUN;
        const T *v = NAME(attention_rows)(item, 1, key + i, run, &stride);
        const char *ahead = NAME(attention_ahead)(item, 1, key + i);
        f32 *to = item->v + i / tile_unit(item->type) * TILE_COLUMNS;
        for (int64_t j = 0; j < item->width; j += TILE_COLUMNS, to += units * TILE_COLUMNS) {
            int64_t left = item->width - j < TILE_COLUMNS ? item->width - j : TILE_COLUMNS;
            NAME(attention_fetch)(ahead, j / TILE_COLUMNS, item->stride / TILE_COLUMNS, bytes);
            NAME(tile_pack_across)(item->type, to, TILE_COLUMNS, v + j, stride, left, run);
        }
    }
}

// Where the keys' page of one head begins, in elements.
static inline int64_t NAME(attention_page_first)(const ITEM *item, int64_t key) {
    int64_t row = key % item->args->numbers[4];
    return (NAME(attention_page_place)(item, key) - row) * item->width;
}

// What lies in pages of keys, or of values, from an element on.
static inline const f32 *NAME(attention_lies)(const ITEM *item, int value, int64_t element) {
    const char *pages = item->args->pointers[3 + value];
    return (const f32 *)(pages + element * (item->bytes ? 1 : (int64_t)sizeof(T)));
}

// The panel of keys that begins i keys after a block does: of the page or packed.
static const f32 *NAME(attention_panel)(const ITEM *item, int64_t key, int64_t i) {
    if (!item->tiles || (item->bytes && !item->direct)) return item->k + i * item->units;
    return NAME(attention_lies)(item, 0, NAME(attention_page_place)(item, key + i) * item->width);
}

// The first panel of the TILE_COLUMNS values from a key on, in their page.
static const f32 *NAME(attention_value_piece)(const ITEM *item, int64_t key) {
    int64_t inside = key % item->args->numbers[4] * TILE_COLUMNS;
    return NAME(attention_lies)(item, 1, NAME(attention_page_first)(item, key) + inside);
}

// k that is panels of keys already, a panel at a time.
static void NAME(attention_take_keys)(ITEM *item, int64_t key, int64_t keys) {
    int64_t size = TILE_COLUMNS * item->width;
    T *to = item->few ? (T *)item->k : item->held;
    for (int64_t i = 0; i < keys; i += TILE_COLUMNS, to += size) {
        int64_t first = NAME(attention_page_place)(item, key + i) * item->width;
        NAME(page_take)(to, item->args->pointers[3], first, size, item->halves);
    }
}

// Such panels as strips of keys: both have units in turn.
static void NAME(attention_take_strips)(ITEM *item, int64_t keys) {
    int64_t lines = tile_strip_rows(keys);
    const f32 *panels = (const f32 *)item->held;
    for (int64_t i = 0; i < keys;) {
        int64_t strip = i / lines * lines, inside = i % TILE_COLUMNS;
        int64_t width = keys - strip < lines ? keys - strip : lines, count = strip + width - i;
        if (count > LANES) count = LANES;
        if (count > TILE_COLUMNS - inside) count = TILE_COLUMNS - inside;
        const f32 *from = panels + (i - inside) * item->units + inside;
        f32 *to = item->k + strip * item->units + i - strip;
        for (int64_t unit = 0; unit < item->units; unit++) {
            vec x = vec_load_some_f32(from + unit * TILE_COLUMNS, count);
            vec_store_some_f32(to + unit * width, x, count);
        }
        i += count;
    }
}

// v that is panels of columns already, in pieces of TILE_COLUMNS keys. A key past the last, which
// nobody has written perhaps, is zero.
static void NAME(attention_take_values)(ITEM *item, int64_t key, int64_t keys) {
    int64_t unit = NAME(page_unit)(), page = item->args->numbers[4];
    int64_t units = tile_units(item->type, keys);
    for (int64_t i = 0; i < keys; i += TILE_COLUMNS) {
        int64_t first = NAME(attention_page_first)(item, key + i);
        int64_t left = keys - i < TILE_COLUMNS ? keys - i : TILE_COLUMNS;
        int64_t count = (left + unit - 1) / unit * unit * TILE_COLUMNS;
        first += (key + i) % page * TILE_COLUMNS;
        for (int64_t j = 0; j < item->width; j += TILE_COLUMNS) {
            f32 *to = item->v + j * units + i / unit * TILE_COLUMNS;
            const void *from = item->args->pointers[4];
            NAME(page_take)((T *)to, from, first + j * page, count, item->halves);
            if (left % unit == 0) continue;
            T *last = (T *)to + count - unit * TILE_COLUMNS + left % unit;
            for (int64_t k = 0; k < TILE_COLUMNS; k++) memset(last + k * unit, 0, sizeof(T));
        }
    }
}

// The scales of a block's keys and values; zeros past the last.
static void NAME(attention_take_scales)(ITEM *item, int64_t key, int64_t keys) {
    memset(item->key_scales, 0, 2 * CK_ATTENTION_KEYS * sizeof(f32));
    for (int64_t i = 0; i < keys; i += TILE_COLUMNS) {
        int64_t left = keys - i < TILE_COLUMNS ? keys - i : TILE_COLUMNS;
        int64_t place = NAME(attention_page_place)(item, key + i);
        for (int value = 0; value < 2; value++) {
            const f32 *from = (const f32 *)item->args->pointers[8 + value] + place;
            f32 *to = item->key_scales + value * CK_ATTENTION_KEYS + i;
            memcpy(to, from, (size_t)left * sizeof(f32));
        }
    }
}

static void NAME(attention_pack_keys)(ITEM *item, int64_t key, int64_t keys) {
    if (item->tiles) {
        if (item->key_scales) NAME(attention_take_scales)(item, key, keys);
        item->direct = item->bytes ? item->rows <= PAGE_ROWS
                                   : item->few && keys % NAME(page_unit)() == 0;
        bool in_place = item->few && (item->direct || !item->bytes);
        if (!in_place) NAME(attention_take_keys)(item, key, keys);
        if (!item->few) NAME(attention_take_strips)(item, keys);
        if (!item->direct) NAME(attention_take_values)(item, key, keys);
        return;
    }
    if (item->few) NAME(attention_pack_panels)(item, key, keys);
    else NAME(attention_pack_strips)(item, key, keys);
    NAME(attention_pack_values)(item, key, keys);
}
#undef ATTENTION_AHEAD
#undef ATTENTION_RUN
