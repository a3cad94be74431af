// The last few lanes of a row, for tiers without masked loads: by way of a vector on the stack.
#define PARTIAL(T)                                                                               \
    static inline vec vec_load_some_##T(const T *p, int64_t count) {                             \
        T lanes[LANES] = {0};                                                                    \
        memcpy(lanes, p, (size_t)count * sizeof(T));                                             \
        return vec_load_##T(lanes);                                                              \
    }                                                                                            \
    static inline void vec_store_some_##T(T *p, vec a, int64_t count) {                          \
        T lanes[LANES];                                                                          \
        vec_store_##T(lanes, a);                                                                 \
        memcpy(p, lanes, (size_t)count * sizeof(T));                                             \
    }
PARTIAL(f32)
PARTIAL(bf16)
PARTIAL(f16)
#undef PARTIAL
