// JPEG by libjpeg-turbo: its slow exact transform and smooth chroma upsampling, as Pillow uses it.
#include "images.h"

#include <jerror.h>
#include <jpeglib.h>
#include <setjmp.h>

// Each scan of a progressive file goes over the whole picture; honest files have about ten.
enum { scans_max = 100 };

typedef struct {
    struct jpeg_error_mgr base;
    jmp_buf stop;
    ci_status status;
    ci_message *message;
} errors;

static void stop(j_common_ptr info) {
    errors *handler = (errors *)info->err;
    char text[JMSG_LENGTH_MAX];
    info->err->format_message(info, text);
    if (info->err->msg_code == JERR_OUT_OF_MEMORY) handler->status = CI_NO_MEMORY;
    ci_fail(handler->message, handler->status, text);
    longjmp(handler->stop, 1);
}

static void keep_quiet(j_common_ptr info) { (void)info; }

static struct jpeg_error_mgr *set_up(errors *handler, ci_message *message) {
    jpeg_std_error(&handler->base);
    handler->base.error_exit = stop;
    handler->base.output_message = keep_quiet;
    handler->status = CI_BROKEN;
    handler->message = message;
    return &handler->base;
}

static void fail(j_decompress_ptr info, ci_status status, const char *text) {
    errors *handler = (errors *)info->err;
    handler->status = ci_fail(handler->message, status, text);
    longjmp(handler->stop, 1);
}

static void init_source(j_decompress_ptr info) { (void)info; }

// The library would go on with grey; Pillow refuses, and so do we.
static boolean fill(j_decompress_ptr info) {
    fail(info, CI_TRUNCATED, "the data ends before the picture does");
    return FALSE;
}

static void skip(j_decompress_ptr info, long count) {
    if (count <= 0) return;
    if ((size_t)count > info->src->bytes_in_buffer) fill(info);
    info->src->next_input_byte += count;
    info->src->bytes_in_buffer -= (size_t)count;
}

static void watch_scans(j_common_ptr info) {
    j_decompress_ptr decompress = (j_decompress_ptr)info;
    if (info->is_decompressor && decompress->input_scan_number > scans_max)
        fail(decompress, CI_BROKEN, "more than 100 scans");
}

// Adobe's files have inverted inks, and Pillow takes every file for one of those:
// c' = 255 - c, then r = k - c' * k / 255 with rounding.
static void ink_to_rgb(uint8_t *rgb, const uint8_t *ink, uint32_t width) {
    for (uint32_t x = 0; x < width; x++, ink += 4, rgb += 3)
        for (int c = 0; c < 3; c++) {
            const uint32_t product = (255u - ink[c]) * ink[3] + 128;
            rgb[c] = (uint8_t)(ink[3] - ((product + (product >> 8)) >> 8));
        }
}

static JSAMPROW allocate_row(j_decompress_ptr info, size_t bytes) {
    return (JSAMPROW)info->mem->alloc_large((j_common_ptr)info, JPOOL_IMAGE, bytes);
}

static void read_rows(j_decompress_ptr info, ci_picture *out) {
    const size_t row_bytes = (size_t)out->width * 3;
    const bool is_ink = info->out_color_space == JCS_CMYK;
    JSAMPROW ink = is_ink ? allocate_row(info, (size_t)out->width * 4) : NULL;
    while (info->output_scanline < info->output_height) {
        uint8_t *target = out->pixels + info->output_scanline * row_bytes;
        JSAMPROW row = is_ink ? ink : target;
        jpeg_read_scanlines(info, &row, 1);
        if (is_ink) ink_to_rgb(target, ink, out->width);
    }
}

static void read_header(j_decompress_ptr info, const ci_picture *out) {
    jpeg_read_header(info, TRUE);
    info->scale_num = 1;
    info->scale_denom = out->shrink;
    jpeg_calc_output_dimensions(info);
    if (info->output_width != out->width || info->output_height != out->height)
        fail(info, CI_BROKEN, "two headers differ in size");
    if (info->num_components != 1 && info->num_components != 3 && info->num_components != 4)
        fail(info, CI_UNSUPPORTED, "neither one, three nor four components");
}

