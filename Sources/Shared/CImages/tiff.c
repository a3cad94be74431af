// TIFF by libtiff, from memory: the first picture, in the kinds that Pillow turns into RGB.
//
// First every sample goes to an 8-bit canvas, then the canvas becomes RGB or RGBA. A strip or tile
// is decoded whole, so its size is checked before memory is asked for.
#include "images.h"

#include <tiffio.h>

typedef struct {
    ci_input in;
    size_t position;
    ci_message *message;
    TIFF *file;
    uint16_t bits, samples, photometric, planar, compression, format;
    uint16_t extras;
    uint16_t extra_kind;
    // How many of the samples of a pixel are of use, and the canvas that has them.
    uint16_t kept;
    uint8_t *canvas;
} tiff;

static tmsize_t read_bytes(thandle_t handle, void *target, tmsize_t count) {
    tiff *picture = handle;
    const size_t left = picture->in.count - picture->position;
    const size_t taken = (size_t)count < left ? (size_t)count : left;
    memcpy(target, picture->in.bytes + picture->position, taken);
    picture->position += taken;
    return (tmsize_t)taken;
}

static tmsize_t write_nothing(thandle_t handle, void *source, tmsize_t count) {
    (void)handle, (void)source, (void)count;
    return 0;
}

static toff_t seek(thandle_t handle, toff_t offset, int whence) {
    tiff *picture = handle;
    toff_t base = whence == SEEK_CUR ? picture->position : 0;
    if (whence == SEEK_END) base = picture->in.count;
    const toff_t target = base + offset;
    picture->position = target < picture->in.count ? (size_t)target : picture->in.count;
    return picture->position;
}

static int close_nothing(thandle_t handle) {
    (void)handle;
    return 0;
}

static toff_t size_of(thandle_t handle) { return ((tiff *)handle)->in.count; }

// The first error is the cause; later ones follow from it.
static int note_error(TIFF *file, void *user, const char *module, const char *format,
                      va_list arguments) {
    (void)file, (void)module;
    ci_message *message = ((tiff *)user)->message;
    if (!message->text[0]) vsnprintf(message->text, sizeof message->text, format, arguments);
    return 1;
}

static int ignore_warning(TIFF *file, void *user, const char *module, const char *format,
                          va_list arguments) {
    (void)file, (void)user, (void)module, (void)format, (void)arguments;
    return 1;
}

static ci_status fail(tiff *picture, ci_status status, const char *text) {
    if (picture->message->text[0]) return status;
    return ci_fail(picture->message, status, text);
}

static TIFF *open_file(tiff *picture, size_t allocation_max) {
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options) return NULL;
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)allocation_max);
    TIFFOpenOptionsSetErrorHandlerExtR(options, note_error, picture);
    TIFFOpenOptionsSetWarningHandlerExtR(options, ignore_warning, picture);
    // m: no memory map; the bytes are in memory already.
    TIFF *file = TIFFClientOpenExt("image", "rm", picture, read_bytes, write_nothing, seek,
                                   close_nothing, size_of, NULL, NULL, options);
    TIFFOpenOptionsFree(options);
    return file;
}

static bool is_known_compression(uint16_t compression) {
    switch (compression) {
    case COMPRESSION_NONE: case COMPRESSION_CCITTRLE: case COMPRESSION_CCITTFAX3:
    case COMPRESSION_CCITTFAX4: case COMPRESSION_LZW: case COMPRESSION_JPEG:
    case COMPRESSION_ADOBE_DEFLATE: case COMPRESSION_DEFLATE: case COMPRESSION_PACKBITS:
        return true;
    default: return false;
    }
}

