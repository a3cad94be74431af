// Products: what is packed looks different in each tier, so packing and product are one chain.
#include "check.h"

#include <stdio.h>

#define PANEL 32
#define DEPTH_BLOCK 1024
#define LOW_DEPTH 5
// Elements that share a scale in four-bit weights with zeros, and in a block of NF4.
#define GROUP 16
#define NF4_BLOCK 64

const char *const product_kernels[] = {
    "pack_rows", "pack_columns", "matmul", "weight_pack", "weight_pack_i8", "weight_pack_lut4",
    "weight_unpack", "quantise_rows", NULL,
};

typedef struct product {
    int64_t rows, columns, depth;
    ck_product kind;
    element x, w, out;
    ck_weight weight;  // CK_WEIGHT_TILES: a plain matrix
    // Operands that lie the other way: x as [depth][rows]; a frozen weight as [depth][columns].
    bool x_across, w_across;
    bool zeros;        // four-bit whole numbers with zeros; else NF4
    bool extras;       // a bias, a low product, and sums that add to what is there
} product;

// The operands as a tier has packed them.
typedef struct operands {
    array a, row_scales, b, scales, zeros, table, column_scales, column_sums;
    int64_t group;
} operands;

static int64_t divided(int64_t a, int64_t b) { return (a + b - 1) / b; }

static int64_t row_block(const product *p) {
    int64_t most = p->kind == CK_PRODUCT_F32 ? 280 : 560;
    return divided(p->rows, divided(p->rows, most));
}

static array pack_rows(const ck_tier *tier, ck_product kind, element type, array x, int64_t rows,
                       int64_t depth, bool across, int64_t block) {
    array packed = array_empty(STORED_F32, rows * depth);
    ck_args args = {
        .pointers = {packed.at, x.at},
        .numbers = {rows, depth, across ? rows : depth, across, kind, block, DEPTH_BLOCK}};
    run(tier, kernel_for(CK_pack_rows_f32, type), &args,
        divided(rows, block) * divided(depth, DEPTH_BLOCK));
    return packed;
}

static array pack_columns(const ck_tier *tier, ck_product kind, element type, array w,
                          int64_t columns, int64_t depth, bool across) {
    array packed = array_empty(STORED_F32, divided(columns, PANEL) * PANEL * depth);
    ck_args args = {.pointers = {packed.at, w.at},
                    .numbers = {columns, depth, across ? columns : depth, across, kind}};
    run(tier, kernel_for(CK_pack_columns_f32, type), &args, divided(columns, PANEL));
    return packed;
}

static void pack_left(const ck_tier *tier, const product *p, operands *o, random_stream *random) {
    shape s = {p->rows, p->depth};
    array x = array_filled(ELEMENT, p->x, p->rows * p->depth, s, random);
    if (p->kind != CK_PRODUCT_I8) {
        o->a = pack_rows(tier, p->kind, p->x, x, p->rows, p->depth, p->x_across, row_block(p));
        return;
    }
    o->a = array_empty(STORED_F32, p->rows * p->depth);
    o->row_scales = array_empty(STORED_F32, p->rows);
    ck_args args = {.pointers = {o->a.at, o->row_scales.at, x.at},
                    .numbers = {p->rows, p->depth, row_block(p)}};
    run(tier, kernel_for(CK_quantise_rows_f32, p->x), &args, p->rows);
}

static void pack_i8(const ck_tier *tier, const product *p, operands *o, array w, shape s) {
    array values = array_empty(STORED_BYTE, s.rows * s.width);
    o->column_scales = array_empty(STORED_F32, s.rows);
    o->column_sums = array_empty(STORED_I32, s.rows);
    o->b = array_empty(STORED_BYTE, divided(s.rows, PANEL) * PANEL * divided(s.width, 4) * 4);
    ck_args quantise = {.pointers = {values.at, o->column_scales.at, w.at}, .numbers = {s.width}};
    run(tier, kernel_for(CK_quantise_i8_f32, p->w), &quantise, s.rows);
    ck_args pack = {.pointers = {o->b.at, o->column_sums.at, values.at},
                    .numbers = {s.rows, s.width}};
    run(tier, CK_weight_pack_i8, &pack, divided(s.rows, PANEL));
}

