// y[row, i] = x[row, index[i]]: columns in another order.
//
// gather_columns: pointers: y [rows, width], x [rows, stride], index [width] (int32, checked by the
//     caller); numbers: width, stride. Units: rows.

static void NAME(gather_columns)(const ck_args *a, int64_t begin, int64_t end) {
    int64_t width = a->numbers[0], stride = a->numbers[1];
    const int32_t *index = a->pointers[2];
    for (int64_t row = begin; row < end; row++) {
        T *y = (T *)a->pointers[0] + row * width;
        const T *x = (const T *)a->pointers[1] + row * stride;
        for (int64_t i = 0; i < width; i++) y[i] = x[index[i]];
    }
}