static void read_fields(tiff *picture) {
    TIFF *file = picture->file;
    uint16_t *kinds = NULL;
    TIFFGetFieldDefaulted(file, TIFFTAG_BITSPERSAMPLE, &picture->bits);
    TIFFGetFieldDefaulted(file, TIFFTAG_SAMPLESPERPIXEL, &picture->samples);
    TIFFGetFieldDefaulted(file, TIFFTAG_PLANARCONFIG, &picture->planar);
    TIFFGetFieldDefaulted(file, TIFFTAG_COMPRESSION, &picture->compression);
    TIFFGetFieldDefaulted(file, TIFFTAG_SAMPLEFORMAT, &picture->format);
    TIFFGetFieldDefaulted(file, TIFFTAG_EXTRASAMPLES, &picture->extras, &kinds);
    if (!TIFFGetField(file, TIFFTAG_PHOTOMETRIC, &picture->photometric))
        picture->photometric = PHOTOMETRIC_MINISWHITE;
    picture->extra_kind = picture->extras > 0 && kinds ? kinds[0] : EXTRASAMPLE_UNASSALPHA;
}

// libtiff turns the colours of JPEG data into RGB itself.
static void ask_for_rgb(tiff *picture) {
    if (picture->compression != COMPRESSION_JPEG || picture->photometric != PHOTOMETRIC_YCBCR)
        return;
    TIFFSetField(picture->file, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    picture->photometric = PHOTOMETRIC_RGB;
}

// Checks that Pillow reads this kind, and how many samples of a pixel it uses.
static bool choose_samples(tiff *picture, uint32_t channels) {
    const uint16_t bits = picture->bits, samples = picture->samples;
    const bool is_deep = bits == 8 || bits == 16;
    const bool is_shallow = bits == 1 || bits == 2 || bits == 4;
    if (picture->format != SAMPLEFORMAT_UINT) return false;
    switch (picture->photometric) {
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_MINISBLACK:
        picture->kept = channels == 4 ? 2 : 1;
        return samples == picture->kept && (is_deep || (is_shallow && samples == 1))
               && (samples == 1 || bits == 8);
    case PHOTOMETRIC_PALETTE:
        picture->kept = channels == 4 ? 2 : 1;
        return samples >= picture->kept && samples <= 2
               && (bits == 8 || (is_shallow && samples == 1));
    case PHOTOMETRIC_RGB:
        picture->kept = (uint16_t)channels;
        return samples >= channels && samples <= 6 && is_deep;
    case PHOTOMETRIC_SEPARATED:
        picture->kept = 4;
        return samples >= 4 && samples <= 6 && is_deep && channels == 3;
    default: return false;
    }
}

// A sample as 8 bits: an index stays itself, grey of few bits is widened, of 16 clamped as Pillow
// does; colours of 16 bits lose the lower half.
static uint8_t sample_at(const tiff *picture, const uint8_t *row, size_t index) {
    const unsigned bits = picture->bits;
    if (bits == 8) return row[index];
    if (bits == 16) {
        uint16_t value;
        memcpy(&value, row + 2 * index, 2);
        if (picture->samples > 1) return (uint8_t)(value >> 8);
        return value > 255 ? 255 : (uint8_t)value;
    }
    const unsigned shift = 8 - bits - (unsigned)(index * bits % 8);
    const unsigned value = row[index * bits / 8] >> shift & ((1u << bits) - 1);
    if (picture->photometric == PHOTOMETRIC_PALETTE) return (uint8_t)value;
    return (uint8_t)(value * (255 / ((1u << bits) - 1)));
}

typedef struct {
    uint32_t x, y, width, height;
    uint16_t plane;
    size_t row_bytes;
} block;

// Copies what lies inside the picture.
static void place(const tiff *picture, const ci_picture *out, const uint8_t *data, block at) {
    const size_t kept = picture->kept;
    const bool is_planar = picture->planar == PLANARCONFIG_SEPARATE;
    const size_t in_step = is_planar ? 1 : picture->samples;
    const size_t taken = is_planar ? 1 : kept;
    const uint32_t columns = at.width < out->width - at.x ? at.width : out->width - at.x;
    const uint32_t rows = at.height < out->height - at.y ? at.height : out->height - at.y;
    for (uint32_t y = 0; y < rows; y++) {
        const uint8_t *row = data + y * at.row_bytes;
        uint8_t *target = picture->canvas + ((size_t)(at.y + y) * out->width + at.x) * kept;
        if (is_planar) target += at.plane;
        for (uint32_t x = 0; x < columns; x++, target += kept)
            for (size_t s = 0; s < taken; s++)
                target[s] = sample_at(picture, row, x * in_step + s);
    }
}

// The shape of the first block, which all share; zero where the file makes no sense.
static block block_shape(const tiff *picture, const ci_picture *out) {
    block shape = {.width = out->width};
    if (TIFFIsTiled(picture->file)) {
        TIFFGetField(picture->file, TIFFTAG_TILEWIDTH, &shape.width);
        TIFFGetField(picture->file, TIFFTAG_TILELENGTH, &shape.height);
        shape.row_bytes = (size_t)TIFFTileRowSize64(picture->file);
    } else {
        TIFFGetFieldDefaulted(picture->file, TIFFTAG_ROWSPERSTRIP, &shape.height);
        if (shape.height > out->height) shape.height = out->height;
        shape.row_bytes = (size_t)TIFFScanlineSize64(picture->file);
    }
    return shape;
}

static ci_status read_block(tiff *picture, uint8_t *data, size_t bytes, uint32_t index, block at,
                            const ci_picture *out) {
    // Of the last strip there may be fewer rows.
    const uint32_t rows = at.height < out->height - at.y ? at.height : out->height - at.y;
    const bool is_tiled = TIFFIsTiled(picture->file);
    const size_t wanted = is_tiled ? bytes : rows * at.row_bytes;
    const tmsize_t count =
        is_tiled ? TIFFReadEncodedTile(picture->file, index, data, (tmsize_t)bytes)
                 : TIFFReadEncodedStrip(picture->file, index, data, (tmsize_t)wanted);
    if (count < 0 || (size_t)count < wanted) return fail(picture, CI_BROKEN, "a short block");
    place(picture, out, data, at);
    return CI_OK;
}

static ci_status read_blocks(tiff *picture, const ci_picture *out, size_t block_bytes_max) {
    block at = block_shape(picture, out);
    if (at.width == 0 || at.height == 0 || at.row_bytes == 0 || at.row_bytes > block_bytes_max
        || at.height > block_bytes_max / at.row_bytes)
        return fail(picture, CI_BROKEN, "strips or tiles far larger than the picture");
    const size_t in_row = picture->planar == PLANARCONFIG_SEPARATE ? 1 : picture->samples;
    if (at.row_bytes < ((size_t)at.width * in_row * picture->bits + 7) / 8)
        return fail(picture, CI_BROKEN, "rows shorter than the picture");
    const size_t bytes = at.height * at.row_bytes;
    // Zeros, since libtiff may call a damaged block whole without having written all of it.
    uint8_t *data = calloc(1, bytes);
    if (!data) return fail(picture, CI_NO_MEMORY, "out of memory");
    const uint16_t planes = picture->planar == PLANARCONFIG_SEPARATE ? picture->kept : 1;
    ci_status status = CI_OK;
    uint32_t index = 0;
    for (at.plane = 0; at.plane < planes; at.plane++)
        for (at.y = 0; at.y < out->height; at.y += at.height)
            for (at.x = 0; at.x < out->width; at.x += at.width, index++)
                if (status == CI_OK) status = read_block(picture, data, bytes, index, at, out);
    free(data);
    return status;
}

static void grey_to_rgb(const tiff *picture, ci_picture *out, size_t pixels) {
    const uint8_t flip =
        picture->photometric == PHOTOMETRIC_MINISWHITE && picture->bits <= 8 ? 255 : 0;
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t *from = picture->canvas + i * picture->kept;
        uint8_t *to = out->pixels + i * out->channels;
        to[0] = to[1] = to[2] = from[0] ^ flip;
        if (out->channels == 4) to[3] = from[1];
    }
}

