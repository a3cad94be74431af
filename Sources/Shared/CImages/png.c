// PNG by libspng, for every kind of it; png_common.c is the faster way for most files.
#include "images.h"

#include <spng.h>

typedef struct {
    spng_ctx *context;
    struct spng_ihdr header;
    struct spng_trns key;
    bool has_key;
} reader;

static ci_status status_of(int code, ci_message *message) {
    switch (code) {
    case SPNG_OK: return CI_OK;
    case SPNG_EMEM: return ci_fail(message, CI_NO_MEMORY, "out of memory");
    case SPNG_EOF:
    case SPNG_IO_EOF:
        return ci_fail(message, CI_TRUNCATED, "the data ends before the picture does");
    default: return ci_fail(message, CI_BROKEN, spng_strerror(code));
    }
}

static ci_status open_png(reader *png, ci_input in, const ci_picture *out, ci_message *message) {
    png->context = spng_ctx_new(0);
    if (!png->context) return ci_fail(message, CI_NO_MEMORY, "out of memory");
    int code = spng_set_png_buffer(png->context, in.bytes, in.count);
    // What is kept of text chunks: we read none of them.
    if (!code) code = spng_set_chunk_limits(png->context, in.count, 1 << 20);
    if (!code) code = spng_get_ihdr(png->context, &png->header);
    if (code) return status_of(code, message);
    png->has_key = spng_get_trns(png->context, &png->key) == SPNG_OK;
    if (png->header.width != out->width || png->header.height != out->height)
        return ci_fail(message, CI_BROKEN, "two headers differ in size");
    return CI_OK;
}

// Pillow keeps 16-bit grey as it is and clamps it when it becomes RGB.
static ci_status decode_deep_grey(reader *png, ci_picture *out, ci_message *message) {
    const size_t pixels = (size_t)out->width * out->height;
    uint16_t *values = malloc(pixels * 2);
    if (!values) return ci_fail(message, CI_NO_MEMORY, "out of memory");
    const int code = spng_decode_image(png->context, values, pixels * 2, SPNG_FMT_PNG, 0);
    for (size_t i = 0; !code && i < pixels; i++) {
        const uint8_t value = values[i] > 255 ? 255 : (uint8_t)values[i];
        uint8_t *target = out->pixels + i * out->channels;
        target[0] = target[1] = target[2] = value;
        if (out->channels == 4) target[3] = 255;
    }
    free(values);
    return status_of(code, message);
}

// Pixels of the key's colour are transparent. Pillow compares the key as it stands in the file with
// pixels widened or narrowed to 8 bits; where that matches the wrong ones, so do we.
static void apply_key(const reader *png, ci_picture *out) {
    uint16_t key[3] = {png->key.red, png->key.green, png->key.blue};
    if (png->header.color_type == SPNG_COLOR_TYPE_GRAYSCALE) {
        const bool is_bit = png->header.bit_depth == 1;
        key[0] = key[1] = key[2] = is_bit ? (png->key.gray ? 255 : 0) : png->key.gray;
    }
    const size_t pixels = (size_t)out->width * out->height;
    for (size_t i = 0; i < pixels; i++) {
        uint8_t *pixel = out->pixels + 4 * i;
        if (pixel[0] == (key[0] & 255) && pixel[1] == (key[1] & 255) && pixel[2] == (key[2] & 255))
            pixel[3] = 0;
    }
}

static ci_status decode_pixels(reader *png, ci_picture *out, ci_message *message) {
    const struct spng_ihdr *header = &png->header;
    const size_t bytes = (size_t)out->width * out->height * out->channels;
    const int format = out->channels == 4 ? SPNG_FMT_RGBA8 : SPNG_FMT_RGB8;
    const bool is_palette = header->color_type == SPNG_COLOR_TYPE_INDEXED;
    const bool is_grey = header->color_type == SPNG_COLOR_TYPE_GRAYSCALE;
    ci_status status;
    if (is_grey && header->bit_depth == 16) {
        status = decode_deep_grey(png, out, message);
    } else {
        const int flags = is_palette ? SPNG_DECODE_TRNS : 0;
        status = status_of(spng_decode_image(png->context, out->pixels, bytes, format, flags),
                           message);
    }
    const bool is_keyed = is_grey || header->color_type == SPNG_COLOR_TYPE_TRUECOLOR;
    if (status == CI_OK && is_keyed && png->has_key && out->channels == 4) apply_key(png, out);
    return status;
}

ci_status ci_decode_any_png(ci_input in, ci_picture *out, ci_message *message) {
    reader png = {0};
    ci_status status = open_png(&png, in, out, message);
    if (status == CI_OK) status = decode_pixels(&png, out, message);
    spng_ctx_free(png.context);
    return status;
}

ci_status ci_decode_png(ci_input in, ci_picture *out, ci_message *message) {
    // Whatever is wrong with a file, libspng says so.
    if (ci_decode_common_png(in, out, message) == CI_OK) return CI_OK;
    return ci_decode_any_png(in, out, message);
}

static ci_status encode(spng_ctx *context, ci_picture picture, int level, ci_output *out,
                        ci_message *message) {
    struct spng_ihdr header = {.width = picture.width, .height = picture.height, .bit_depth = 8,
                               .color_type = SPNG_COLOR_TYPE_TRUECOLOR};
    int code = spng_set_option(context, SPNG_ENCODE_TO_BUFFER, 1);
    if (!code) code = spng_set_option(context, SPNG_IMG_COMPRESSION_LEVEL, level);
    if (!code) code = spng_set_ihdr(context, &header);
    const size_t bytes = (size_t)picture.width * picture.height * 3;
    if (!code)
        code = spng_encode_image(context, picture.pixels, bytes, SPNG_FMT_PNG,
                                 SPNG_ENCODE_FINALIZE);
    if (!code) out->bytes = spng_get_png_buffer(context, &out->count, &code);
    return status_of(code, message);
}

ci_status ci_encode_png(ci_picture picture, int level, ci_output *out, ci_message *message) {
    spng_ctx *context = spng_ctx_new(SPNG_CTX_ENCODER);
    if (!context) return ci_fail(message, CI_NO_MEMORY, "out of memory");
    const ci_status status = encode(context, picture, level, out, message);
    spng_ctx_free(context);
    return status;
}
