// Rows and columns moved as bytes, whatever their type. Indices are int32, checked by the caller.
//
// copy_rows: pointers: y, x; numbers: bytes a row, bytes from row to row of y, and of x.
//     Units: rows.
// gather_rows: y[i] = x[index[i]]. pointers: y, x, index; numbers: bytes. Units: rows of y.
// scatter_rows: y[index[i]] = x[i], zeros where x is NULL. pointers: y, x, index; numbers: bytes.
//     Units: rows of x; no index twice.
// patches: rows of a patch's values [channel, y, x] from images [image, channel, y, x].
//     pointers: y, x; numbers: channels, height, width, patch, bytes an element. Units: patches.
// patches_dx: the same backwards: y is what is read, x what is written.

static void copy_rows(const ck_args *a, int64_t begin, int64_t end) {
    const int64_t *n = a->numbers;
    for (int64_t row = begin; row < end; row++) {
        memcpy((char *)a->pointers[0] + row * n[1], (const char *)a->pointers[1] + row * n[2],
               (size_t)n[0]);
    }
}

static void gather_rows(const ck_args *a, int64_t begin, int64_t end) {
    int64_t bytes = a->numbers[0];
    const int32_t *index = a->pointers[2];
    for (int64_t row = begin; row < end; row++) {
        memcpy((char *)a->pointers[0] + row * bytes,
               (const char *)a->pointers[1] + index[row] * bytes, (size_t)bytes);
    }
}

static void scatter_rows(const ck_args *a, int64_t begin, int64_t end) {
    int64_t bytes = a->numbers[0];
    const char *x = a->pointers[1];
    const int32_t *index = a->pointers[2];
    for (int64_t row = begin; row < end; row++) {
        char *y = (char *)a->pointers[0] + index[row] * bytes;
        if (x) memcpy(y, x + row * bytes, (size_t)bytes);
        else memset(y, 0, (size_t)bytes);
    }
}

// Calls the body for each line of a patch, with where it is in the patch's row and in the images.
#define FOR_PATCH_LINES(a, patch, ...)                                                        \
    int64_t channels = a->numbers[0], height = a->numbers[1], width = a->numbers[2];          \
    int64_t size = a->numbers[3], bytes = a->numbers[4];                                      \
    int64_t down = height / size, along = width / size;                                       \
    for (int64_t patch = begin; patch < end; patch++) {                                       \
        int64_t image = patch / (down * along);                                               \
        int64_t top = patch / along % down * size, left = patch % along * size;               \
        for (int64_t line = 0; line < channels * size; line++) {                              \
            int64_t plane = image * channels + line / size;                                   \
            char *at = (char *)a->pointers[0] + (patch * channels * size + line) * size * bytes; \
            char *of = (char *)a->pointers[1]                                                 \
                       + ((plane * height + top + line % size) * width + left) * bytes;       \
            __VA_ARGS__                                                                       \
        }                                                                                     \
    }

static void patches(const ck_args *a, int64_t begin, int64_t end) {
    FOR_PATCH_LINES(a, patch, memcpy(at, of, (size_t)(size * bytes));)
}

static void patches_dx(const ck_args *a, int64_t begin, int64_t end) {
    FOR_PATCH_LINES(a, patch, memcpy(of, at, (size_t)(size * bytes));)
}
#undef FOR_PATCH_LINES
