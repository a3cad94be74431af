// out = softmax(scale q k^T) v for a ragged batch, with keys and values in rows or in pages.
//
// attention: pointers: out [N, H, K], logs float32 [N, H] (attention_log) or NULL, q [N, H, K],
//     k and v [M, G, K] or pages of such rows, items int32 [items][CK_ATTENTION_ITEM], pages int32
//     or NULL, sums float32 of parts or NULL, scales of int8 k and v float32 [rows, G] or NULL;
//     numbers: H, G, K, 1 if causal, rows of a page; scalars: scale log2(e).
//     Units: key heads of items.
//
// An item is some queries of one sequence and keys they see, with all query heads of a key head as
// rows, query by query: keys and values are packed once for all of them. Its entries: first query
// in the batch, queries, first key row of the sequence in the batch (with pages: where in them the
// sequence's begin), keys that the first query sees, first and end of the keys of the sequence to
// take (whole parts), and the row of sums for a part, or -1 for rows that are done with it.

typedef struct NAME(attention_item) {
    const ck_args *args;
    int64_t heads, width, group;     // heads of a group: those of one key head
    int64_t key_head, key_heads;
    int64_t query, queries;          // rows of the batch
    int64_t key_place;               // first key row of the sequence, or its place in `pages`
    int64_t seen;                    // keys that the first query sees; causal: the next one more
    int64_t begin, end;              // keys of the sequence that this item is for
    int64_t sums;                    // where sums of a part go; -1 if this item is all
    f32 scale;
    bool causal;
    tile_type type;
    int64_t rows, blocks;            // rows are queries times heads of the group
    int64_t units, stride;           // units of K in a tile, K rounded up to whole panels
    bool few;                        // rows that are one strip: then keys are the panels
    bool tiles, bytes;               // pages are tiles (page_tiles.h); and of int8
    bool direct;                     // v is multiplied where it is, and k if it is bytes
    // Scratch memory.
    f32 *q, *k, *v, *scores, *few_scores, *factors, *out, *part_out;
    f32 *key_scales;  // of the keys and values of a block of bytes that are tiles, or NULL
    uint8_t *halves;  // of the magnitudes of such bytes
    T *held;
    attention_sums *all, *part;
} NAME(attention_item);
#define ITEM NAME(attention_item)

// Keys that a row sees.
static inline int64_t NAME(attention_seen)(const ITEM *item, int64_t row) {
    return item->seen + (item->causal ? row / item->group : 0);
}

static inline int64_t NAME(attention_block_rows)(const ITEM *item, int64_t block) {
    int64_t left = item->rows - block * CK_ATTENTION_ROWS;
    return left < CK_ATTENTION_ROWS ? left : CK_ATTENTION_ROWS;
}

