// Derivatives of attention. With weights p = 2^(c s - log) made again from the scores s = q k^T:
//
//     dv = p^T dy     dp = dy v^T     ds = scale p (dp - sum(dy y))     dq = ds k     dk = ds^T q
//
// attention_gradient: pointers: dq float32 [slots][N, H, K], dk and dv [M, G, K], dy and y
//     [N, H, K], logs [N, H], q, k, v, items int32 [items][CK_ATTENTION_ITEM];
//     numbers: H, G, K, 1 if causal, elements of a slot; scalars: scale log2(e), scale.
//     Units: key heads of items.
// attention_gradient_sum: dq of all slots. pointers: dq, slots, int32 [N] slots that the row has;
//     numbers: H K, elements of a slot. Units: rows.
//
// An item is some keys of a sequence with all queries that see them; entries as in attention.h, but
// for the queries, which are all of the sequence, and the last one: the slot that takes what these
// keys add to dq. Keys are packed CK_ATTENTION_HELD at a time, and the queries pass by.

typedef struct NAME(attention_slope) {
    const ck_args *args;
    int64_t heads, width, group, key_head, key_heads;
    int64_t query, queries, key_place, seen, begin, end, slot;
    bool causal;
    tile_type type;
    int64_t units, stride;
    int64_t first, held;  // keys that are packed
    // Scratch memory: of the keys,
    f32 *k, *v, *k_across, *dk, *dv;
    // of a block of query rows,
    f32 *q, *dy, *q_across, *dy_across, *dq, *logs, *sums;
    // and of both together: weights and slopes [row][CK_ATTENTION_KEYS], slopes as A of dq.
    f32 *p, *ds, *packed, *halves;
} NAME(attention_slope);
#define SLOPE NAME(attention_slope)

