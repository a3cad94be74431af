// The table: what each kernel is given, over rows and widths that can go wrong.
#include "check.h"

#include <stdio.h>
#include <string.h>

// Sizes that depend on the shape; others are as they stand.
enum {
    ROWS = -1,
    WIDTH = -2,
    ALL = -3,          // rows of width
    LESS = -4,         // all but a part of the last row
    COLUMNS = -5,      // units of CK_COLUMNS columns
    DRAWS = -6,        // units of CK_RANDOM_BLOCK elements
    STATES = -7,       // blocks of CK_STATE_BLOCK elements
    ROWS_AND_ONE = -8,
    HALF = -9,         // bytes of four-bit codes of all
    GROUPS = -10,      // groups of 16 in all rows
    PAIRS = -11,       // pairs of rows
    TWICE = -12,       // columns
    TIMES = -1000,     // of rows, then of all
    TIMES_ALL = -2000,
};
#define PER_ROW(n) (TIMES - (n))
#define PER_ELEMENT(n) (TIMES_ALL - (n))
#define GROUP 16

typedef struct operand {
    content filled;
    int64_t count;
    enum { READ, WRITTEN } use;
} operand;
#define IN(filled, count) {filled, count, READ}
#define OUT(filled, count) {filled, count, WRITTEN}
#define NONE {NOTHING, 0, READ}

typedef struct row {
    const char *name;  // without its element type
    operand operands[CK_POINTERS];
    int64_t numbers[CK_NUMBERS];
    float scalars[CK_SCALARS];
    int64_t units;
    double tolerance;  // 0: the same bits
} row;

// Sums differ in the order of their terms, functions in the fused multiply-adds.
#define SUMS 4e-6
#define EXACT 0

