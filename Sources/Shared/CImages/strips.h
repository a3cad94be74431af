// A strip of 16 rows is turned so that its columns lie one after another, 48 bytes each: what is
// done to rows can then be done to columns.
#pragma once
#include <string.h>

#include "images.h"

enum { strip_rows = 16, column_bytes = 3 * strip_rows };

// Copies a pixel and the byte behind it, in one move each way.
static inline void copy_4(uint8_t *to, const uint8_t *from) { memcpy(to, from, 4); }
static inline void copy_3(uint8_t *to, const uint8_t *from) { memcpy(to, from, 3); }

// Pixels of one row, `step_in` bytes apart, to places `step_out` bytes apart.
static inline void spread(uint8_t *to, const uint8_t *from, size_t count, size_t step_out,
                          size_t step_in, bool may_spill) {
    if (may_spill)
        for (size_t x = 0; x < count; x++, from += step_in, to += step_out) copy_4(to, from);
    else
        for (size_t x = 0; x < count; x++, from += step_in, to += step_out) copy_3(to, from);
}

// Some columns at a time, so that what is written stays in the nearest cache.
enum { columns_at_once = 64 };

// The byte that spills lands in the next row's place, which is filled after it. Of the last row it
// would land in a column that is done, and a last pixel has no byte behind it.
static inline void turn_in(uint8_t *strip, const uint8_t *in, size_t width, size_t rows) {
    for (size_t start = 0; start < width; start += columns_at_once) {
        const size_t left = width - start;
        const size_t count = left < columns_at_once ? left : columns_at_once;
        for (size_t r = 0; r < rows; r++)
            spread(strip + start * column_bytes + 3 * r, in + (r * width + start) * 3, count,
                   column_bytes, 3, r + 1 < rows);
    }
}

// Here it lands in the next pixel of the same row, or in the next row; both are filled after it.
static inline void turn_out(uint8_t *out, const uint8_t *strip, size_t width, size_t rows) {
    for (size_t r = 0; r < rows; r++) {
        const uint8_t *from = strip + 3 * r;
        uint8_t *to = out + r * width * 3;
        spread(to, from, width - 1, 3, column_bytes, true);
        copy_3(to + (width - 1) * 3, from + (width - 1) * column_bytes);
    }
}
