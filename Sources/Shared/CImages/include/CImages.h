// Image codecs behind one plain interface, and the loops over pixels.
//
// The codecs report errors by longjmp, callbacks or codes of their own; here each call returns a
// status and a text. Nothing is global, nothing is printed, and nothing is kept between calls, so
// any thread may call anything. Callers have read the file's header, and say what it promised.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    CI_OK,
    // The bytes end too early.
    CI_TRUNCATED,
    // The bytes break the rules of their format.
    CI_BROKEN,
    // A variant of the format that is not read here.
    CI_UNSUPPORTED,
    CI_NO_MEMORY,
} ci_status;

// What went wrong, in the words of the library where it has any.
typedef struct {
    char text[160];
} ci_message;

typedef struct {
    const uint8_t *bytes;
    size_t count;
} ci_input;

// Where decoded pixels go: rows of RGB (3 channels), RGBA (4) or grey (1) without gaps. Width and
// height are those of the result.
typedef struct {
    uint8_t *pixels;
    uint32_t width;
    uint32_t height;
    uint32_t channels;
    // How many times each side of a JPEG is longer, rounded up: 1, 2, 4 or 8. Else 1.
    uint32_t shrink;
    // Whether the library met damage that it could bridge; the pixels there are its guess.
    bool is_damaged;
} ci_picture;

// Each decodes into `out`, whose width, height and channels the caller has set from the header and
// whose memory is large enough for them. `CI_BROKEN` if the file disagrees with its own header.
// A JPEG becomes `shrink` times smaller, which spares most of the work and smooths as an average
// would; all of the file is read and checked.
ci_status ci_decode_jpeg(ci_input in, ci_picture *out, ci_message *message);
// The brightness alone (one channel), which costs half. Files of four components are
// `CI_UNSUPPORTED`.
ci_status ci_preview_jpeg(ci_input in, ci_picture *out, ci_message *message);
ci_status ci_decode_png(ci_input in, ci_picture *out, ci_message *message);
ci_status ci_decode_webp(ci_input in, ci_picture *out, ci_message *message);
// A block (strip or tile) of more than `block_bytes_max` is refused.
ci_status ci_decode_tiff(ci_input in, ci_picture *out, size_t block_bytes_max,
                         ci_message *message);

// libdeflate inflates the common kinds of PNG at once; the other kinds, and these too when asked,
// are left to libspng. `CI_UNSUPPORTED` where it is not one of the common kinds.
ci_status ci_decode_common_png(ci_input in, ci_picture *out, ci_message *message);
ci_status ci_decode_any_png(ci_input in, ci_picture *out, ci_message *message);

// Memory from malloc, which the caller frees.
typedef struct {
    uint8_t *bytes;
    size_t count;
} ci_output;

// `picture` has three channels. Quality is 1 to 100; `chroma_halved` stores colour at half
// resolution.
ci_status ci_encode_jpeg(ci_picture picture, int quality, bool chroma_halved, ci_output *out,
                         ci_message *message);
ci_status ci_encode_png(ci_picture picture, int level, ci_output *out, ci_message *message);

// RGBA pixels to RGB ones: alpha is dropped, or white shows through as in Pillow's
// alpha_composite.
void ci_drop_alpha(uint8_t *rgb, const uint8_t *rgba, size_t pixels);
void ci_composite_over_white(uint8_t *rgb, const uint8_t *rgba, size_t pixels);

// One axis of a resampling: output i is the sum of `taps[i]` weights from `weights + i * taps_max`
// over inputs from `starts[i]`, plus a half, shifted by `bits` and clamped to 8 bits.
typedef struct {
    const int32_t *starts;
    const int32_t *taps;
    const int32_t *weights;
    int32_t taps_max;
    int32_t bits;
    int32_t count;
} ci_axis;

// `out` has `axis.count` rows of `row_bytes` each.
void ci_resample_rows(uint8_t *out, const uint8_t *in, size_t row_bytes, const ci_axis *axis);
// The same with the instructions of one tier; false if this processor lacks them.
typedef enum { CI_BASE, CI_AVX2, CI_AVX512 } ci_tier;
bool ci_resample_rows_in(ci_tier tier, uint8_t *out, const uint8_t *in, size_t row_bytes,
                         const ci_axis *axis);
// `in` has rows of `width` RGB pixels, `out` of `axis.count` ones. False if memory ran out.
bool ci_resample_columns(uint8_t *out, const uint8_t *in, size_t width, size_t height,
                         const ci_axis *axis);

// Rows are gathered by copying: out[y][x] = in[y0 + y * y_step ...], strides in pixels and signed.
void ci_gather_pixels(uint8_t *out, size_t width, size_t height, const uint8_t *origin,
                      ptrdiff_t x_step, ptrdiff_t y_step);

// RGB pixels without gaps, and the size of a picture.
typedef struct {
    const uint8_t *pixels;
    size_t width;
    size_t height;
} ci_source;

// Each of `width` times `height` pixels of `out` is taken from where `map` leads its centre,
// between the four pixels of `in` there:
// x' = (m0 x + m1 y + m2) / (m6 x + m7 y + m8), y' = (m3 x + m4 y + m5) / (m6 x + m7 y + m8).
// Outside of the picture `fill` stands, three bytes; null repeats the edge.
void ci_project(uint8_t *out, size_t width, size_t height, ci_source in, const double map[9],
                const uint8_t *fill);
// level + factor (value - level) for each value.
void ci_blend_level(uint8_t *out, const uint8_t *in, size_t pixels, double level, double factor);
// The same with the brightness of each pixel as the level.
void ci_blend_grey(uint8_t *out, const uint8_t *in, size_t pixels, double factor);
double ci_mean_luma(const uint8_t *in, size_t pixels);
// Channels as sums of channels: a matrix, row by row.
void ci_mix_channels(uint8_t *out, const uint8_t *in, size_t pixels, const double mix[9]);
// Means over 2 radius + 1 pixels, so often along rows and then along columns. The radius is below
// a million.
typedef struct {
    double radius;
    int passes;
} ci_box;
// In place, with Pillow's arithmetic. False if memory ran out.
bool ci_box_blur(uint8_t *pixels, size_t width, size_t height, ci_box box);
// Noise of deviation sqrt(read^2 + shot^2 value / 255), of the seed and the place alone; places
// are counted in 32 bits.
void ci_add_noise(uint8_t *out, const uint8_t *in, size_t pixels, double read, double shot,
                  uint64_t seed);

// Three planes of floats from RGB pixels; `tables` has 256 values for each channel.
// Rows of the input are `in_row` bytes apart, those of a plane `out_row` floats.
typedef struct {
    size_t width;
    size_t height;
    size_t in_row;
    size_t out_row;
    size_t out_plane;
} ci_planes;
void ci_look_up(float *out, const uint8_t *in, ci_planes shape, const float *tables);
