// The inner loops of changes, included once for each set of instructions. No guard on purpose.
//
// NAMED(x) gives x its suffix. Whole numbers, or floats whose operations are not joined: every set
// of instructions gives the same bytes.

// Three channels and a fourth that nobody reads.
INLINED pixel NAMED(load)(const uint8_t *from) {
    bytes_4 loaded;
    memcpy(&loaded, from, sizeof loaded);
    return __builtin_convertvector(loaded, pixel);
}

// The four pixels right and below of a place in 2048ths of a pixel, weighed by nearness.
INLINED void NAMED(mix_4)(uint8_t *out, ci_source in, uint32_t x, uint32_t y) {
    const uint8_t *upper = in.pixels + ((size_t)(y >> 11) * in.width + (x >> 11)) * 3;
    const uint8_t *lower = upper + in.width * 3;
    const uint32_t across = x & 2047, down = y & 2047;
    const pixel top = NAMED(load)(upper) * (2048 - across) + NAMED(load)(upper + 3) * across;
    const pixel bottom = NAMED(load)(lower) * (2048 - across) + NAMED(load)(lower + 3) * across;
    const pixel sum = (top * (2048 - down) + bottom * down + (1u << 21)) >> 22;
    const bytes_4 stored = __builtin_convertvector(sum, bytes_4);
    out[0] = stored[0];
    out[1] = stored[1];
    out[2] = stored[2];
}

static void NAMED(project)(uint8_t *out, size_t width, size_t height, ci_source in,
                           const double map[9], const uint8_t *fill) {
    // So far from the edge that four bytes can be read of each pixel.
    const double right = (double)in.width - 2, bottom = (double)in.height - 1;
    const bool is_affine = map[6] == 0 && map[7] == 0 && map[8] == 1;
    for (size_t y = 0; y < height; y++) {
        const double py = (double)y + 0.5;
        for (size_t x = 0; x < width; x++, out += 3) {
            const double px = (double)x + 0.5;
            double u = map[0] * px + map[1] * py + map[2];
            double v = map[3] * px + map[4] * py + map[5];
            if (!is_affine) {
                const double scale = map[6] * px + map[7] * py + map[8];
                u /= scale;
                v /= scale;
            }
            if (u >= 0.5 && v >= 0.5 && u - 0.5 < right && v - 0.5 < bottom)
                NAMED(mix_4)(out, in, (uint32_t)((u - 0.5) * 2048), (uint32_t)((v - 0.5) * 2048));
            else
                project_edge(out, in, u, v, fill);
        }
    }
}

// A number of mean 0 and variance 1, the sum of the four bytes of a mixed one: noise of sensors is
// near to normal, and what lies beyond 3.4 deviations is not worth its cost.
INLINED float NAMED(noise)(uint32_t low, uint32_t high, uint32_t index) {
    uint32_t mixed = index * 0x9e3779b9u + low;
    mixed = (mixed ^ (mixed >> 16)) * 0x85ebca6bu;
    mixed = (mixed ^ (mixed >> 13) ^ high) * 0xc2b2ae35u;
    mixed = (mixed ^ (mixed >> 16)) * 0x27d4eb2fu;
    mixed ^= mixed >> 15;
    const uint32_t sum =
        (mixed & 255) + (mixed >> 8 & 255) + (mixed >> 16 & 255) + (mixed >> 24);
    // Four even bytes have the mean 510 and the variance 21845.
    return (float)((int32_t)sum - 510) * (1 / 147.80054f);
}

static void NAMED(add_noise)(uint8_t *restrict out, const uint8_t *restrict in, size_t count,
                             float read, float shot, uint64_t seed) {
    const uint32_t low = (uint32_t)seed, high = (uint32_t)(seed >> 32);
    const float constant = read * read, growing = shot * shot / 255;
    for (size_t i = 0; i < count; i++) {
        const float value = (float)in[i];
        const float deviation = sqrtf(constant + growing * value);
        const float noise = deviation * NAMED(noise)(low, high, (uint32_t)i);
        out[i] = clamped_float(value + noise);
    }
}

static void NAMED(blend_grey)(uint8_t *restrict out, const uint8_t *restrict in, size_t pixels,
                              float factor) {
    for (size_t i = 0; i < pixels; i++) {
        const float grey = (float)luma(in + 3 * i);
        for (int c = 0; c < 3; c++)
            out[3 * i + c] = clamped_float(grey + factor * ((float)in[3 * i + c] - grey));
    }
}

static void NAMED(mix_channels)(uint8_t *restrict out, const uint8_t *restrict in, size_t pixels,
                                const float mix[9]) {
    for (size_t i = 0; i < pixels; i++) {
        const float r = in[3 * i], g = in[3 * i + 1], b = in[3 * i + 2];
        out[3 * i] = clamped_float(mix[0] * r + mix[1] * g + mix[2] * b);
        out[3 * i + 1] = clamped_float(mix[3] * r + mix[4] * g + mix[5] * b);
        out[3 * i + 2] = clamped_float(mix[6] * r + mix[7] * g + mix[8] * b);
    }
}

static void NAMED(blend_level)(uint8_t *restrict out, const uint8_t *restrict in, size_t count,
                               float level, float factor) {
    for (size_t i = 0; i < count; i++)
        out[i] = clamped_float(level + factor * ((float)in[i] - level));
}

// One row of a box whose rows so far are in `sums`: its share of both ends is added, then the box
// moves on by a row.
static void NAMED(box_row)(uint8_t *restrict out, uint32_t *restrict sums, box_rows rows,
                           size_t count, box_weights weights) {
    for (size_t x = 0; x < count; x++) {
        const uint32_t ends = (uint32_t)rows.before[x] + rows.after[x];
        const uint32_t sum = sums[x] * weights.whole + ends * weights.ends + (1u << 23);
        out[x] = (uint8_t)(sum >> 24);
        sums[x] += (uint32_t)rows.after[x] - rows.first[x];
    }
}

static const loops NAMED(loops) = {
    NAMED(project), NAMED(add_noise), NAMED(blend_grey), NAMED(mix_channels), NAMED(blend_level),
    NAMED(box_row),
};
