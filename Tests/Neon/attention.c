// Attention and its derivatives: the parts of one computation, compared at its end.
#include "check.h"

#include <stdio.h>

#define PAGE 16
#define LOG2E 1.44269504f

const char *const attention_kernels[] = {"attention", "attention_join", "attention_gradient", NULL};

// Two sequences of so many queries and keys.
typedef struct attention_test {
    int64_t queries[2], keys[2], heads, key_heads, width;
    bool causal;
    enum { IN_ROWS, IN_PAGES, IN_PAGES_OF_BYTES } place;
    element type;
} attention_test;

typedef struct attention_memory {
    array q, k, v, out, logs, items, pages, k_scales, v_scales, sums, joins;
    int64_t rows, key_rows, item_count, sums_rows, join_count;
} attention_memory;

static void add_item(attention_memory *m, const int64_t *entries) {
    int32_t *to = (int32_t *)m->items.at + m->item_count++ * CK_ATTENTION_ITEM;
    for (int i = 0; i < CK_ATTENTION_ITEM; i++) to[i] = (int32_t)entries[i];
}

// One item for a sequence, or one for each part of its keys, to be joined.
static void cut(const attention_test *t, attention_memory *m, int index, int64_t query,
                int64_t place) {
    int64_t queries = t->queries[index], keys = t->keys[index];
    int64_t seen = t->causal ? keys - queries + 1 : keys;
    int64_t parts = (keys + CK_ATTENTION_PART - 1) / CK_ATTENTION_PART;
    if (parts == 1) {
        add_item(m, (int64_t[]){query, queries, place, seen, 0, keys, -1});
        return;
    }
    for (int64_t i = 0; i < queries; i++) {
        int32_t *to = (int32_t *)m->joins.at + m->join_count++ * CK_ATTENTION_JOIN;
        int64_t entries[] = {query + i, queries, i, m->sums_rows, parts};
        for (int j = 0; j < CK_ATTENTION_JOIN; j++) to[j] = (int32_t)entries[j];
    }
    for (int64_t part = 0; part < parts; part++) {
        int64_t begin = part * CK_ATTENTION_PART, end = begin + CK_ATTENTION_PART;
        if (end > keys) end = keys;
        add_item(m, (int64_t[]){query, queries, place, seen, begin, end, m->sums_rows});
        m->sums_rows += queries * t->heads;
    }
}

static void make_keys(const attention_test *t, attention_memory *m, random_stream *random) {
    shape none = {1, 1};
    int64_t pages = 0;
    for (int i = 0; i < 2; i++) {
        m->key_rows += t->keys[i];
        pages += (t->keys[i] + PAGE - 1) / PAGE;
    }
    if (t->place != IN_ROWS) {
        m->key_rows = pages * PAGE;
        m->pages = array_filled(PERMUTATION, t->type, pages, none, random);
    }
    bool bytes = t->place == IN_PAGES_OF_BYTES;
    int64_t heads = m->key_rows * t->key_heads, count = heads * t->width;
    m->k = array_filled(bytes ? BYTES : ELEMENT, t->type, count, none, random);
    m->v = array_filled(bytes ? BYTES : ELEMENT, t->type, count, none, random);
    if (!bytes) return;
    m->k_scales = array_filled(POSITIVE, t->type, heads, none, random);
    m->v_scales = array_filled(POSITIVE, t->type, heads, none, random);
    for (int64_t i = 0; i < heads; i++) ((float *)m->k_scales.at)[i] /= 100;
}

static attention_memory make(const attention_test *t) {
    random_stream random = {(uint64_t)(t->queries[0] * 100 + t->keys[1] * 7 + t->width)};
    attention_memory m = {.rows = t->queries[0] + t->queries[1]};
    shape none = {1, 1};
    m.q = array_filled(ELEMENT, t->type, m.rows * t->heads * t->width, none, &random);
    m.out = array_empty(m.q.stored, m.q.count);
    m.logs = array_empty(STORED_F32, m.rows * t->heads);
    make_keys(t, &m, &random);
    m.items = array_empty(STORED_I32, 16 * CK_ATTENTION_ITEM);
    m.joins = array_empty(STORED_I32, m.rows * CK_ATTENTION_JOIN);
    int64_t pages = (t->keys[0] + PAGE - 1) / PAGE;
    cut(t, &m, 0, 0, 0);
    cut(t, &m, 1, t->queries[0], t->place == IN_ROWS ? t->keys[0] : pages);
    m.sums = array_empty(STORED_F32, m.sums_rows * ((t->width + 31) / 32 * 32 + 2));
    return m;
}

