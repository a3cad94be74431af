// PNG of 8 bits without interlace, which most files are: inflated at once by libdeflate, which is
// twice as fast as zlib. Anything unusual or damaged is left to libspng.
#include "images.h"

#include <libdeflate.h>

enum { grey = 0, colour = 2, indexed = 3, grey_alpha = 4, colour_alpha = 6 };

typedef struct {
    ci_input in;
    uint32_t type;
    size_t bytes_per_pixel;
    const uint8_t *palette;
    size_t palette_count;
    const uint8_t *alphas;
    size_t alphas_count;
    // The first IDAT chunk, and the bytes in all of them.
    const uint8_t *data;
    size_t data_count;
    bool is_split;
    bool has_ended;
} png_file;

static uint32_t big_endian(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static bool is_named(const uint8_t *chunk, const char *name) {
    return memcmp(chunk + 4, name, 4) == 0;
}

static bool read_header(png_file *png, const uint8_t *chunk, uint32_t length,
                        const ci_picture *out) {
    const uint8_t *fields = chunk + 8;
    static const uint8_t channels[7] = {1, 0, 3, 1, 2, 0, 4};
    if (!is_named(chunk, "IHDR") || length != 13 || fields[9] > 6) return false;
    png->type = fields[9];
    png->bytes_per_pixel = channels[fields[9]];
    const bool is_plain = fields[8] == 8 && fields[10] == 0 && fields[11] == 0 && fields[12] == 0;
    return png->bytes_per_pixel != 0 && is_plain && big_endian(fields) == out->width
           && big_endian(fields + 4) == out->height;
}

static bool note_chunk(png_file *png, const uint8_t *chunk, uint32_t length) {
    const uint8_t *body = chunk + 8;
    if (is_named(chunk, "PLTE")) {
        png->palette = body;
        png->palette_count = length / 3;
        return !png->data && length % 3 == 0 && png->palette_count <= 256;
    }
    if (is_named(chunk, "tRNS")) {
        png->alphas = body;
        png->alphas_count = length;
        return !png->data && png->type == indexed && length <= png->palette_count;
    }
    if (is_named(chunk, "IDAT")) {
        png->is_split = png->data != NULL;
        if (!png->data) png->data = body;
        png->data_count += length;
        return true;
    }
    png->has_ended = is_named(chunk, "IEND");
    // An upper-case first letter is a chunk that no reader may skip.
    return png->has_ended || (chunk[4] & 0x20) != 0;
}

static bool read_chunks(png_file *png, const ci_picture *out) {
    size_t position = 8;
    while (!png->has_ended) {
        if (png->in.count - position < 12) return false;
        const uint8_t *chunk = png->in.bytes + position;
        const uint32_t length = big_endian(chunk);
        if (length > png->in.count - position - 12) return false;
        if (big_endian(chunk + 8 + length) != libdeflate_crc32(0, chunk + 4, length + 4u))
            return false;
        const bool is_good = position == 8 ? read_header(png, chunk, length, out)
                                           : note_chunk(png, chunk, length);
        if (!is_good) return false;
        position += length + 12u;
    }
    return png->data && (png->type != indexed || png->palette);
}

// The bytes of all IDAT chunks one after another; null if memory ran out.
static uint8_t *joined_data(const png_file *png) {
    uint8_t *joined = malloc(png->data_count);
    const uint8_t *chunk = png->data - 8;
    for (size_t count = 0; joined && count < png->data_count;) {
        const uint32_t length = big_endian(chunk);
        if (is_named(chunk, "IDAT")) {
            memcpy(joined + count, chunk + 8, length);
            count += length;
        }
        chunk += length + 12u;
    }
    return joined;
}

static bool inflate_all(uint8_t *rows, size_t count, const uint8_t *data, size_t data_count) {
    struct libdeflate_decompressor *inflater = libdeflate_alloc_decompressor();
    if (!inflater) return false;
    const enum libdeflate_result result =
        libdeflate_zlib_decompress(inflater, data, data_count, rows, count, NULL);
    libdeflate_free_decompressor(inflater);
    return result == LIBDEFLATE_SUCCESS;
}

static bool inflate_rows(const png_file *png, uint8_t *rows, size_t count) {
    if (!png->is_split) return inflate_all(rows, count, png->data, png->data_count);
    uint8_t *joined = joined_data(png);
    const bool is_done = joined && inflate_all(rows, count, joined, png->data_count);
    free(joined);
    return is_done;
}

typedef short pixel __attribute__((vector_size(8)));
typedef uint8_t pixel_bytes __attribute__((vector_size(4)));

static inline pixel load_pixel(const uint8_t *bytes, size_t count) {
    pixel_bytes loaded = {0};
    memcpy(&loaded, bytes, count);
    return __builtin_convertvector(loaded, pixel);
}

static inline void store_pixel(uint8_t *bytes, pixel value, size_t count) {
    const pixel_bytes stored = __builtin_convertvector(value, pixel_bytes);
    memcpy(bytes, &stored, count);
}

// Where `mask` is all ones, `yes`; where it is zero, `no`.
static inline pixel choose(pixel mask, pixel yes, pixel no) { return (mask & yes) | (~mask & no); }

// The neighbour (left, above, above left) nearest to left + above - above left.
static inline pixel paeth(pixel left, pixel above, pixel corner) {
    const pixel from_left = __builtin_elementwise_abs(above - corner);
    const pixel from_above = __builtin_elementwise_abs(left - corner);
    const pixel from_corner = __builtin_elementwise_abs(left + above - corner - corner);
    const pixel upper = choose(from_above <= from_corner, above, corner);
    return choose((from_left <= from_above) & (from_left <= from_corner), left, upper);
}

// One filter over one row, with the pixel's size known to the compiler.
#define DEFINE_UNFILTER(SIZE)                                                                      \
    static void unfilter_##SIZE(uint8_t *row, const uint8_t *above, size_t bytes, int filter) {    \
        pixel left = {0}, corner = {0};                                                            \
        for (size_t i = 0; i < bytes; i += SIZE) {                                                 \
            const pixel up = load_pixel(above + i, SIZE);                                          \
            const pixel guess = filter == 1   ? left                                               \
                                : filter == 3 ? (left + up) >> 1                                   \
                                              : paeth(left, up, corner);                           \
            corner = up;                                                                           \
            left = (load_pixel(row + i, SIZE) + guess) & 255;                                      \
            store_pixel(row + i, left, SIZE);                                                      \
        }                                                                                          \
    }