static const row rows[] = {
    {"to_f32", {OUT(FLOAT, ALL), IN(ELEMENT_ANY, ALL)}, {0}, {0}, ALL, EXACT},
    {"from_f32", {OUT(ELEMENT, ALL), IN(FLOAT_ANY, ALL)}, {0}, {0}, ALL, EXACT},
    {"f32_from_i32", {OUT(FLOAT, ALL), IN(INT_ANY, ALL)}, {0}, {0}, ALL, EXACT},
    {"fill", {OUT(ELEMENT, ALL)}, {0}, {1.7f}, ALL, EXACT},
    {"repeat", {OUT(ELEMENT, ALL), IN(FLOAT, 1)}, {0}, {0}, ALL, EXACT},
    {"scale", {OUT(ELEMENT, ALL), IN(ELEMENT_HOLES, ALL)}, {0}, {1.7f}, ALL, EXACT},
    {"add", {OUT(ELEMENT, ALL), IN(ELEMENT_HOLES, ALL), IN(ELEMENT, ALL)}, {0}, {0}, ALL, EXACT},
    {"multiply", {OUT(ELEMENT, ALL), IN(ELEMENT, ALL), IN(ELEMENT, ALL)}, {0}, {0}, ALL, EXACT},
    {"add_row", {OUT(ELEMENT, ALL), IN(ELEMENT, ALL), IN(ELEMENT, WIDTH)}, {WIDTH}, {0}, ROWS,
     EXACT},
    {"multiply_row", {OUT(ELEMENT, ALL), IN(ELEMENT, ALL), IN(ELEMENT, WIDTH)}, {WIDTH}, {0}, ROWS,
     EXACT},
    {"sum_blocks", {OUT(FLOAT, ROWS), IN(ELEMENT, ALL)}, {LESS, WIDTH}, {0}, ROWS, SUMS},
    {"sum_rows", {OUT(ELEMENT, WIDTH), IN(ELEMENT, ALL)}, {ROWS, WIDTH}, {0}, COLUMNS, EXACT},
    {"rms_norm",
     {OUT(ELEMENT, ALL), OUT(FLOAT, ROWS), IN(ELEMENT, ALL), IN(ELEMENT, WIDTH)},
     {WIDTH}, {1e-6f}, ROWS, SUMS},
    {"rms_norm_dx",
     {OUT(ELEMENT, ALL), IN(ELEMENT, ALL), IN(ELEMENT, ALL), IN(ELEMENT, WIDTH),
      IN(POSITIVE, ROWS)},
     {WIDTH}, {0}, ROWS, SUMS},
    {"rms_norm_dw",
     {OUT(ELEMENT, WIDTH), IN(ELEMENT, ALL), IN(ELEMENT, ALL), IN(POSITIVE, ROWS)},
     {ROWS, WIDTH}, {0}, COLUMNS, SUMS},
    {"layer_norm",
     {OUT(ELEMENT, ALL), OUT(FLOAT, ROWS), OUT(FLOAT, ROWS), IN(ELEMENT, ALL), IN(ELEMENT, WIDTH),
      IN(ELEMENT, WIDTH)},
     {WIDTH}, {1e-5f}, ROWS, SUMS},
    {"layer_norm_dx",
     {OUT(ELEMENT, ALL), IN(ELEMENT, ALL), IN(ELEMENT, ALL), IN(ELEMENT, WIDTH), IN(FLOAT, ROWS),
      IN(POSITIVE, ROWS)},
     {WIDTH}, {0}, ROWS, SUMS},
    {"layer_norm_dw",
     {OUT(ELEMENT, WIDTH), IN(ELEMENT, ALL), IN(ELEMENT, ALL), IN(FLOAT, ROWS),
      IN(POSITIVE, ROWS)},
     {ROWS, WIDTH}, {0}, COLUMNS, SUMS},
#define ACTIVATION(name)                                                                       \
    {name, {OUT(ELEMENT, ALL), IN(ELEMENT_HOLES, ALL)}, {0}, {1.7f}, ALL, SUMS},               \
    {name "_dx", {OUT(ELEMENT, ALL), IN(ELEMENT, ALL), IN(ELEMENT, ALL)}, {0}, {1.7f}, ALL, SUMS}
    ACTIVATION("silu"),
    ACTIVATION("gelu"),
    ACTIVATION("gelu_tanh"),
    {"swiglu", {OUT(ELEMENT, ALL), IN(ELEMENT, ALL), IN(ELEMENT, ALL)}, {0}, {0}, ALL, SUMS},
    {"swiglu_d",
     {OUT(ELEMENT, ALL), OUT(ELEMENT, ALL), IN(ELEMENT, ALL), IN(ELEMENT, ALL), IN(ELEMENT, ALL)},
     {0}, {0}, ALL, SUMS},
    {"swiglu_d",
     {OUT(ELEMENT, ALL), NONE, IN(ELEMENT, ALL), IN(ELEMENT, ALL), IN(ELEMENT, ALL)},
     {0}, {0}, ALL, SUMS},
    {"copy_rows", {OUT(BYTES, ALL), IN(BYTES, ALL)}, {WIDTH, WIDTH, WIDTH}, {0}, ROWS, EXACT},
    {"gather_rows", {OUT(BYTES, ALL), IN(BYTES, ALL), IN(INDEX, ROWS)}, {WIDTH}, {0}, ROWS, EXACT},
    {"scatter_rows",
     {OUT(BYTES, ALL), IN(BYTES, ALL), IN(PERMUTATION, ROWS)}, {WIDTH}, {0}, ROWS, EXACT},
    {"scatter_rows", {OUT(BYTES, ALL), NONE, IN(PERMUTATION, ROWS)}, {WIDTH}, {0}, ROWS, EXACT},
    // Images of 3 channels of 4 x 6 in patches of 2 x 2, two bytes an element.
    {"patches", {OUT(BYTES, PER_ROW(144)), IN(BYTES, PER_ROW(144))}, {3, 4, 6, 2, 2}, {0},
     PER_ROW(6), EXACT},
    {"patches_dx", {IN(BYTES, PER_ROW(144)), OUT(BYTES, PER_ROW(144))}, {3, 4, 6, 2, 2}, {0},
     PER_ROW(6), EXACT},
    {"gather_columns",
     {OUT(ELEMENT, ALL), IN(ELEMENT_ANY, ALL), IN(COLUMN_ORDER, WIDTH)}, {WIDTH, WIDTH}, {0}, ROWS,
     EXACT},
    {"combine_rows",
     {OUT(ELEMENT, ALL), IN(ELEMENT, ALL), IN(PERMUTATION, ROWS), IN(OFFSETS, ROWS_AND_ONE),
      IN(INDEX, PER_ROW(3)), IN(FLOAT, PER_ROW(3))},
     {WIDTH}, {0}, ROWS, SUMS},
    {"combine_rows",
     {OUT(ELEMENT, ALL), IN(ELEMENT, ALL), NONE, IN(OFFSETS, ROWS_AND_ONE), IN(INDEX, PER_ROW(3))},
     {WIDTH}, {0}, ROWS, SUMS},
    {"softmax", {OUT(ELEMENT, ALL), IN(ELEMENT, ALL)}, {WIDTH}, {0}, ROWS, SUMS},
    {"softmax_dx", {OUT(ELEMENT, ALL), IN(ELEMENT, ALL), IN(ELEMENT, ALL)}, {WIDTH}, {0}, ROWS,
     SUMS},
    {"argmax", {OUT(COUNT, ROWS), IN(ELEMENT_HOLES, ALL)}, {WIDTH}, {0}, ROWS, EXACT},
    {"cross_entropy",
     {OUT(FLOAT, ROWS), OUT(FLOAT, ROWS), IN(ELEMENT, ALL), IN(LABEL, ROWS)}, {WIDTH}, {0}, ROWS,
     SUMS},
    {"cross_entropy_dx",
     {OUT(ELEMENT, ALL), IN(ELEMENT, ALL), IN(LABEL, ROWS), IN(FLOAT, ROWS), IN(FLOAT, ROWS)},
     {WIDTH, 1}, {0}, ROWS, SUMS},
    {"random_uniform", {OUT(FLOAT, ALL)}, {ALL, 77, 5}, {0}, DRAWS, EXACT},
    {"random_normal", {OUT(FLOAT, ALL)}, {ALL, 77, 5}, {0}, DRAWS, EXACT},
    {"dropout", {OUT(ELEMENT, ALL), IN(ELEMENT, ALL)}, {ALL, 77, 5, 1 << 30}, {1.25f}, DRAWS,
     EXACT},
    {"square_blocks", {OUT(FLOAT, ROWS), IN(ELEMENT, ALL)}, {LESS, WIDTH}, {0}, ROWS, SUMS},
    {"max_abs_blocks", {OUT(FLOAT, ROWS), IN(ELEMENT_HOLES, ALL)}, {LESS, WIDTH}, {0}, ROWS,
     EXACT},
    {"max_abs_blocks", {OUT(FLOAT, ROWS), IN(ELEMENT, ALL)}, {LESS, WIDTH}, {0}, ROWS, EXACT},
    {"row_means", {OUT(FLOAT, ROWS), IN(ELEMENT, ALL)}, {WIDTH}, {0}, ROWS, SUMS},
    {"spread_rows", {OUT(ELEMENT, ALL), IN(FLOAT, ROWS)}, {WIDTH}, {1.7f}, ROWS, EXACT},
    {"clip_factor", {OUT(FLOAT, 2), IN(POSITIVE, ROWS)}, {ROWS}, {0.5f, 1}, 1, SUMS},
    {"adamw",
     {OUT(FLOAT, ALL), OUT(FLOAT, ALL), OUT(FLOAT, ALL), IN(FLOAT, ALL), IN(FLOAT, ALL),
      IN(POSITIVE, ALL), IN(ELEMENT, ALL), IN(POSITIVE, 1)},
     {0}, {0.999f, 0.1f, 0.99f, 0.01f, 0.02f, 1e-8f}, ALL, SUMS},
    {"adamw8",
     {OUT(FLOAT, ALL), OUT(BYTES, ALL), OUT(FLOAT, STATES), OUT(BYTES, ALL), OUT(FLOAT, STATES),
      IN(FLOAT, ALL), IN(BYTES, ALL), IN(POSITIVE, STATES), IN(BYTES, ALL), IN(POSITIVE, STATES),
      IN(ELEMENT, ALL), IN(POSITIVE, 1), IN(STATE_TABLES, 1024),
      IN(STATE_STARTS, 4 * CK_STATE_STARTS)},
     {ALL}, {0.999f, 0.1f, 0.99f, 0.01f, 0.02f, 1e-8f}, STATES, SUMS},
    {"sgd",
     {OUT(FLOAT, ALL), OUT(FLOAT, ALL), IN(FLOAT, ALL), IN(FLOAT, ALL), IN(ELEMENT, ALL),
      IN(POSITIVE, 1)},
     {1}, {0.1f, 0.01f, 0.9f}, ALL, SUMS},
    {"sgd", {OUT(FLOAT, ALL), NONE, IN(FLOAT, ALL), NONE, IN(ELEMENT, ALL)}, {0}, {0.1f, 0.01f},
     ALL, SUMS},
    {"rotary",
     {OUT(ELEMENT, PER_ELEMENT(4)), IN(ELEMENT, PER_ELEMENT(4)), IN(FLOAT, ALL), IN(FLOAT, ALL)},
     {2, TWICE}, {-1}, ROWS, SUMS},
    {"rotary_angles",
     {OUT(FLOAT, ALL), OUT(FLOAT, ALL), IN(INDEX, PER_ROW(2)), IN(FLOAT, WIDTH), IN(BIT, WIDTH)},
     {ROWS, WIDTH}, {1.5f}, ROWS, EXACT},
    {"quantise_nf4",
     {OUT(BYTES, HALF), OUT(FLOAT, DRAWS), IN(ELEMENT, ALL), IN(MIDPOINTS, 15)}, {ALL, 64}, {0},
     DRAWS, EXACT},
    {"quantise_i8", {OUT(BYTES, ALL), OUT(FLOAT, ROWS), IN(ELEMENT, ALL)}, {WIDTH}, {0}, ROWS,
     EXACT},
    {"quantise_i4",
     {OUT(BYTES, HALF), OUT(FLOAT, GROUPS), OUT(FLOAT, GROUPS), IN(ELEMENT, ALL)},
     {ROWS, WIDTH, GROUP}, {0}, PAIRS, EXACT},
    {"quantise_i4", {OUT(BYTES, HALF), OUT(FLOAT, GROUPS), NONE, IN(ELEMENT, ALL)},
     {ROWS, WIDTH, GROUP}, {0}, PAIRS, EXACT},
    {"attention_pages",
     {OUT(ELEMENT, PER_ELEMENT(2)), OUT(ELEMENT, PER_ELEMENT(2)), NONE, NONE,
      IN(ELEMENT, PER_ELEMENT(2)), IN(ELEMENT, PER_ELEMENT(2)), IN(PERMUTATION, ROWS)},
     {2, WIDTH, 1}, {0}, ROWS, EXACT},
    {"attention_pages",
     {OUT(BYTES, PER_ELEMENT(2)), OUT(BYTES, PER_ELEMENT(2)), OUT(FLOAT, PER_ROW(2)),
      OUT(FLOAT, PER_ROW(2)), IN(ELEMENT, PER_ELEMENT(2)), IN(ELEMENT, PER_ELEMENT(2)),
      IN(PERMUTATION, ROWS)},
     {2, WIDTH, 1}, {0}, ROWS, EXACT},
    {"attention_gradient_sum",
     {OUT(ELEMENT, ALL), IN(FLOAT, PER_ELEMENT(3)), IN(COUNT, ROWS)}, {WIDTH, ALL}, {0}, ROWS,
     EXACT},
};
#define ROW_COUNT ((int)(sizeof rows / sizeof *rows))

