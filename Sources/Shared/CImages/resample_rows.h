// The inner loop of resampling, included once for each set of instructions. No guard on purpose.
//
// NAMED(x) gives x its suffix. Weighted sums of rows, 48 bytes (three vectors of sums) at a time:
// the sums stay in registers while the taps pass.

INLINED lanes NAMED(widened)(const uint8_t *bytes) {
    small loaded;
    memcpy(&loaded, bytes, sizeof loaded);
    return __builtin_convertvector(loaded, lanes);
}

INLINED void NAMED(store)(uint8_t *out, lanes sum, int bits) {
    const signed_lanes shifted = (signed_lanes)sum >> bits;
    const signed_lanes zero = {0}, most = zero + 255;
    const signed_lanes clamped =
        __builtin_elementwise_min(__builtin_elementwise_max(shifted, zero), most);
    const small stored = __builtin_convertvector(clamped, small);
    memcpy(out, &stored, sizeof stored);
}

INLINED void NAMED(sum_48)(uint8_t *out, const uint8_t *in, size_t stride, taps_of of) {
    const lanes half = (lanes){0} + (1u << (of.bits - 1));
    lanes a = half, b = half, c = half;
    for (int32_t t = 0; t < of.taps; t++, in += stride) {
        const uint32_t weight = (uint32_t)of.weights[t];
        a += NAMED(widened)(in) * weight;
        b += NAMED(widened)(in + 16) * weight;
        c += NAMED(widened)(in + 32) * weight;
    }
    NAMED(store)(out, a, of.bits);
    NAMED(store)(out + 16, b, of.bits);
    NAMED(store)(out + 32, c, of.bits);
}

INLINED void NAMED(sum_16)(uint8_t *out, const uint8_t *in, size_t stride, taps_of of) {
    lanes sum = (lanes){0} + (1u << (of.bits - 1));
    for (int32_t t = 0; t < of.taps; t++, in += stride)
        sum += NAMED(widened)(in) * (uint32_t)of.weights[t];
    NAMED(store)(out, sum, of.bits);
}

static void NAMED(resample_rows)(uint8_t *out, const uint8_t *in, size_t row_bytes,
                                 const ci_axis *axis) {
    for (int32_t i = 0; i < axis->count; i++, out += row_bytes) {
        const uint8_t *first = in + (size_t)axis->starts[i] * row_bytes;
        const taps_of of = {axis->weights + (size_t)i * (size_t)axis->taps_max, axis->taps[i],
                            axis->bits};
        size_t x = 0;
        for (; x + 48 <= row_bytes; x += 48) NAMED(sum_48)(out + x, first + x, row_bytes, of);
        for (; x + 16 <= row_bytes; x += 16) NAMED(sum_16)(out + x, first + x, row_bytes, of);
        sum_rest(out + x, first + x, row_bytes, row_bytes - x, of);
    }
}
