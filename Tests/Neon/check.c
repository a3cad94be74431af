// Arrays of seeded values and their comparison.
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUARD_BYTES 256
#define ARRAYS_MAX 256
#define UNTOUCHED 0xa5

int passed, failed;

static array held[ARRAYS_MAX];
static int held_count;

uint32_t random_word(random_stream *random) {
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)(z >> 32);
}

static size_t bytes_of(storage stored) {
    static const size_t bytes[] = {4, 2, 2, 4, 1};
    return bytes[stored];
}

static float number(array a, int64_t i) {
    if (a.stored == STORED_F32) return ((const float *)a.at)[i];
    uint16_t bits = ((const uint16_t *)a.at)[i];
    uint32_t wide = (uint32_t)bits << 16;
    float x;
    _Float16 h;
    memcpy(&x, &wide, sizeof x);
    memcpy(&h, &bits, sizeof h);
    return a.stored == STORED_BF16 ? x : (float)h;
}

// Half precision from upper bits, so that inputs need no rounding of their own.
static void set_number(array a, int64_t i, float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (a.stored == STORED_F32) {
        ((float *)a.at)[i] = x;
    } else if (a.stored == STORED_BF16) {
        ((uint16_t *)a.at)[i] = (uint16_t)(bits >> 16);
    } else {
        _Float16 h = (_Float16)x;
        memcpy((uint16_t *)a.at + i, &h, sizeof h);
    }
}

array array_empty(storage stored, int64_t count) {
    size_t bytes = (size_t)count * bytes_of(stored);
    void *memory = aligned_alloc(64, (bytes + 2 * GUARD_BYTES) / 64 * 64);
    if (!memory || held_count == ARRAYS_MAX) {
        fprintf(stderr, "neon: no memory for %zu bytes\n", bytes);
        exit(1);
    }
    memset(memory, UNTOUCHED, bytes + GUARD_BYTES);
    return held[held_count++] = (array){memory, stored, count};
}

array array_copy(array from) {
    array to = array_empty(from.stored, from.count);
    memcpy(to.at, from.at, (size_t)from.count * bytes_of(from.stored));
    return to;
}

static float between(random_stream *random, float low, float high) {
    return low + (float)(random_word(random) >> 8) * 0x1p-24f * (high - low);
}

static void fill_numbers(array a, content filled, random_stream *random) {
    for (int64_t i = 0; i < a.count; i++) {
        float x = filled == POSITIVE ? between(random, 0.1f, 2.1f) : between(random, -2, 2);
        bool hole = filled == ELEMENT_HOLES && random_word(random) % 16 == 0;
        set_number(a, i, hole ? NAN : x);
    }
}

static void fill_bytes(array a, random_stream *random) {
    for (size_t i = 0; i < (size_t)a.count * bytes_of(a.stored); i++) {
        ((uint8_t *)a.at)[i] = (uint8_t)random_word(random);
    }
}

// Any bits, and those that rounding may get wrong: NaN with low bits only, the largest numbers.
static void fill_float_bits(array a, random_stream *random) {
    static const uint32_t corners[] = {0x7f800001, 0xff80ffff, 0x7fffffff, 0x7f7fffff,
                                       0x80000000, 0x00008000, 0x3f808000, 0x7f800000};
    for (int64_t i = 0; i < a.count; i++) {
        uint32_t word = random_word(random);
        ((uint32_t *)a.at)[i] = i % 3 == 0 ? corners[word % 8] : word;
    }
}

static void fill_permutation(array a, random_stream *random) {
    int32_t *at = a.at;
    for (int64_t i = 0; i < a.count; i++) {
        int64_t other = random_word(random) % (i + 1);
        at[i] = at[other];
        at[other] = (int32_t)i;
    }
}

static void fill_whole_numbers(array a, content filled, shape s, random_stream *random) {
    int32_t *at = a.at;
    for (int64_t i = 0; i < a.count; i++) {
        int64_t word = random_word(random);
        switch (filled) {
        case INDEX: at[i] = (int32_t)(word % s.rows); break;
        case LABEL: at[i] = (int32_t)(word % (s.width + 1) - 1); break;
        case OFFSETS: at[i] = i == 0 ? 0 : at[i - 1] + (int32_t)(word % 4); break;
        case COUNT: at[i] = (int32_t)(word % 4); break;
        default: at[i] = (int32_t)(word % 2); break;
        }
    }
}

// Entries of 8-bit state in ascending order, table 0 with signs: so far apart that numbers of one
// start (ops/adamw.h) have one bound at most among them.
static float state_entry(int table, int code) {
    if (table == 1) return code == 0 ? 0 : powf(1.05f, (float)(code - 255));
    if (code == 127) return 0;
    return code < 127 ? -powf(1.1f, (float)-code) : powf(1.1f, (float)(code - 255));
}

static float state_bound(int table, int code) {
    return code < 255 ? (state_entry(table, code) + state_entry(table, code + 1)) / 2 : INFINITY;
}