static float scale_of(const attention_test *t) { return 2.0f / (float)t->width; }

static attention_memory forward(const ck_tier *tier, const attention_test *t) {
    attention_memory m = make(t);
    ck_args args = {.pointers = {m.out.at, m.logs.at, m.q.at, m.k.at, m.v.at, m.items.at,
                                 m.pages.at, m.sums_rows > 0 ? m.sums.at : NULL, m.k_scales.at,
                                 m.v_scales.at},
                    .numbers = {t->heads, t->key_heads, t->width, t->causal, PAGE},
                    .scalars = {scale_of(t) * LOG2E}};
    run(tier, kernel_for(CK_attention_f32, t->type), &args, m.item_count * t->key_heads);
    if (m.join_count == 0) return m;
    ck_args join = {.pointers = {m.out.at, m.logs.at, m.sums.at, m.joins.at},
                    .numbers = {t->heads, t->key_heads, t->width}};
    run(tier, kernel_for(CK_attention_join_f32, t->type), &join, m.join_count * t->heads);
    return m;
}

static results attend(const ck_tier *tier, const void *test) {
    attention_memory m = forward(tier, test);
    return (results){.arrays = {m.out, m.logs}, .count = 2};
}

static results slopes(const ck_tier *tier, const void *test) {
    const attention_test *t = test;
    attention_memory m = forward(tier, t);
    random_stream random = {99};
    array dy = array_filled(ELEMENT, t->type, m.q.count, (shape){1, 1}, &random);
    array dq = array_empty(STORED_F32, m.q.count);
    array dk = array_empty(m.k.stored, m.k.count), dv = array_empty(m.v.stored, m.v.count);
    m.item_count = 0;
    int64_t query = 0, key = 0;
    for (int i = 0; i < 2; i++) {
        int64_t seen = t->causal ? t->keys[i] - t->queries[i] + 1 : t->keys[i];
        add_item(&m, (int64_t[]){query, t->queries[i], key, seen, 0, t->keys[i], 0});
        query += t->queries[i];
        key += t->keys[i];
    }
    ck_args args = {.pointers = {dq.at, dk.at, dv.at, dy.at, m.out.at, m.logs.at, m.q.at, m.k.at,
                                 m.v.at, m.items.at},
                    .numbers = {t->heads, t->key_heads, t->width, t->causal, m.q.count},
                    .scalars = {scale_of(t) * LOG2E, scale_of(t)}};
    run(tier, kernel_for(CK_attention_gradient_f32, t->type), &args, 2 * t->key_heads);
    return (results){.arrays = {dq, dk, dv}, .count = 3};
}

static void compare(const ck_tier *tier, attention_test t) {
    // Weights are rounded to bfloat16 where keys are: a step of the exponential may be one of them.
    double tolerance = t.type == ELEMENT_BF16 ? 4e-3 : t.type == ELEMENT_F16 ? 5e-4 : 1e-5;
    char what[160];
    snprintf(what, sizeof what, "attention of %lld by %lld, %lld by %lld, type %d, place %d",
             (long long)t.queries[0], (long long)t.keys[0], (long long)t.queries[1],
             (long long)t.keys[1], (int)t.type, (int)t.place);
    count_test(chain_same(tier, attend, &t, tolerance, what));
    if (t.place == IN_ROWS) count_test(chain_same(tier, slopes, &t, 4 * tolerance, what));
}

void compare_attention(const ck_tier *tier) {
    static const attention_test tests[] = {
        {{1, 1}, {1, 3}, 1, 1, 1, false, IN_ROWS, ELEMENT_F32},
        {{70, 9}, {70, 140}, 4, 2, 40, true, IN_ROWS, ELEMENT_F32},
        {{33, 5}, {200, 7}, 3, 3, 33, false, IN_ROWS, ELEMENT_F32},
        {{2, 1}, {2100, 1025}, 4, 1, 24, true, IN_ROWS, ELEMENT_F32},
        {{1, 3}, {77, 1200}, 4, 2, 64, true, IN_PAGES, ELEMENT_F32},
        {{1, 3}, {50, 130}, 4, 2, 40, true, IN_PAGES_OF_BYTES, ELEMENT_F32},
    };
    for (int i = 0; i < (int)(sizeof tests / sizeof *tests); i++) {
        for (int type = 0; type < ELEMENT_COUNT; type++) {
            attention_test t = tests[i];
            t.type = (element)type;
            compare(tier, t);
        }
    }
}