// Scales for groups of a row, or for blocks of all rows in one sequence.
static array quantise_lut4(const ck_tier *tier, const product *p, array w, shape s, array *scales,
                           array *zeros) {
    int64_t count = s.rows * s.width;
    array codes = array_empty(STORED_BYTE, divided(count, 2));
    if (p->zeros) {
        *scales = array_empty(STORED_F32, s.rows * divided(s.width, GROUP));
        *zeros = array_empty(STORED_F32, s.rows * divided(s.width, GROUP));
        ck_args args = {.pointers = {codes.at, scales->at, zeros->at, w.at},
                        .numbers = {s.rows, s.width, GROUP}};
        run(tier, kernel_for(CK_quantise_i4_f32, p->w), &args, divided(s.rows, 2));
        return codes;
    }
    *scales = array_empty(STORED_F32, divided(count, NF4_BLOCK));
    random_stream none = {0};
    array midpoints = array_filled(MIDPOINTS, ELEMENT_F32, 15, s, &none);
    ck_args args = {.pointers = {codes.at, scales->at, w.at, midpoints.at},
                    .numbers = {count, NF4_BLOCK}};
    run(tier, kernel_for(CK_quantise_nf4_f32, p->w), &args, divided(count, NF4_BLOCK));
    return codes;
}

static void pack_lut4(const ck_tier *tier, const product *p, operands *o, array w, shape s) {
    array scales, zeros = {0};
    array codes = quantise_lut4(tier, p, w, s, &scales, &zeros);
    o->group = GROUP;
    // A group of a row of NF4 is in one block: the largest power of 2 in both.
    for (o->group = p->zeros ? GROUP : NF4_BLOCK; !p->zeros && s.width % o->group;) o->group /= 2;
    int64_t panels = divided(s.rows, PANEL), groups = divided(s.width, o->group);
    o->b = array_empty(STORED_BYTE, panels * PANEL * divided(s.width, 16) * 8);
    o->scales = array_empty(STORED_F32, panels * groups * PANEL);
    if (p->zeros) o->zeros = array_empty(STORED_F32, panels * groups * PANEL);
    ck_args args = {.pointers = {o->b.at, o->scales.at, o->zeros.at, codes.at, scales.at, zeros.at},
                    .numbers = {s.rows, s.width, o->group, p->zeros ? 0 : NF4_BLOCK}};
    run(tier, CK_weight_pack_lut4, &args, panels);
    o->table = array_empty(STORED_F32, 16);
    for (int i = 0; i < 16; i++) {
        ((float *)o->table.at)[i] = p->zeros ? (float)i : (float)(i - 7) / 8;
    }
}

static shape weight_shape(const product *p) {
    bool turned = p->weight != CK_WEIGHT_TILES && p->w_across;
    return turned ? (shape){p->depth, p->columns} : (shape){p->columns, p->depth};
}

static void pack_right(const ck_tier *tier, const product *p, operands *o, random_stream *random) {
    shape s = weight_shape(p);
    array w = array_filled(ELEMENT, p->w, s.rows * s.width, s, random);
    switch (p->weight) {
    case CK_WEIGHT_TILES:
        o->b = pack_columns(tier, p->kind, p->w, w, p->columns, p->depth, p->w_across);
        break;
    case CK_WEIGHT_I8: pack_i8(tier, p, o, w, s); break;
    case CK_WEIGHT_LUT4: pack_lut4(tier, p, o, w, s); break;
    default: {
        int64_t bytes = p->w == ELEMENT_F32 ? 4 : 2, words = divided(s.width, 4 / bytes);
        o->b = array_empty(STORED_BYTE, divided(s.rows, PANEL) * PANEL * words * 4);
        ck_args args = {.pointers = {o->b.at, w.at}, .numbers = {s.rows, s.width}};
        run(tier, kernel_for(CK_weight_pack_f32, p->w), &args, divided(s.rows, PANEL));
    }
    }
}

// The weight taken apart again.
static array unpacked(const ck_tier *tier, const product *p, const operands *o) {
    shape s = weight_shape(p);
    array w = array_empty(STORED_F32, s.rows * s.width);
    ck_args args = {.pointers = {w.at, o->b.at, o->scales.at, o->zeros.at, o->table.at,
                                 o->column_scales.at},
                    .numbers = {p->weight, s.rows, s.width, o->group > 0 ? o->group : 1}};
    run(tier, CK_weight_unpack, &args, divided(s.rows, PANEL));
    return w;
}

static void add_extras(const ck_tier *tier, const product *p, ck_args *args,
                       random_stream *random) {
    shape s = {p->rows, p->columns};
    args->pointers[7] = array_filled(FLOAT, ELEMENT_F32, p->columns, s, random).at;
    array x = array_filled(FLOAT, ELEMENT_F32, p->rows * LOW_DEPTH, s, random);
    array w = array_filled(FLOAT, ELEMENT_F32, p->columns * LOW_DEPTH, s, random);
    args->pointers[8] = pack_rows(tier, CK_PRODUCT_F32, ELEMENT_F32, x, p->rows, LOW_DEPTH, false,
                                  row_block(p)).at;
    args->pointers[9] =
        pack_columns(tier, CK_PRODUCT_F32, ELEMENT_F32, w, p->columns, LOW_DEPTH, false).at;
    args->numbers[11] = LOW_DEPTH;
    args->numbers[12] = 1;
}