static const shape shapes[] = {{1, 1}, {2, 4}, {5, 7}, {3, 64}, {2, 129}, {4, 33}, {7, 300}};
#define SHAPE_COUNT ((int)(sizeof shapes / sizeof *shapes))

static int64_t size(int64_t symbol, shape s) {
    int64_t all = s.rows * s.width;
    switch (symbol) {
    case ROWS: return s.rows;
    case WIDTH: return s.width;
    case ALL: return all;
    case LESS: return all - s.width / 3;
    case COLUMNS: return (s.width + CK_COLUMNS - 1) / CK_COLUMNS;
    case DRAWS: return (all + CK_RANDOM_BLOCK - 1) / CK_RANDOM_BLOCK;
    case STATES: return (all + CK_STATE_BLOCK - 1) / CK_STATE_BLOCK;
    case ROWS_AND_ONE: return s.rows + 1;
    case HALF: return (all + 1) / 2;
    case GROUPS: return s.rows * ((s.width + GROUP - 1) / GROUP);
    case PAIRS: return (s.rows + 1) / 2;
    case TWICE: return 2 * s.width;
    }
    if (symbol <= TIMES_ALL) return (TIMES_ALL - symbol) * all;
    return symbol <= TIMES ? (TIMES - symbol) * s.rows : symbol;
}

