// Cross-entropy of rows of logits against labels (int32; negative: the row does not count), in
// float32. The sum of e^logit of a row is kept as its logarithm.
//
// cross_entropy: loss = log_sum - logit of the label. pointers: losses [rows], log_sums [rows]
//     (float32), logits, labels; numbers: width. Units: rows.
// cross_entropy_dx: dlogits = (e^(logit - log_sum) - [label]) scale, 0 in rows that do not count.
//     pointers: dlogits, logits, labels, log_sums, scales (float32); numbers: width, step from one
//     row's scale to the next one's (0: the same for all). Units: rows.

static void NAME(cross_entropy)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t width = a->numbers[0];
    f32 *losses = a->pointers[0], *log_sums = a->pointers[1];
    const int32_t *labels = a->pointers[3];
    for (int64_t row = begin; row < end; row++) {
        const T *x = (const T *)a->pointers[2] + row * width;
        float max = NAME(row_max)(x, width);
        float log_sum = logf(NAME(row_exp_sum)(x, width, max));
        log_sums[row] = max + log_sum;
        losses[row] = labels[row] < 0 ? 0 : max - TO_FLOAT(x[labels[row]]) + log_sum;
    }
}

static void NAME(cross_entropy_dx)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t width = a->numbers[0], step = a->numbers[1];
    const int32_t *labels = a->pointers[2];
    const f32 *log_sums = a->pointers[3], *scales = a->pointers[4];
    for (int64_t row = begin; row < end; row++) {
        T *dx = (T *)a->pointers[0] + row * width;
        const T *x = (const T *)a->pointers[1] + row * width;
        if (labels[row] < 0) {
            memset(dx, 0, (size_t)width * sizeof(T));
            continue;
        }
        float scale = scales[row * step];
        float logit = TO_FLOAT(x[labels[row]]);
        for (int64_t i = 0; i < width; i += LANES) {
            vec value = vec_sub(NAME(load_at)(x, i, width - i), vec_set(log_sums[row]));
            NAME(store_at)(dx, i, vec_mul(vec_exp(value), vec_set(scale)), width - i);
        }
        dx[labels[row]] = FROM_FLOAT((expf(logit - log_sums[row]) - 1) * scale);
    }
}