static SLOPE NAME(attention_slope_of)(const ck_args *a, int64_t unit) {
    const int64_t *n = a->numbers;
    const int32_t *entry = (const int32_t *)a->pointers[9] + unit / n[1] * CK_ATTENTION_ITEM;
    tile_type type = _Generic((T){0}, bf16: TILE_BF16, default: TILE_F32);
    return (SLOPE){
        .args = a,
        .heads = n[0],
        .width = n[2],
        .group = n[0] / n[1],
        .key_head = unit % n[1],
        .key_heads = n[1],
        .query = entry[0],
        .queries = entry[1],
        .key_place = entry[2],
        .seen = entry[3],
        .begin = entry[4],
        .end = entry[5],
        .slot = entry[6],
        .causal = n[3] != 0,
        .type = type,
        .units = tile_units(type, n[2]),
        .stride = (n[2] + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS,
    };
}

static void NAME(attention_slope_reserve)(SLOPE *s) {
    int64_t lines = s->units, stride = s->stride, rows = CK_ATTENTION_ROWS;
    int64_t held = CK_ATTENTION_HELD, pairs = rows * CK_ATTENTION_KEYS;
    struct { f32 **to; int64_t size; } parts[] = {
        {&s->k, held * lines}, {&s->v, held * lines}, {&s->k_across, held * stride},
        {&s->dk, held * stride}, {&s->dv, held * stride}, {&s->q, rows * lines},
        {&s->dy, rows * lines}, {&s->q_across, rows * stride}, {&s->dy_across, rows * stride},
        {&s->dq, rows * stride}, {&s->logs, rows}, {&s->sums, rows}, {&s->p, pairs},
        {&s->ds, pairs}, {&s->packed, pairs}, {&s->halves, pairs / 2},
    };
    int64_t count = sizeof parts / sizeof *parts, total = 0;
    for (int64_t i = 0; i < count; i++) total += (parts[i].size + 15) / 16 * 16;
    f32 *memory = ck_scratch((size_t)total * sizeof(f32));
    for (int64_t i = 0; i < count; i++) {
        *parts[i].to = memory;
        memory += (parts[i].size + 15) / 16 * 16;
    }
}

// Rows one after another as panels of them, or as strips of a block.
static void NAME(attention_lines)(const SLOPE *s, f32 *to, int64_t width, const T *from,
                                  int64_t stride, int64_t rows) {
    for (int64_t row = 0; row < rows; row += width) {
        int64_t lines = rows - row < width ? rows - row : width;
        NAME(tile_pack_lines)(s->type, to + row * s->units,
                              width == TILE_COLUMNS ? width : lines, from + row * stride, stride,
                              lines, s->width);
    }
}

// Rows as the depth of panels of their width.
static void NAME(attention_across)(const SLOPE *s, f32 *to, const T *from, int64_t stride,
                                   int64_t rows) {
    for (int64_t i = 0; i < s->width; i += TILE_COLUMNS) {
        int64_t left = s->width - i < TILE_COLUMNS ? s->width - i : TILE_COLUMNS;
        NAME(tile_pack_across)(s->type, to + i * tile_units(s->type, rows), TILE_COLUMNS, from + i,
                               stride, left, rows);
    }
}

static void NAME(attention_hold)(SLOPE *s) {
    int64_t stride = s->key_heads * s->width;
    int64_t place = (s->key_place + s->first) * stride + s->key_head * s->width;
    const T *k = (const T *)s->args->pointers[7] + place;
    const T *v = (const T *)s->args->pointers[8] + place;
    NAME(attention_lines)(s, s->k, TILE_COLUMNS, k, stride, s->held);
    NAME(attention_lines)(s, s->v, TILE_COLUMNS, v, stride, s->held);
    for (int64_t key = 0; key < s->held; key += CK_ATTENTION_KEYS) {
        int64_t keys = s->held - key < CK_ATTENTION_KEYS ? s->held - key : CK_ATTENTION_KEYS;
        NAME(attention_across)(s, s->k_across + key * s->stride, k + key * stride, stride, keys);
    }
    memset(s->dk, 0, (size_t)(s->held * s->stride) * sizeof(f32));
    memset(s->dv, 0, (size_t)(s->held * s->stride) * sizeof(f32));
}

// Packs a block of query rows of one head, and sums dy y.
static void NAME(attention_take)(SLOPE *s, int64_t head, int64_t row, int64_t rows) {
    int64_t stride = s->heads * s->width, strip = tile_strip_rows(rows);
    int64_t place = (s->query + row) * s->heads + head;
    const T *dy = (const T *)s->args->pointers[3] + place * s->width;
    const T *y = (const T *)s->args->pointers[4] + place * s->width;
    const f32 *logs = (const f32 *)s->args->pointers[5] + place;
    const T *q = (const T *)s->args->pointers[6] + place * s->width;
    NAME(attention_lines)(s, s->q, strip, q, stride, rows);
    NAME(attention_lines)(s, s->dy, strip, dy, stride, rows);
    NAME(attention_across)(s, s->q_across, q, stride, rows);
    NAME(attention_across)(s, s->dy_across, dy, stride, rows);
    for (int64_t i = 0; i < rows; i++, dy += stride, y += stride) {
        vec sum = vec_set(0);
        for (int64_t j = 0; j < s->width; j += LANES) {
            int64_t left = s->width - j;
            sum = vec_fma(NAME(load_at)(dy, j, left), NAME(load_at)(y, j, left), sum);
        }
        s->sums[i] = vec_sum(sum);
        s->logs[i] = logs[i * s->heads];
    }
}

// rows [rows][CK_ATTENTION_KEYS] = a b^T, with some of the packed keys.
static void NAME(attention_pairs)(const SLOPE *s, f32 *to, const f32 *a, const f32 *b, int64_t rows,
                                  int64_t keys) {
    tile t = {
        .type = s->type,
        .rows = rows,
        .columns = (keys + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS,
        .units = s->units,
        .strip_rows = tile_strip_rows(rows),
        .a = a,
        .b = b,
        .b_stride = s->units * TILE_COLUMNS,
        .c = to,
        .c_stride = CK_ATTENTION_KEYS,
    };
    tile_multiply(&t);
}

// keys [keys][stride] += a^T b, over the rows of a block.
static void NAME(attention_add_keys)(const SLOPE *s, f32 *to, const f32 *a, const f32 *b,
                                     int64_t rows, int64_t keys) {
    tile t = {
        .type = s->type,
        .rows = keys,
        .columns = s->stride,
        .units = tile_units(s->type, rows),
        .strip_rows = tile_strip_rows(keys),
        .a = a,
        .a_step = CK_ATTENTION_KEYS,
        .b = b,
        .b_stride = tile_units(s->type, rows) * TILE_COLUMNS,
        .c = to,
        .c_stride = s->stride,
        .add = true,
    };
    tile_multiply(&t);
}

// dq (+)= ds k, over some keys of a block of `packed`.
static void NAME(attention_add_rows)(const SLOPE *s, int64_t key, int64_t packed, int64_t rows,
                                     int64_t keys) {
    int64_t strip = tile_strip_rows(rows), units = tile_units(s->type, keys);
    for (int64_t row = 0; row < rows; row += strip) {
        int64_t lines = rows - row < strip ? rows - row : strip, at = row * CK_ATTENTION_KEYS;
        f32 *to = s->packed + row * units;
        if (tile_unit(s->type) == 2) {
            NAME(tile_pack_lines)(s->type, to, lines, (const T *)s->halves + at,
                                  CK_ATTENTION_KEYS, lines, keys);
        } else {
            tile_pack_lines_f32(TILE_F32, to, lines, s->ds + at, CK_ATTENTION_KEYS, lines, keys);
        }
    }
    tile t = {
        .type = s->type,
        .rows = rows,
        .columns = s->stride,
        .units = units,
        .strip_rows = strip,
        .a = s->packed,
        .b = s->k_across + key * s->stride,
        .b_stride = tile_units(s->type, packed) * TILE_COLUMNS,
        .c = s->dq,
        .c_stride = s->stride,
        .add = key > 0,
    };
    tile_multiply(&t);
}

// One block of query rows meets the packed keys, block by block.
static void NAME(attention_slopes_of)(SLOPE *s, int64_t row, int64_t rows) {
    int64_t seen = s->seen + (s->causal ? row : 0) - s->first;
    int64_t last = seen + (s->causal ? rows - 1 : 0);
    for (int64_t key = 0; key < s->held && key < last; key += CK_ATTENTION_KEYS) {
        int64_t packed = s->held - key < CK_ATTENTION_KEYS ? s->held - key : CK_ATTENTION_KEYS;
        int64_t keys = last - key < packed ? last - key : packed;
        NAME(attention_pairs)(s, s->p, s->q, s->k + key * s->units, rows, keys);
        NAME(attention_pairs)(s, s->ds, s->dy, s->v + key * s->units, rows, keys);
        attention_block block = {
            .p = s->p,
            .ds = s->ds,
            .halves = (bf16 *)s->halves,
            .logs = s->logs,
            .sums = s->sums,
            .rows = rows,
            .keys = keys,
            .seen = seen - key,
            .causal = s->causal,
            .log_scale = s->args->scalars[0],
            .scale = s->args->scalars[1],
        };
        attention_slopes(s->type, &block);
        NAME(attention_add_keys)(s, s->dv + key * s->stride, s->p, s->dy_across, rows, keys);
        NAME(attention_add_keys)(s, s->dk + key * s->stride, s->ds, s->q_across, rows, keys);
        NAME(attention_add_rows)(s, key, packed, rows, keys);
    }
}

// Stores what the packed keys add to dq, after what earlier ones of the item did.
static void NAME(attention_give)(const SLOPE *s, int64_t head, int64_t row, int64_t rows) {
    f32 *dq = (f32 *)s->args->pointers[0] + s->slot * s->args->numbers[4];
    dq += ((s->query + row) * s->heads + head) * s->width;
    for (int64_t i = 0; i < rows; i++, dq += s->heads * s->width) {
        const f32 *from = s->dq + i * s->stride;
        for (int64_t j = 0; j < s->width; j += LANES) {
            vec sum = vec_load_f32(from + j);
            if (s->first > s->begin) sum = vec_add(load_at_f32(dq, j, s->width - j), sum);
            store_at_f32(dq, j, sum, s->width - j);
        }
    }
}

static void NAME(attention_release)(const SLOPE *s, T *to, const f32 *sums) {
    to += ((s->key_place + s->first) * s->key_heads + s->key_head) * s->width;
    for (int64_t key = 0; key < s->held; key++, to += s->key_heads * s->width) {
        for (int64_t j = 0; j < s->width; j += LANES) {
            NAME(store_at)(to, j, vec_load_f32(sums + key * s->stride + j), s->width - j);
        }
    }
}

static void NAME(attention_gradient)(const ck_args *a, int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; unit++) {
        SLOPE s = NAME(attention_slope_of)(a, unit);
        NAME(attention_slope_reserve)(&s);
        for (s.first = s.begin; s.first < s.end; s.first += CK_ATTENTION_HELD) {
            s.held = s.end - s.first < CK_ATTENTION_HELD ? s.end - s.first : CK_ATTENTION_HELD;
            NAME(attention_hold)(&s);
            for (int64_t head = s.key_head * s.group; head < (s.key_head + 1) * s.group; head++) {
                for (int64_t row = 0; row < s.queries; row += CK_ATTENTION_ROWS) {
                    int64_t rows = s.queries - row;
                    if (rows > CK_ATTENTION_ROWS) rows = CK_ATTENTION_ROWS;
                    if (s.seen + (s.causal ? row + rows - 1 : 0) <= s.first) continue;
                    NAME(attention_take)(&s, head, row, rows);
                    NAME(attention_slopes_of)(&s, row, rows);
                    NAME(attention_give)(&s, head, row, rows);
                }
            }
            NAME(attention_release)(&s, a->pointers[1], s.dk);
            NAME(attention_release)(&s, a->pointers[2], s.dv);
        }
    }
}

static void NAME(attention_gradient_sum)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t width = a->numbers[0], slot = a->numbers[1];
    for (int64_t row = begin; row < end; row++) {
        T *dq = (T *)a->pointers[0] + row * width;
        const f32 *slots = (const f32 *)a->pointers[1] + row * width;
        int64_t count = ((const int32_t *)a->pointers[2])[row];
        for (int64_t i = 0; i < width; i += LANES) {
            vec sum = count > 0 ? load_at_f32(slots, i, width - i) : vec_set(0);
            for (int64_t j = 1; j < count; j++) {
                sum = vec_add(sum, load_at_f32(slots + j * slot, i, width - i));
            }
            NAME(store_at)(dq, i, sum, width - i);
        }
    }
}
#undef SLOPE
#undef ITEM