static ITEM NAME(attention_item_of)(const ck_args *a, int64_t unit) {
    const int64_t *n = a->numbers;
    const int32_t *entry = (const int32_t *)a->pointers[5] + unit / n[1] * CK_ATTENTION_ITEM;
    ITEM item = {
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
        .sums = entry[6],
        .scale = a->scalars[0],
        .causal = n[3] != 0,
        .type = _Generic((T){0}, bf16: TILE_BF16, default: TILE_F32),
    };
    item.rows = item.queries * item.group;
    item.blocks = (item.rows + CK_ATTENTION_ROWS - 1) / CK_ATTENTION_ROWS;
    item.units = tile_units(item.type, item.width);
    item.stride = (item.width + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS;
    item.few = item.rows <= TILE_ROWS;
    item.bytes = a->pointers[8] != NULL;
    item.tiles = a->pointers[6] && NAME(page_is_tiles)(item.width, n[4], item.bytes);
    return item;
}

// Shares out the thread's scratch memory.
static void NAME(attention_reserve)(ITEM *item) {
    int64_t rows = item->blocks * CK_ATTENTION_ROWS, keys = CK_ATTENTION_KEYS;
    int64_t states = item->blocks * (int64_t)(sizeof(attention_sums) / sizeof(f32));
    int64_t scores = (keys + 1) * CK_ATTENTION_ROWS, out = rows * item->stride;
    int64_t sizes[] = {rows * item->units, keys * item->units, keys * item->stride, scores,
                       TILE_ROWS * keys, CK_ATTENTION_ROWS, out, out, states, states,
                       keys * item->width, 2 * keys, PAGE_HALVES};
    int64_t total = 0, places[13];
    for (int i = 0; i < 13; i++) places[i] = total, total += (sizes[i] + 15) / 16 * 16;
    f32 *memory = ck_scratch((size_t)total * sizeof(f32));
    item->q = memory + places[0];
    item->k = memory + places[1];
    item->v = memory + places[2];
    item->scores = memory + places[3];
    item->few_scores = memory + places[4];
    item->factors = memory + places[5];
    item->out = memory + places[6];
    item->part_out = memory + places[7];
    item->all = (attention_sums *)(memory + places[8]);
    item->part = (attention_sums *)(memory + places[9]);
    item->held = (T *)(memory + places[10]);
    if (item->tiles && item->bytes) {
        item->key_scales = memory + places[11];
        item->halves = (uint8_t *)(memory + places[12]);
        page_halves(item->halves);
    }
    for (int64_t block = 0; block < item->blocks; block++) {
        item->all[block].out = item->out + block * CK_ATTENTION_ROWS * item->stride;
        item->part[block].out = item->part_out + block * CK_ATTENTION_ROWS * item->stride;
    }
}

// Where a row of q, or of out, is in the batch, in heads.
static inline int64_t NAME(attention_place)(const ITEM *item, int64_t row) {
    int64_t head = item->key_head * item->group + row % item->group;
    return (item->query + row / item->group) * item->heads + head;
}

// Packs q: panels of rows, or one strip if they are few.
static void NAME(attention_pack_queries)(ITEM *item) {
    const T *q = item->args->pointers[2];
    int64_t width = item->few ? item->rows : TILE_COLUMNS, size = item->units * width;
    for (int64_t row = 0; row < item->rows; row += width) {
        int64_t lines = item->rows - row < width ? item->rows - row : width;
        const T *from = q + NAME(attention_place)(item, row) * item->width;
        int64_t stride = item->heads * item->width;
        if (item->group > 1) {
            from = item->held;
            stride = item->width;
            for (int64_t i = 0; i < lines; i++) {
                memcpy(item->held + i * stride,
                       q + NAME(attention_place)(item, row + i) * item->width,
                       (size_t)stride * sizeof(T));
            }
        }
        f32 *to = item->q + row / width * size;
        NAME(tile_pack_lines)(item->type, to, width, from, stride, lines, item->width);
    }
}

#include "ops/attention_keys.h"

// What is fetched while k or v is multiplied: as many bytes a panel, of which one begins at a key,
// of keys or values of the pages. Nothing behind the last key.
static void NAME(attention_fetch_ahead)(const ITEM *item, tile *t, int value, const int64_t *keys) {
    int64_t size = item->bytes ? 1 : (int64_t)sizeof(T);
    const char *from = item->args->pointers[3 + value], *at[2];
    t->fetch = (const char *)t->a;
    t->fetch_panel = t->fetch_step = 0;
    if (!item->tiles || keys[0] >= item->end) return;
    for (int i = 0; i < 2; i++) {
        int64_t key = keys[i] < item->end ? keys[i] : keys[0];
        at[i] = from + NAME(attention_page_place)(item, key) * item->width * size;
    }
    t->fetch = at[0];
    t->fetch_panel = at[1] - at[0];
    t->fetch_step = TILE_COLUMNS * (int64_t)sizeof(f32) * size / (int64_t)sizeof(T);
}

// The product of one or two panels, which are bytes where those of the pages are multiplied.
static void NAME(attention_multiply_few)(const ITEM *item, const tile *t) {
#if defined(HAS_BF16_DOT)
    if (item->bytes && item->direct) {
        page_product p = {.rows = t->rows, .panels = t->columns / TILE_COLUMNS, .units = t->units};
        p.a = t->a, p.a_step = t->a_step ? t->a_step : t->rows;
        p.b = t->b, p.b_stride = t->b_stride;
        p.pieces = t->pieces, p.piece_units = t->piece_units;
        p.c = t->c, p.c_stride = t->c_stride, p.add = t->add;
        p.halves = item->halves;
        p.fetch = t->fetch, p.fetch_panel = t->fetch_panel, p.fetch_step = t->fetch_step;
        page_multiply(&p);
        return;
    }
#endif
    (void)item;
    tile_multiply(t);
}

// Scores of a few rows with the panels of keys that begin at `key`, two at a time. What is fetched
// meanwhile are the block's values, or the next block's keys if the values are here already.
static void NAME(attention_scores_few)(ITEM *item, int64_t key, int64_t keys, int64_t rows) {
    tile t = {.type = item->type, .units = item->units, .rows = rows, .strip_rows = rows};
    t.a = item->q, t.c_stride = CK_ATTENTION_KEYS;
    int64_t end = (keys + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS;
    for (int64_t i = 0; i < end; i += 2 * TILE_COLUMNS) {
        int64_t next = key + i + (item->direct ? 0 : CK_ATTENTION_KEYS);
        int64_t places[2] = {next, next + TILE_COLUMNS};
        bool two = end - i > TILE_COLUMNS;
        t.b = NAME(attention_panel)(item, key, i);
        t.b_stride = two ? NAME(attention_panel)(item, key, i + TILE_COLUMNS) - t.b : 0;
        t.columns = two ? 2 * TILE_COLUMNS : TILE_COLUMNS;
        t.c = item->few_scores + i;
        NAME(attention_fetch_ahead)(item, &t, item->direct ? 1 : 0, places);
        NAME(attention_multiply_few)(item, &t);
    }
    attention_turn(item->scores, item->few_scores, rows, keys);
}

// scores = k q^T of a block of rows with the first `keys` of `packed` keys from `key` on.
static void NAME(attention_scores)(ITEM *item, int64_t block, int64_t key, int64_t keys,
                                   int64_t packed) {
    int64_t rows = NAME(attention_block_rows)(item, block);
    if (item->few) {
        NAME(attention_scores_few)(item, key, keys, rows);
        return;
    }
    tile t = {.type = item->type, .units = item->units, .b_stride = item->units * TILE_COLUMNS};
    t.strip_rows = tile_strip_rows(packed);
    t.rows = (keys + t.strip_rows - 1) / t.strip_rows * t.strip_rows;
    if (t.rows > packed) t.rows = packed;
    t.columns = (rows + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS;
    t.a = item->k, t.b = item->q + block * CK_ATTENTION_ROWS * item->units;
    t.c = item->scores, t.c_stride = CK_ATTENTION_ROWS;
    tile_multiply(&t);
}

// out (+)= p v of a few rows, two panels at a time, from the pages if v is not packed.
static void NAME(attention_values_few)(const ITEM *item, const tile *all, int64_t key) {
    int64_t pieces[CK_ATTENTION_KEYS / TILE_COLUMNS], unit = tile_unit(item->type);
    tile t = *all;
    if (item->direct) {
        const f32 *first = NAME(attention_value_piece)(item, key);
        for (int64_t i = 0; i < t.units * unit; i += TILE_COLUMNS) {
            pieces[i / TILE_COLUMNS] = NAME(attention_value_piece)(item, key + i) - first;
        }
        t.b = first;
        t.b_stride = item->args->numbers[4] / unit * TILE_COLUMNS / (item->bytes ? 2 : 1);
        t.pieces = pieces;
        t.piece_units = TILE_COLUMNS / unit;
    }
    for (int64_t i = 0; i < item->stride; i += 2 * TILE_COLUMNS) {
        tile part = t;
        int64_t next = key + CK_ATTENTION_KEYS;
        int64_t places[2] = {next + i * CK_ATTENTION_KEYS / item->stride,
                             next + (i + TILE_COLUMNS) * CK_ATTENTION_KEYS / item->stride};
        part.columns = item->stride - i;
        if (part.columns > 2 * TILE_COLUMNS) part.columns = 2 * TILE_COLUMNS;
        part.b = t.b + i / TILE_COLUMNS * t.b_stride;
        part.c = t.c + i;
        NAME(attention_fetch_ahead)(item, &part, item->direct ? 0 : 1, places);
        NAME(attention_multiply_few)(item, &part);
    }
}

// Hides keys from rows that are before them: the first rows of a block, ever more of them.
static void NAME(attention_mask)(ITEM *item, int64_t block, int64_t key, int64_t keys) {
    int64_t first = block * CK_ATTENTION_ROWS, rows = NAME(attention_block_rows)(item, block);
    int64_t seen = NAME(attention_seen)(item, first) - key;
    for (int64_t i = seen > 0 ? seen : 0; i < keys; i++) {
        int64_t hidden = (key + i - item->seen + 1) * item->group - first;
        f32 *line = item->scores + i * CK_ATTENTION_ROWS;
        for (int64_t row = 0; row < hidden && row < rows; row++) line[row] = -INFINITY;
    }
}

// One block of rows meets one block of keys. The first one of a part begins its sums.
static void NAME(attention_meet)(ITEM *item, int64_t block, int64_t key, int64_t packed,
                                 attention_sums *sums, bool begins) {
    int64_t rows = NAME(attention_block_rows)(item, block);
    int64_t keys = NAME(attention_seen)(item, block * CK_ATTENTION_ROWS + rows - 1) - key;
    if (keys > packed) keys = packed;
    if (keys <= 0) return;
    NAME(attention_scores)(item, block, key, keys, packed);
    if (item->causal) NAME(attention_mask)(item, block, key, keys);
    attention_weights(item->type, item->scores, item->key_scales, keys, rows, item->scale, sums,
                      item->factors);
    for (int64_t row = 0; !begins && row < rows; row++) {
        if (item->factors[row] == 1) continue;
        attention_scale(sums->out + row * item->stride, item->factors[row], item->stride);
    }
    tile t = {
        .type = item->type,
        .rows = rows,
        .columns = item->stride,
        .units = tile_units(item->type, keys),
        .strip_rows = tile_strip_rows(rows),
        .a = item->scores,
        .a_step = CK_ATTENTION_ROWS,
        .b = item->v,
        .b_stride = tile_units(item->type, packed) * TILE_COLUMNS,
        .c = sums->out,
        .c_stride = item->stride,
        .add = !begins,
    };
    if (item->few) NAME(attention_values_few)(item, &t, key);
    else tile_multiply(&t);
}

// Rows without keys in the part stay as they are.
static void NAME(attention_join_part)(ITEM *item) {
    for (int64_t row = 0; row < item->rows; row++) {
        attention_sums *all = &item->all[row / CK_ATTENTION_ROWS];
        const attention_sums *part = &item->part[row / CK_ATTENTION_ROWS];
        int64_t i = row % CK_ATTENTION_ROWS;
        f32 factors[2];
        if (part->total[i] == 0) continue;
        attention_join(&all->largest[i], &all->total[i], part->largest[i], part->total[i], factors);
        attention_join_row(item->out + row * item->stride, factors[0],
                           item->part_out + row * item->stride, factors[1], item->stride);
    }
}

// out = sum / total; zero for a row that sees no key.
static void NAME(attention_finish_row)(const ck_args *a, int64_t place, int64_t width,
                                       const f32 *out, f32 largest, f32 total) {
    f32 *logs = a->pointers[1];
    if (logs) logs[place] = attention_log(largest, total);
    T *to = (T *)a->pointers[0] + place * width;
    vec factor = vec_set(1 / total);
    for (int64_t i = 0; i < width; i += LANES) {
        vec y = total == 0 ? vec_set(0) : vec_mul(load_at_f32(out, i, width - i), factor);
        NAME(store_at)(to, i, y, width - i);
    }
}

static void NAME(attention_finish)(const ITEM *item) {
    f32 *sums = item->args->pointers[7];
    for (int64_t row = 0; row < item->rows; row++) {
        const attention_sums *all = &item->all[row / CK_ATTENTION_ROWS];
        f32 largest = all->largest[row % CK_ATTENTION_ROWS];
        f32 total = all->total[row % CK_ATTENTION_ROWS];
        const f32 *out = item->out + row * item->stride;
        if (item->sums < 0) {
            NAME(attention_finish_row)(item->args, NAME(attention_place)(item, row), item->width,
                                       out, largest, total);
            continue;
        }
        int64_t place = item->sums + item->key_head * item->rows + row;
        f32 *to = sums + place * (item->stride + 2);
        to[0] = largest;
        to[1] = total;
        if (total != 0) memcpy(to + 2, out, (size_t)item->stride * sizeof(f32));
    }
}

static void NAME(attention)(const ck_args *a, int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; unit++) {
        ITEM item = NAME(attention_item_of)(a, unit);
        NAME(attention_reserve)(&item);
        NAME(attention_pack_queries)(&item);
        for (int64_t block = 0; block < item.blocks; block++) attention_clear(&item.all[block]);
        for (int64_t key = item.begin; key < item.end; key += CK_ATTENTION_KEYS) {
            bool begins = key % CK_ATTENTION_PART == 0;
            bool joins = key - item.begin >= CK_ATTENTION_PART;
            attention_sums *sums = joins ? item.part : item.all;
            int64_t keys = item.end - key < CK_ATTENTION_KEYS ? item.end - key : CK_ATTENTION_KEYS;
            NAME(attention_pack_keys)(&item, key, keys);
            for (int64_t block = 0; block < item.blocks; block++) {
                if (begins) attention_clear(&sums[block]);
                NAME(attention_meet)(&item, block, key, keys, &sums[block], begins);
            }
            bool ends = key + keys == item.end || (key + keys) % CK_ATTENTION_PART == 0;
            if (joins && ends) NAME(attention_join_part)(&item);
        }
        NAME(attention_finish)(&item);
    }
}

// Joins the parts of items that were cut. A row of sums is the largest score, the total and out,
// K rounded up to whole panels.
//
// attention_join: pointers: out, logs or NULL, sums, queries int32 [queries][CK_ATTENTION_JOIN]
//     (row of the batch, queries of its item, which of them, first row of sums, parts);
//     numbers: H, G, K. Units: heads of queries.
static void NAME(attention_join)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t heads = a->numbers[0], group = heads / a->numbers[1], width = a->numbers[2];
    int64_t stride = (width + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS;
    f32 *sums = a->pointers[2];
    for (int64_t unit = begin; unit < end; unit++) {
        const int32_t *entry = (const int32_t *)a->pointers[3] + unit / heads * CK_ATTENTION_JOIN;
        int64_t query = entry[0], head = unit % heads, queries = entry[1];
        int64_t row = head / group * queries * group + entry[2] * group + head % group;
        f32 *all = sums + (entry[3] + row) * (stride + 2);
        for (int64_t part = 1; part < entry[4]; part++) {
            const f32 *other = all + part * queries * heads * (stride + 2);
            f32 factors[2];
            if (other[1] == 0) continue;
            attention_join(&all[0], &all[1], other[0], other[1], factors);
            attention_join_row(all + 2, factors[0], other + 2, factors[1], stride);
        }
        NAME(attention_finish_row)(a, query * heads + head, width, all + 2, all[0], all[1]);
    }
}