bool names_kernel(const char *name, const char *kernel) {
    size_t length = strlen(name);
    if (strncmp(name, kernel, length) != 0) return false;
    static const char *const endings[] = {"", "_f32", "_bf16", "_f16"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(kernel + length, endings[i]) == 0) return true;
    }
    return false;
}

bool rows_have(const char *name) {
    for (int i = 0; i < ROW_COUNT; i++) {
        if (names_kernel(rows[i].name, name)) return true;
    }
    return false;
}

static element element_of(const char *kernel) {
    size_t length = strlen(kernel);
    if (length > 5 && strcmp(kernel + length - 5, "_bf16") == 0) return ELEMENT_BF16;
    return length > 4 && strcmp(kernel + length - 4, "_f16") == 0 ? ELEMENT_F16 : ELEMENT_F32;
}

static bool row_same(const ck_tier *tier, ck_kernel kernel, const row *r, shape s) {
    const char *name = ck_kernel_name(kernel);
    random_stream random = {(uint64_t)kernel * 1000 + (uint64_t)(s.rows * s.width)};
    ck_args found = {0}, expected = {0};
    array made[CK_POINTERS], golden[CK_POINTERS];
    for (int i = 0; i < CK_POINTERS; i++) {
        const operand *o = &r->operands[i];
        if (o->filled == NOTHING) continue;
        made[i] = array_filled(o->filled, element_of(name), size(o->count, s), s, &random);
        golden[i] = array_copy(made[i]);
        found.pointers[i] = made[i].at;
        expected.pointers[i] = golden[i].at;
    }
    for (int i = 0; i < CK_NUMBERS; i++) found.numbers[i] = size(r->numbers[i], s);
    memcpy(found.scalars, r->scalars, sizeof r->scalars);
    memcpy(expected.numbers, found.numbers, sizeof found.numbers);
    memcpy(expected.scalars, found.scalars, sizeof found.scalars);
    run(tier, kernel, &found, size(r->units, s));
    run(ck_tier_table(CK_TIER_SCALAR), kernel, &expected, size(r->units, s));
    bool same = true;
    for (int i = 0; i < CK_POINTERS && same; i++) {
        if (r->operands[i].filled == NOTHING || r->operands[i].use == READ) continue;
        char what[200];
        snprintf(what, sizeof what, "%s: %s of %lld x %lld, pointer %d", tier->name, name,
                 (long long)s.rows, (long long)s.width, i);
        same = array_same(made[i], golden[i], r->tolerance, what);
    }
    return check_free(name) && same;
}

void compare_rows(const ck_tier *tier) {
    for (int kernel = 0; kernel < CK_KERNEL_COUNT; kernel++) {
        for (int i = 0; i < ROW_COUNT; i++) {
            if (!names_kernel(rows[i].name, ck_kernel_name((ck_kernel)kernel))) continue;
            for (int s = 0; s < SHAPE_COUNT; s++) {
                count_test(row_same(tier, (ck_kernel)kernel, &rows[i], shapes[s]));
            }
        }
    }
}