static void read_picture(j_decompress_ptr info, ci_picture *out) {
    read_header(info, out);
    info->out_color_space = info->num_components == 4 ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(info);
    read_rows(info, out);
    out->is_damaged = info->err->num_warnings > 0;
}

// All coded data is read and checked, but of each block only what the size wanted needs is
// transformed, and nothing of colour.
static void read_preview(j_decompress_ptr info, ci_picture *out) {
    read_header(info, out);
    if (info->num_components == 4) fail(info, CI_UNSUPPORTED, "inks have no plain brightness");
    info->out_color_space = JCS_GRAYSCALE;
    jpeg_start_decompress(info);
    while (info->output_scanline < info->output_height) {
        JSAMPROW row = out->pixels + (size_t)info->output_scanline * info->output_width;
        jpeg_read_scanlines(info, &row, 1);
    }
    out->is_damaged = info->err->num_warnings > 0;
}

typedef void (*reader)(j_decompress_ptr info, ci_picture *out);

static ci_status read_with(reader read, ci_input in, ci_picture *out, ci_message *message) {
    struct jpeg_decompress_struct info;
    struct jpeg_source_mgr source = {
        .next_input_byte = in.bytes, .bytes_in_buffer = in.count, .init_source = init_source,
        .fill_input_buffer = fill, .skip_input_data = skip,
        .resync_to_restart = jpeg_resync_to_restart, .term_source = init_source};
    struct jpeg_progress_mgr progress = {.progress_monitor = watch_scans};
    errors handler;
    info.err = set_up(&handler, message);
    jpeg_create_decompress(&info);
    if (setjmp(handler.stop)) {
        jpeg_destroy_decompress(&info);
        return handler.status;
    }
    info.src = &source;
    info.progress = &progress;
    read(&info, out);
    jpeg_destroy_decompress(&info);
    return CI_OK;
}

ci_status ci_decode_jpeg(ci_input in, ci_picture *out, ci_message *message) {
    return read_with(read_picture, in, out, message);
}

ci_status ci_preview_jpeg(ci_input in, ci_picture *out, ci_message *message) {
    return read_with(read_preview, in, out, message);
}

static void write_picture(j_compress_ptr info, ci_picture picture, int quality,
                          bool chroma_halved) {
    info->image_width = picture.width;
    info->image_height = picture.height;
    info->input_components = 3;
    info->in_color_space = JCS_RGB;
    jpeg_set_defaults(info);
    jpeg_set_quality(info, quality, TRUE);
    info->comp_info[0].h_samp_factor = info->comp_info[0].v_samp_factor = chroma_halved ? 2 : 1;
    info->optimize_coding = TRUE;
    jpeg_start_compress(info, TRUE);
    while (info->next_scanline < info->image_height) {
        JSAMPROW row = picture.pixels + (size_t)info->next_scanline * picture.width * 3;
        jpeg_write_scanlines(info, &row, 1);
    }
    jpeg_finish_compress(info);
}

ci_status ci_encode_jpeg(ci_picture picture, int quality, bool chroma_halved, ci_output *out,
                         ci_message *message) {
    struct jpeg_compress_struct info;
    errors handler;
    // Static storage would be shared; what longjmp must not lose lives behind a pointer.
    struct { unsigned char *bytes; unsigned long count; } *memory = calloc(1, sizeof *memory);
    if (!memory) return ci_fail(message, CI_NO_MEMORY, "out of memory");
    info.err = set_up(&handler, message);
    jpeg_create_compress(&info);
    if (setjmp(handler.stop)) {
        jpeg_destroy_compress(&info);
        free(memory->bytes);
        free(memory);
        return handler.status;
    }
    jpeg_mem_dest(&info, &memory->bytes, &memory->count);
    write_picture(&info, picture, quality, chroma_halved);
    jpeg_destroy_compress(&info);
    *out = (ci_output){memory->bytes, memory->count};
    free(memory);
    return CI_OK;
}
