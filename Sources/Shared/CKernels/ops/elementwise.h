// Elementwise arithmetic.
//
// add, multiply: pointers: y, a, b. Units: elements.
// add_row, multiply_row: pointers: y, a [rows, width], b [width]; numbers: width. Units: rows.
// scale: pointers: y, x; scalars: factor. fill: pointers: y; scalars: value.
// repeat: pointers: y, value (one float32). Units: elements.

#define BINARY(name, function)                                                              \
    static void NAME(name)(const ck_args *args, int64_t begin, int64_t end) {               \
        const T *a = args->pointers[1], *b = args->pointers[2];                             \
        for (int64_t i = begin; i < end; i += LANES) {                                      \
            vec y = function(NAME(load_at)(a, i, end - i), NAME(load_at)(b, i, end - i));   \
            NAME(store_at)((T *)args->pointers[0], i, y, end - i);                          \
        }                                                                                   \
    }                                                                                       \
    static void NAME(name##_row)(const ck_args *args, int64_t begin, int64_t end) {         \
        int64_t width = args->numbers[0];                                                   \
        for (int64_t row = begin; row < end; row++) {                                       \
            T *y = (T *)args->pointers[0] + row * width;                                    \
            const T *a = (const T *)args->pointers[1] + row * width, *b = args->pointers[2];\
            for (int64_t i = 0; i < width; i += LANES) {                                    \
                vec sum = function(NAME(load_at)(a, i, width - i),                          \
                                   NAME(load_at)(b, i, width - i));                         \
                NAME(store_at)(y, i, sum, width - i);                                       \
            }                                                                               \
        }                                                                                   \
    }
BINARY(add, vec_add)
BINARY(multiply, vec_mul)
#undef BINARY

static void NAME(scale)(const ck_args *a, int64_t begin, int64_t end) {
    T *y = a->pointers[0];
    const T *x = a->pointers[1];
    vec factor = vec_set(a->scalars[0]);
    for (int64_t i = begin; i < end; i += LANES) {
        vec scaled = vec_mul(NAME(load_at)(x, i, end - i), factor);
        NAME(store_at)(y, i, scaled, end - i);
    }
}

static void NAME(fill)(const ck_args *a, int64_t begin, int64_t end) {
    vec value = vec_set(a->scalars[0]);
    for (int64_t i = begin; i < end; i += LANES) {
        NAME(store_at)((T *)a->pointers[0], i, value, end - i);
    }
}

static void NAME(repeat)(const ck_args *a, int64_t begin, int64_t end) {
    vec value = vec_set(*(const f32 *)a->pointers[1]);
    for (int64_t i = begin; i < end; i += LANES) {
        NAME(store_at)((T *)a->pointers[0], i, value, end - i);
    }
}
