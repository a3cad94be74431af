// Changes of pictures for training: positions, light and noise.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "images.h"

static uint8_t clamped(double value) {
    if (!(value > 0)) return 0;
    return value >= 255 ? 255 : (uint8_t)(value + 0.5);
}

static ptrdiff_t within(ptrdiff_t value, size_t count) {
    if (value < 0) return 0;
    return value >= (ptrdiff_t)count ? (ptrdiff_t)count - 1 : value;
}

static double bounded(double value, size_t count) {
    if (!(value > 0)) return 0;
    return value >= (double)count ? nextafter((double)count, 0) : value;
}

// The mean of the four pixels around a place, weighed by nearness; the edge is repeated.
static void sample(uint8_t *out, const uint8_t *in, size_t width, size_t height, double x,
                   double y) {
    const double left = floor(x - 0.5), top = floor(y - 0.5);
    const double across = x - 0.5 - left, down = y - 0.5 - top;
    const ptrdiff_t x0 = within((ptrdiff_t)left, width), x1 = within((ptrdiff_t)left + 1, width);
    const ptrdiff_t y0 = within((ptrdiff_t)top, height), y1 = within((ptrdiff_t)top + 1, height);
    const uint8_t *first = in + y0 * (ptrdiff_t)width * 3;
    const uint8_t *second = in + y1 * (ptrdiff_t)width * 3;
    for (int c = 0; c < 3; c++) {
        const double upper = first[3 * x0 + c] * (1 - across) + first[3 * x1 + c] * across;
        const double lower = second[3 * x0 + c] * (1 - across) + second[3 * x1 + c] * across;
        out[c] = clamped(upper * (1 - down) + lower * down);
    }
}

void ci_project(uint8_t *out, const uint8_t *in, size_t width, size_t height, const double map[8],
                const uint8_t *fill) {
    for (size_t y = 0; y < height; y++) {
        for (size_t x = 0; x < width; x++, out += 3) {
            const double px = (double)x + 0.5, py = (double)y + 0.5;
            const double scale = map[6] * px + map[7] * py + 1;
            double u = (map[0] * px + map[1] * py + map[2]) / scale;
            double v = (map[3] * px + map[4] * py + map[5]) / scale;
            const bool inside = u >= 0 && v >= 0 && u < (double)width && v < (double)height;
            if (!inside && fill) {
                memcpy(out, fill, 3);
                continue;
            }
            sample(out, in, width, height, bounded(u, width), bounded(v, height));
        }
    }
}

void ci_blend_level(uint8_t *out, const uint8_t *in, size_t pixels, double level, double factor) {
    uint8_t table[256];
    for (int i = 0; i < 256; i++) table[i] = clamped(level + factor * (i - level));
    for (size_t i = 0; i < 3 * pixels; i++) out[i] = table[in[i]];
}

// ITU-R 601-2, as Pillow's mode "L".
static uint32_t luma(const uint8_t *rgb) {
    return (rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16;
}

double ci_mean_luma(const uint8_t *in, size_t pixels) {
    uint64_t sum = 0;
    for (size_t i = 0; i < pixels; i++) sum += luma(in + 3 * i);
    return pixels ? (double)sum / (double)pixels : 0;
}

void ci_blend_grey(uint8_t *out, const uint8_t *in, size_t pixels, double factor) {
    for (size_t i = 0; i < pixels; i++) {
        const double grey = luma(in + 3 * i);
        for (int c = 0; c < 3; c++) {
            out[3 * i + c] = clamped(grey + factor * (in[3 * i + c] - grey));
        }
    }
}

void ci_mix_channels(uint8_t *out, const uint8_t *in, size_t pixels, const double mix[9]) {
    for (size_t i = 0; i < pixels; i++, in += 3, out += 3) {
        const double r = in[0], g = in[1], b = in[2];
        for (int c = 0; c < 3; c++) {
            out[c] = clamped(mix[3 * c] * r + mix[3 * c + 1] * g + mix[3 * c + 2] * b);
        }
    }
}

// One line of a box of 2 * radius + 1 pixels whose ends count in part; the edge is repeated.
static void box_line(uint8_t *out, const uint8_t *in, size_t count, size_t step, double radius) {
    const ptrdiff_t whole = (ptrdiff_t)radius;
    const double share = radius - (double)whole, scale = 1 / (2 * radius + 1);
    for (int c = 0; c < 3; c++) {
        uint32_t sum = 0;
        for (ptrdiff_t i = -whole; i <= whole; i++) {
            sum += in[within(i, count) * (ptrdiff_t)step + c];
        }
        for (ptrdiff_t x = 0; x < (ptrdiff_t)count; x++) {
            const uint8_t before = in[within(x - whole - 1, count) * (ptrdiff_t)step + c];
            const uint8_t after = in[within(x + whole + 1, count) * (ptrdiff_t)step + c];
            out[x * (ptrdiff_t)step + c] = clamped((sum + share * (before + after)) * scale);
            sum += after;
            sum -= in[within(x - whole, count) * (ptrdiff_t)step + c];
        }
    }
}

bool ci_box_blur(uint8_t *pixels, size_t width, size_t height, double radius, int passes) {
    uint8_t *other = malloc(width * height * 3);
    if (!other) return false;
    for (int pass = 0; pass < passes; pass++) {
        for (size_t y = 0; y < height; y++) {
            box_line(other + y * width * 3, pixels + y * width * 3, width, 3, radius);
        }
        memcpy(pixels, other, width * height * 3);
    }
    for (int pass = 0; pass < passes; pass++) {
        for (size_t x = 0; x < width; x++) {
            box_line(other + x * 3, pixels + x * 3, height, width * 3, radius);
        }
        memcpy(pixels, other, width * height * 3);
    }
    free(other);
    return true;
}

// A number of mean 0 and variance 1, the sum of four even ones: noise of sensors is near to
// normal, and what lies beyond 3.4 deviations is not worth its cost.
static double noise(uint64_t seed, uint64_t index) {
    uint64_t mixed = seed + (index + 1) * 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    mixed ^= mixed >> 31;
    const uint64_t sum = (mixed & 0xffff) + (mixed >> 16 & 0xffff) + (mixed >> 32 & 0xffff)
        + (mixed >> 48);
    return ((double)sum - 131070) / 65536 * 1.7320508075688772;
}

void ci_add_noise(uint8_t *out, const uint8_t *in, size_t pixels, double read, double shot,
                  uint64_t seed) {
    double deviations[256];
    for (int i = 0; i < 256; i++) deviations[i] = sqrt(read * read + shot * shot * i / 255);
    for (size_t i = 0; i < 3 * pixels; i++) {
        out[i] = clamped(in[i] + deviations[in[i]] * noise(seed, i));
    }
}