DEFINE_UNFILTER(1)
DEFINE_UNFILTER(2)
DEFINE_UNFILTER(3)
DEFINE_UNFILTER(4)

static void add_above(uint8_t *restrict row, const uint8_t *restrict above, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) row[i] = (uint8_t)(row[i] + above[i]);
}

static bool unfilter(uint8_t *row, const uint8_t *above, size_t bytes, size_t pixel_size) {
    static void (*const by_size[])(uint8_t *, const uint8_t *, size_t, int) = {
        NULL, unfilter_1, unfilter_2, unfilter_3, unfilter_4};
    const int filter = row[-1];
    if (filter > 4) return false;
    if (filter == 2) add_above(row, above, bytes);
    else if (filter != 0) by_size[pixel_size](row, above, bytes, filter);
    return true;
}

static void expand_grey(uint8_t *out, const uint8_t *row, size_t width, bool has_alpha) {
    for (size_t x = 0; x < width; x++) {
        const uint8_t value = row[has_alpha ? 2 * x : x];
        uint8_t *target = out + x * (has_alpha ? 4 : 3);
        target[0] = target[1] = target[2] = value;
        if (has_alpha) target[3] = row[2 * x + 1];
    }
}

static bool expand_palette(const png_file *png, uint8_t *out, const uint8_t *row,
                           const ci_picture *shape) {
    for (size_t x = 0; x < shape->width; x++, out += shape->channels) {
        if (row[x] >= png->palette_count) return false;
        memcpy(out, png->palette + 3u * row[x], 3);
        if (shape->channels == 4) out[3] = row[x] < png->alphas_count ? png->alphas[row[x]] : 255;
    }
    return true;
}

static bool expand(const png_file *png, uint8_t *out, const uint8_t *row, const ci_picture *shape) {
    switch (png->type) {
    case grey:
    case grey_alpha: expand_grey(out, row, shape->width, png->type == grey_alpha); return true;
    case indexed: return expand_palette(png, out, row, shape);
    default: memcpy(out, row, shape->width * png->bytes_per_pixel); return true;
    }
}

static bool decode_rows(const png_file *png, uint8_t *rows, ci_picture *out) {
    const size_t bytes = out->width * png->bytes_per_pixel;
    // Above the first row there are zeros.
    const uint8_t *above = rows + (bytes + 1) * out->height;
    for (size_t y = 0; y < out->height; y++) {
        uint8_t *row = rows + (bytes + 1) * y + 1;
        if (!unfilter(row, above, bytes, png->bytes_per_pixel)) return false;
        if (!expand(png, out->pixels + y * out->width * out->channels, row, out)) return false;
        above = row;
    }
    return true;
}

ci_status ci_decode_common_png(ci_input in, ci_picture *out, ci_message *message) {
    png_file png = {.in = in};
    if (in.count < 8 || !read_chunks(&png, out))
        return ci_fail(message, CI_UNSUPPORTED, "not a plain PNG");
    const bool has_alpha = png.type >= grey_alpha || png.alphas;
    if (has_alpha != (out->channels == 4))
        return ci_fail(message, CI_UNSUPPORTED, "not a plain PNG");
    const size_t row_bytes = out->width * png.bytes_per_pixel;
    const size_t count = (row_bytes + 1) * out->height;
    uint8_t *rows = malloc(count + row_bytes);
    if (!rows) return ci_fail(message, CI_NO_MEMORY, "out of memory");
    memset(rows + count, 0, row_bytes);
    const bool is_done = inflate_rows(&png, rows, count) && decode_rows(&png, rows, out);
    free(rows);
    return is_done ? CI_OK : ci_fail(message, CI_UNSUPPORTED, "not a plain PNG");
}
