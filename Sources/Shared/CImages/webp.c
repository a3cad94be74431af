// WebP by libwebp. An animation's first frame comes here as the chunks of that frame alone.
#include "images.h"

#include <webp/decode.h>

static ci_status status_of(VP8StatusCode code, ci_message *message) {
    switch (code) {
    case VP8_STATUS_OK: return CI_OK;
    case VP8_STATUS_OUT_OF_MEMORY: return ci_fail(message, CI_NO_MEMORY, "out of memory");
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA:
        return ci_fail(message, CI_TRUNCATED, "the data ends before the picture does");
    case VP8_STATUS_UNSUPPORTED_FEATURE:
        return ci_fail(message, CI_UNSUPPORTED, "a feature that libwebp lacks");
    default: return ci_fail(message, CI_BROKEN, "damaged data");
    }
}

ci_status ci_decode_webp(ci_input in, ci_picture *out, ci_message *message) {
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config))
        return ci_fail(message, CI_UNSUPPORTED, "another version of libwebp");
    ci_status status = status_of(WebPGetFeatures(in.bytes, in.count, &config.input), message);
    if (status != CI_OK) return status;
    if (config.input.width != (int)out->width || config.input.height != (int)out->height)
        return ci_fail(message, CI_BROKEN, "two headers differ in size");
    const size_t row_bytes = (size_t)out->width * out->channels;
    config.output.colorspace = out->channels == 4 ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = out->pixels;
    config.output.u.RGBA.stride = (int)row_bytes;
    config.output.u.RGBA.size = row_bytes * out->height;
    return status_of(WebPDecode(in.bytes, in.count, &config), message);
}