static ci_status palette_to_rgb(const tiff *picture, ci_picture *out, size_t pixels) {
    const uint16_t *map[3];
    if (!TIFFGetField(picture->file, TIFFTAG_COLORMAP, &map[0], &map[1], &map[2]))
        return ci_fail(picture->message, CI_BROKEN, "no palette");
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t *from = picture->canvas + i * picture->kept;
        uint8_t *to = out->pixels + i * out->channels;
        // Pillow takes the upper half, also of palettes that were meant to be of 8 bits.
        for (int c = 0; c < 3; c++) to[c] = (uint8_t)(map[c][from[0]] >> 8);
        if (out->channels == 4) to[3] = from[1];
    }
    return CI_OK;
}

static void inks_to_rgb(const tiff *picture, ci_picture *out, size_t pixels) {
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t *ink = picture->canvas + 4 * i;
        const uint32_t rest = 255u - ink[3];
        for (int c = 0; c < 3; c++) {
            const uint32_t product = ink[c] * rest + 128;
            out->pixels[3 * i + c] = (uint8_t)(rest - ((product + (product >> 8)) >> 8));
        }
    }
}

static uint8_t divided(uint32_t value, uint32_t alpha) {
    const uint32_t whole = alpha == 0 ? 0 : value * 255 / alpha;
    return whole > 255 ? 255 : (uint8_t)whole;
}

