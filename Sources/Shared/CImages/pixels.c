// Loops over pixels that are no resampling.
#include "images.h"

void ci_drop_alpha(uint8_t *rgb, const uint8_t *rgba, size_t pixels) {
    for (size_t i = 0; i < pixels; i++) {
        rgb[3 * i] = rgba[4 * i];
        rgb[3 * i + 1] = rgba[4 * i + 1];
        rgb[3 * i + 2] = rgba[4 * i + 2];
    }
}

// Pillow keeps 7 more bits of the two shares, then divides by 255 with rounding.
static uint8_t blend(uint32_t colour, uint32_t share) {
    const uint32_t rest = 255 * 128 - share;
    const uint32_t sum = colour * share + 255 * rest + (128 << 7);
    return (uint8_t)((((sum >> 8) + sum) >> 8) >> 7);
}

void ci_composite_over_white(uint8_t *rgb, const uint8_t *rgba, size_t pixels) {
    for (size_t i = 0; i < pixels; i++) {
        const uint32_t alpha = rgba[4 * i + 3];
        const uint32_t share = alpha * 128;
        for (int c = 0; c < 3; c++) rgb[3 * i + c] = blend(rgba[4 * i + c], share);
    }
}

void ci_gather_pixels(uint8_t *out, size_t width, size_t height, const uint8_t *origin,
                      ptrdiff_t x_step, ptrdiff_t y_step) {
    for (size_t y = 0; y < height; y++) {
        const uint8_t *from = origin + (ptrdiff_t)y * y_step * 3;
        for (size_t x = 0; x < width; x++, from += x_step * 3, out += 3) {
            out[0] = from[0];
            out[1] = from[1];
            out[2] = from[2];
        }
    }
}

void ci_look_up(float *out, const uint8_t *in, ci_planes shape, const float *tables) {
    for (size_t y = 0; y < shape.height; y++) {
        const uint8_t *from = in + y * shape.in_row;
        for (int c = 0; c < 3; c++) {
            float *to = out + (size_t)c * shape.out_plane + y * shape.out_row;
            const float *table = tables + 256 * c;
            for (size_t x = 0; x < shape.width; x++) to[x] = table[from[3 * x + (size_t)c]];
        }
    }
}