static results multiply(const ck_tier *tier, const void *test) {
    const product *p = test;
    random_stream random = {(uint64_t)(p->rows * 7 + p->columns * 5 + p->depth)};
    operands o = {0};
    pack_left(tier, p, &o, &random);
    pack_right(tier, p, &o, &random);
    shape s = weight_shape(p);
    bool frozen = p->weight != CK_WEIGHT_TILES, across = frozen && p->w_across;
    array out = array_filled(ELEMENT, p->out, p->rows * p->columns, s, &random);
    int64_t block = row_block(p), column_block = 2 * PANEL;
    ck_args args = {
        .pointers = {out.at, o.a.at, o.b.at, across && !o.scales.at ? o.column_scales.at
                                                                   : o.scales.at,
                     o.zeros.at, o.table.at, across ? NULL : o.column_scales.at, NULL, NULL, NULL,
                     o.row_scales.at,
                     p->kind == CK_PRODUCT_I8 ? o.column_sums.at : NULL},
        .numbers = {p->rows, p->columns, p->depth, p->kind, p->weight, block, column_block, across,
                    s.rows, s.width, o.group}};
    if (p->extras) add_extras(tier, p, &args, &random);
    run(tier, kernel_for(CK_matmul_f32, p->out), &args,
        divided(p->rows, block) * divided(p->columns, column_block));
    results found = {.arrays = {out}, .count = 1};
    if (frozen) found.arrays[found.count++] = unpacked(tier, p, &o);
    return found;
}

static void compare(const ck_tier *tier, const product *p) {
    char what[160];
    snprintf(what, sizeof what,
             "product %d of %lld x %lld x %lld, weight %d, types %d %d %d, across %d %d",
             (int)p->kind, (long long)p->rows, (long long)p->columns, (long long)p->depth,
             (int)p->weight, (int)p->x, (int)p->w, (int)p->out, p->x_across, p->w_across);
    count_test(chain_same(tier, multiply, p, 1e-5, what));
}

static const product sizes[] = {
    {.rows = 1, .columns = 1, .depth = 1},     {.rows = 1, .columns = 70, .depth = 300},
    {.rows = 3, .columns = 33, .depth = 129},  {.rows = 5, .columns = 130, .depth = 64},
    {.rows = 19, .columns = 64, .depth = 600}, {.rows = 61, .columns = 31, .depth = 1040},
};
#define SIZES ((int)(sizeof sizes / sizeof *sizes))

// Plain matrices of each type, and both ways of lying of each operand.
static void compare_plain(const ck_tier *tier, product p) {
    for (int type = 0; type < ELEMENT_COUNT; type++) {
        for (int ways = 0; ways < 4; ways++) {
            p.x = p.w = p.out = (element)type;
            p.x_across = ways % 2 == 1;
            p.w_across = ways / 2 == 1;
            p.extras = ways % 2 == 1;
            p.kind = CK_PRODUCT_F32;
            compare(tier, &p);
            p.kind = CK_PRODUCT_BF16;
            compare(tier, &p);
        }
    }
}

static void compare_frozen(const ck_tier *tier, product p) {
    static const struct { ck_weight weight; element w; bool zeros; } formats[] = {
        {CK_WEIGHT_F32, ELEMENT_F32, false},   {CK_WEIGHT_BF16, ELEMENT_BF16, false},
        {CK_WEIGHT_F16, ELEMENT_F16, false},   {CK_WEIGHT_I8, ELEMENT_F32, false},
        {CK_WEIGHT_LUT4, ELEMENT_F32, false},  {CK_WEIGHT_LUT4, ELEMENT_BF16, true},
    };
    for (int i = 0; i < 6; i++) {
        for (int ways = 0; ways < 2; ways++) {
            p.weight = formats[i].weight, p.w = formats[i].w, p.zeros = formats[i].zeros;
            p.w_across = ways == 1, p.extras = ways == 0;
            p.kind = CK_PRODUCT_F32, p.x = p.out = ELEMENT_F32;
            compare(tier, &p);
            if (p.weight == CK_WEIGHT_F32 || p.weight == CK_WEIGHT_F16) continue;
            p.kind = CK_PRODUCT_BF16, p.x = p.out = ELEMENT_BF16;
            compare(tier, &p);
        }
    }
}

static void compare_whole(const ck_tier *tier, product p) {
    for (int type = 0; type < ELEMENT_COUNT; type++) {
        p.kind = CK_PRODUCT_I8, p.weight = CK_WEIGHT_I8, p.w_across = false;
        p.x = p.w = p.out = (element)type;
        p.extras = type == ELEMENT_F16;
        compare(tier, &p);
    }
}

void compare_products(const ck_tier *tier) {
    for (int i = 0; i < SIZES; i++) {
        compare_plain(tier, sizes[i]);
        compare_frozen(tier, sizes[i]);
        compare_whole(tier, sizes[i]);
    }
}
