// Quantises W [rows][depth] of element type T.
//
// quantise_nf4: codes (two a byte, the first in the high half), absmax float32, W as one sequence;
//     numbers: count, elements of a block (even). As bitsandbytes: the code is the number of
//     midpoints of the table below w / absmax; a last half byte is filled up with the code of 0.
//     pointers: codes, absmax, W, midpoints [15]. Units: blocks.
// quantise_i8: pointers: values, scales [rows], W; numbers: depth. w = value absmax / 127.
//     Units: rows.
// quantise_i4: pointers: codes, scales, zeros or NULL, W; numbers: rows, depth, group. Without
//     zeros w = (code - 8) absmax / 7, else w = (code - zero) (max - min) / 15, where 0 is between
//     min and max. Units: pairs of rows, so that no two share a byte.

static void NAME(quantise_nf4)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t count = a->numbers[0], block = a->numbers[1];
    const f32 *midpoints = a->pointers[3];
    for (int64_t i = begin; i < end; i++) {
        const T *w = (const T *)a->pointers[2] + i * block;
        uint8_t *codes = (uint8_t *)a->pointers[0] + i * block / 2;
        int64_t some = count - i * block < block ? count - i * block : block;
        float absmax = 0;
        for (int64_t k = 0; k < some; k++) absmax = fmaxf(absmax, fabsf(TO_FLOAT(w[k])));
        ((f32 *)a->pointers[1])[i] = absmax;
        for (int64_t k = 0; k < some; k++) {
            // A block of zeros has no scale: its quotient is NaN, above no midpoint, so zero
            // must be asked for.
            float s = some < block ? TO_FLOAT(w[k]) / absmax : TO_FLOAT(w[k]) * (1 / absmax);
            int code = absmax > 0 ? 0 : 7;
            for (int m = 0; m < 15; m++) code += s > midpoints[m];
            if (k % 2 == 0) codes[k / 2] = (uint8_t)(code << 4 | 7);
            else codes[k / 2] = (uint8_t)((codes[k / 2] & 0xf0) | code);
        }
    }
}

static void NAME(quantise_i8)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t depth = a->numbers[0];
    for (int64_t row = begin; row < end; row++) {
        const T *w = (const T *)a->pointers[2] + row * depth;
        int8_t *values = (int8_t *)a->pointers[0] + row * depth;
        float absmax = 0;
        for (int64_t k = 0; k < depth; k++) absmax = fmaxf(absmax, fabsf(TO_FLOAT(w[k])));
        float inverse = absmax > 0 ? 127 / absmax : 0;
        ((f32 *)a->pointers[1])[row] = absmax / 127;
        for (int64_t k = 0; k < depth; k++) values[k] = (int8_t)rintf(TO_FLOAT(w[k]) * inverse);
    }
}

static void NAME(quantise_i4_group)(const T *w, int64_t count, int64_t first, uint8_t *codes,
                                    f32 *scale, f32 *zero) {
    float low = 0, high = 0;
    for (int64_t k = 0; k < count; k++) {
        low = fminf(low, TO_FLOAT(w[k]));
        high = fmaxf(high, TO_FLOAT(w[k]));
    }
    float step = zero ? (high - low) / 15 : fmaxf(high, -low) / 7;
    float inverse = step > 0 ? 1 / step : 0;
    float offset = zero ? rintf(-low * inverse) : 8;
    *scale = step;
    if (zero) *zero = offset;
    for (int64_t k = 0; k < count; k++) {
        int64_t i = first + k;
        float code = fminf(fmaxf(rintf(TO_FLOAT(w[k]) * inverse) + offset, 0), 15);
        if (i % 2 == 0) codes[i / 2] = (uint8_t)((uint8_t)code << 4 | (codes[i / 2] & 15));
        else codes[i / 2] = (uint8_t)((codes[i / 2] & 0xf0) | (uint8_t)code);
    }
}

static void NAME(quantise_i4)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t rows = a->numbers[0], depth = a->numbers[1], group = a->numbers[2];
    int64_t groups = (depth + group - 1) / group;
    f32 *scales = a->pointers[1], *zeros = a->pointers[2];
    for (int64_t i = begin * 2 * groups; i < end * 2 * groups && i < rows * groups; i++) {
        int64_t k = i % groups * group, first = i / groups * depth + k;
        NAME(quantise_i4_group)((const T *)a->pointers[3] + first,
                                depth - k < group ? depth - k : group, first, a->pointers[0],
                                scales + i, zeros ? zeros + i : NULL);
    }
}