static void fill_state_tables(array a) {
    float *at = a.at;
    for (int table = 0; table < 2; table++) {
        for (int code = 0; code < 256; code++) {
            at[table * 256 + code] = state_entry(table, code);
            at[512 + table * 256 + code] = state_bound(table, code);
        }
    }
}

// The code of the least number of each start, above 0 and below.
static void fill_state_starts(array a) {
    uint8_t *at = a.at;
    for (int row = 0; row < 4; row++) {
        for (uint32_t place = 0; place < CK_STATE_STARTS; place++) {
            uint32_t bits = (CK_STATE_FIRST + place) << 16 | (row % 2 ? 0x8000ffff : 0);
            if (row % 2 == 0 && place == 0) bits = 0;
            float least;
            int code = 0;
            memcpy(&least, &bits, sizeof least);
            while (least > state_bound(row / 2, code)) code++;
            at[row * CK_STATE_STARTS + (int)place] = (uint8_t)code;
        }
    }
}

array array_filled(content filled, element type, int64_t count, shape s, random_stream *random) {
    storage stored = (storage)type;
    if (filled == BYTES || filled == STATE_STARTS) stored = STORED_BYTE;
    else if (filled >= INT_ANY && filled <= BIT) stored = STORED_I32;
    else if (filled >= FLOAT) stored = STORED_F32;
    array a = array_empty(stored, count);
    switch (filled) {
    case FLOAT_ANY: fill_float_bits(a, random); break;
    case ELEMENT_ANY:
    case INT_ANY:
    case BYTES: fill_bytes(a, random); break;
    case PERMUTATION:
    case COLUMN_ORDER: fill_permutation(a, random); break;
    case STATE_TABLES: fill_state_tables(a); break;
    case STATE_STARTS: fill_state_starts(a); break;
    case MIDPOINTS:
        for (int64_t i = 0; i < count; i++) ((float *)a.at)[i] = (float)(i - 7) / 8 + 0.03f;
        break;
    case INDEX:
    case LABEL:
    case OFFSETS:
    case COUNT:
    case BIT: fill_whole_numbers(a, filled, s, random); break;
    default: fill_numbers(a, filled, random); break;
    }
    return a;
}

static bool guard_holds(array a) {
    const uint8_t *guard = (const uint8_t *)a.at + (size_t)a.count * bytes_of(a.stored);
    for (int i = 0; i < GUARD_BYTES; i++) {
        if (guard[i] != UNTOUCHED) return false;
    }
    return true;
}

bool check_free(const char *what) {
    bool holds = true;
    while (held_count > 0) {
        holds = guard_holds(held[--held_count]) && holds;
        free(held[held_count].at);
    }
    if (!holds) printf("%s: written past the end\n", what);
    return holds;
}

static bool near(float found, float expected, double slack, double step) {
    if (isnan(found) || isnan(expected)) return isnan(found) && isnan(expected);
    if (found == expected) return true;
    return fabs((double)found - (double)expected) <= slack + step * fabs((double)expected);
}

bool array_same(array found, array expected, double tolerance, const char *what) {
    static const double steps[] = {0, 0x1p-7, 0x1p-10};
    if (found.stored >= STORED_I32) {
        for (size_t i = 0; i < (size_t)found.count * bytes_of(found.stored); i++) {
            if (((uint8_t *)found.at)[i] == ((uint8_t *)expected.at)[i]) continue;
            printf("%s: byte %zu is %d instead of %d\n", what, i, ((uint8_t *)found.at)[i],
                   ((uint8_t *)expected.at)[i]);
            return false;
        }
        return true;
    }
    double largest = 0;
    for (int64_t i = 0; i < found.count; i++) {
        double size = fabs((double)number(expected, i));
        if (isfinite(size) && size > largest) largest = size;
    }
    double step = tolerance > 0 ? steps[found.stored] : 0;
    for (int64_t i = 0; i < found.count; i++) {
        if (near(number(found, i), number(expected, i), tolerance * largest, step)) continue;
        printf("%s: element %lld of %lld is %.9g instead of %.9g\n", what, (long long)i,
               (long long)found.count, (double)number(found, i), (double)number(expected, i));
        return false;
    }
    return true;
}

void run(const ck_tier *tier, ck_kernel kernel, const ck_args *args, int64_t units) {
    int64_t middle = tier == ck_tier_table(CK_TIER_SCALAR) ? 0 : units / 2;
    if (middle > 0) tier->functions[kernel](args, 0, middle);
    tier->functions[kernel](args, middle, units);
}

bool chain_same(const ck_tier *tier, chain make, const void *test, double tolerance,
                const char *what) {
    results found = make(tier, test);
    results expected = make(ck_tier_table(CK_TIER_SCALAR), test);
    bool same = true;
    for (int i = 0; i < found.count && same; i++) {
        char name[200];
        snprintf(name, sizeof name, "%s: %s, result %d", tier->name, what, i);
        same = array_same(found.arrays[i], expected.arrays[i], tolerance, name);
    }
    return check_free(what) && same;
}
