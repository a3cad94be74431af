// Comparison of a tier of CKernels with the scalar one: arrays of seeded values, and what is made
// of them twice.
#pragma once
#include "CKernels.h"

// How the elements of an array are stored.
typedef enum storage { STORED_F32, STORED_BF16, STORED_F16, STORED_I32, STORED_BYTE } storage;

// What an array is filled with.
typedef enum content {
    NOTHING,         // no array: a null pointer
    ELEMENT,         // numbers in [-2, 2) of the kernel's element type
    ELEMENT_ANY,     // any bits of the kernel's element type: infinities, NaN, denormal numbers
    ELEMENT_HOLES,   // numbers, here and there NaN
    FLOAT,           // numbers in [-2, 2)
    FLOAT_ANY,       // any bits
    POSITIVE,        // numbers in [0.1, 2.1)
    INT_ANY,         // any bits
    INDEX,           // rows, any number of times
    LABEL,           // columns, or -1
    PERMUTATION,     // each row once
    COLUMN_ORDER,    // each column once
    OFFSETS,         // ascending from 0 by 0 to 3
    COUNT,           // 0 to 3
    BIT,             // 0 or 1
    BYTES,           // any bits
    STATE_TABLES,    // of 8-bit optimiser state (ops/adamw.h)
    STATE_STARTS,    // of the codes of those tables
    MIDPOINTS,       // 15 ascending numbers between -1 and 1
} content;

typedef struct array {
    void *at;
    storage stored;
    int64_t count;
} array;

// Rows and columns of a test, and which of the three element types it is for.
typedef struct shape { int64_t rows, width; } shape;
typedef enum element { ELEMENT_F32, ELEMENT_BF16, ELEMENT_F16, ELEMENT_COUNT } element;

// A stream of numbers that a seed determines.
typedef struct random_stream { uint64_t state; } random_stream;
uint32_t random_word(random_stream *random);

// Memory that lasts until check_free. An array ends where a guard begins that no kernel may touch,
// which is looked at then; it holds what `filled` says, or bytes that are the same each time.
array array_empty(storage stored, int64_t count);
array array_filled(content filled, element type, int64_t count, shape s, random_stream *random);
array array_copy(array from);
bool check_free(const char *what);

// How far results may be from the scalar tier's: exactly 0, or a share of the largest result,
// with one step of half precision where that is what is stored.
bool array_same(array found, array expected, double tolerance, const char *what);

// Runs a kernel over all units in two launches, since a launch may begin anywhere; the table of
// the scalar tier does all at once.
void run(const ck_tier *tier, ck_kernel kernel, const ck_args *args, int64_t units);
// The kernel for an element type, given the one for float32.
static inline ck_kernel kernel_for(ck_kernel float32, element type) {
    return (ck_kernel)((int)float32 + (int)type);
}

// What a chain of kernels made, in tests of more than one of them.
#define RESULTS_MAX 8
typedef struct results {
    array arrays[RESULTS_MAX];
    int count;
} results;
typedef results (*chain)(const ck_tier *tier, const void *test);
bool chain_same(const ck_tier *tier, chain make, const void *test, double tolerance,
                const char *what);

// Counts of what was compared.
extern int passed, failed;
static inline void count_test(bool ok) { *(ok ? &passed : &failed) += 1; }

// Each says which kernels it compares (names without element types, the last one NULL) and runs.
extern const char *const product_kernels[], *const attention_kernels[];
void compare_rows(const ck_tier *tier);
void compare_products(const ck_tier *tier);
void compare_attention(const ck_tier *tier);
// Whether the table of rows has the kernel.
bool rows_have(const char *name);
// Whether a kernel's name is that of the list, with or without an element type.
bool names_kernel(const char *name, const char *kernel);
