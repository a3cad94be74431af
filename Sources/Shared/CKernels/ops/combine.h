// Rows that are weighted sums of rows, in float32, added in the order of the lists.
//
// combine_rows: y[target] = sum over j in offsets[g]...offsets[g + 1] of weight[j] x[source[j]].
//     pointers: y, x, targets (NULL: g itself), offsets, sources (int32), weights (float32; NULL:
//     1); numbers: width. Units: groups g; no target twice.

static void NAME(combine_rows)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t width = a->numbers[0];
    const int32_t *targets = a->pointers[2], *offsets = a->pointers[3], *sources = a->pointers[4];
    const f32 *weights = a->pointers[5];
    for (int64_t group = begin; group < end; group++) {
        T *y = (T *)a->pointers[0] + (targets ? targets[group] : group) * width;
        for (int64_t i = 0; i < width; i += LANES) {
            vec sum = vec_set(0);
            for (int32_t j = offsets[group]; j < offsets[group + 1]; j++) {
                const T *x = (const T *)a->pointers[1] + sources[j] * width;
                vec weight = vec_set(weights ? weights[j] : 1);
                sum = vec_fma(NAME(load_at)(x, i, width - i), weight, sum);
            }
            NAME(store_at)(y, i, sum, width - i);
        }
    }
}