// Colours that are stored multiplied by their alpha.
static void divide_by_alpha(ci_picture *out, size_t pixels) {
    for (size_t i = 0; i < pixels; i++) {
        uint8_t *pixel = out->pixels + 4 * i;
        for (int c = 0; c < 3; c++) pixel[c] = divided(pixel[c], pixel[3]);
    }
}

static ci_status convert(const tiff *picture, ci_picture *out) {
    const size_t pixels = (size_t)out->width * out->height;
    switch (picture->photometric) {
    case PHOTOMETRIC_PALETTE: return palette_to_rgb(picture, out, pixels);
    case PHOTOMETRIC_SEPARATED: inks_to_rgb(picture, out, pixels); return CI_OK;
    case PHOTOMETRIC_RGB:
        memcpy(out->pixels, picture->canvas, pixels * out->channels);
        if (out->channels == 4 && picture->extra_kind == EXTRASAMPLE_ASSOCALPHA)
            divide_by_alpha(out, pixels);
        return CI_OK;
    default: grey_to_rgb(picture, out, pixels); return CI_OK;
    }
}

static ci_status decode(tiff *picture, ci_picture *out, size_t block_bytes_max) {
    uint32_t width = 0, height = 0;
    TIFFGetField(picture->file, TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetField(picture->file, TIFFTAG_IMAGELENGTH, &height);
    if (width != out->width || height != out->height)
        return fail(picture, CI_BROKEN, "two headers differ in size");
    read_fields(picture);
    if (!is_known_compression(picture->compression))
        return fail(picture, CI_UNSUPPORTED, "an unusual compression");
    ask_for_rgb(picture);
    if (!choose_samples(picture, out->channels))
        return fail(picture, CI_UNSUPPORTED, "an unusual kind of pixel");
    picture->canvas = calloc((size_t)width * height, picture->kept);
    if (!picture->canvas) return fail(picture, CI_NO_MEMORY, "out of memory");
    ci_status status = read_blocks(picture, out, block_bytes_max);
    if (status == CI_OK) status = convert(picture, out);
    free(picture->canvas);
    return status;
}

ci_status ci_decode_tiff(ci_input in, ci_picture *out, size_t block_bytes_max,
                         ci_message *message) {
    tiff picture = {.in = in, .message = message};
    message->text[0] = 0;
    picture.file = open_file(&picture, block_bytes_max);
    if (!picture.file) return fail(&picture, CI_BROKEN, "not a TIFF file");
    const ci_status status = decode(&picture, out, block_bytes_max);
    TIFFClose(picture.file);
    return status;
}
