#!/usr/bin/env python3
"""Tiny files of every format and mode that is read, and what Pillow makes of them.

Made with Pillow 13.0.0 (libjpeg-turbo 3.2.0), numpy 2.4.6, safetensors 0.8.0 and, for the resizes
of the other backend, torchvision 0.29.2. The folder has the form of the reference set's `image`:
decode.safetensors has FILE.pil_convert_rgb and FILE.hf5_composited (both upright), and
resize.safetensors N.in and N.FILTER.{pil,torch}.
"""
import io
import os
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps
from safetensors.numpy import save_file

FOLDER = os.path.join(os.path.dirname(__file__), "..", "..", "Tests", "Goldens", "images")
WIDTH, HEIGHT = 19, 13
random = np.random.RandomState(4)


def picture(width=WIDTH, height=HEIGHT):
    """Smooth colours, a hard edge and noise."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    planes = [128 + 100 * np.sin(x / (4 + c)) * np.cos(y / (3 + c)) for c in range(3)]
    planes = np.stack(planes, -1) + random.normal(0, 10, (height, width, 3))
    planes[height // 3 : height // 2, width // 4 : width // 2] = (250, 5, 60)
    return Image.fromarray(np.clip(planes, 0, 255).astype(np.uint8))


def alpha(width=WIDTH, height=HEIGHT):
    values = random.randint(0, 256, (height, width)).astype(np.uint8)
    values[0, :4] = (0, 1, 254, 255)
    return Image.fromarray(values)


# PNG: written by hand, because Pillow writes few of the kinds.

ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
         (0, 1, 1, 2)]


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def packed_row(row, depth):
    """Samples as bytes: big-endian pairs, bytes, or several in a byte."""
    if depth == 16:
        return row.astype(">u2").tobytes()
    bits = np.unpackbits(row.astype(np.uint8).reshape(-1, 1), axis=1)[:, 8 - depth :]
    return np.packbits(bits.reshape(-1)).tobytes()


def paeth(a, b, c):
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    return a if pa <= pb and pa <= pc else b if pb <= pc else c


def filtered(rows, size, kinds):
    """PNG's five filters, one after another."""
    out, above = b"", bytes(len(rows[0]) if rows else 0)
    for y, row in enumerate(rows):
        kind = kinds[y % len(kinds)]
        line = bytearray([kind])
        for i, value in enumerate(row):
            a = row[i - size] if i >= size else 0
            b, c = above[i], above[i - size] if i >= size else 0
            guess = (0, a, b, (a + b) // 2, paeth(a, b, c))[kind]
            line.append((value - guess) & 255)
        out, above = out + bytes(line), row
    return out


def png(samples, depth, kind, before=(), after=(), interlaced=False, pieces=1):
    height, width, count = samples.shape
    size = max(1, depth * count // 8)
    passes = ADAM7 if interlaced else [(0, 0, 1, 1)]
    data = b""
    for x, y, dx, dy in passes:
        part = samples[y::dy, x::dx]
        if part.size:
            rows = [packed_row(row.reshape(-1), depth) for row in part]
            data += filtered(rows, size, (0, 1, 2, 3, 4))
    data = zlib.compress(data)
    step = -(-len(data) // pieces)
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, int(interlaced))
    idat = [(b"IDAT", data[i : i + step]) for i in range(0, len(data), step)]
    chunks = [(b"IHDR", header), *before, *idat, *after, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*c) for c in chunks)


def samples(count, depth):
    return random.randint(0, 1 << depth, (HEIGHT, WIDTH, count))


def pngs():
    palette = random.randint(0, 256, 768).astype(np.uint8).tobytes()
    for kind, count, depths in [(0, 1, (1, 2, 4, 8, 16)), (2, 3, (8, 16)), (3, 1, (1, 2, 4, 8)),
                                (4, 2, (8, 16)), (6, 4, (8, 16))]:
        for depth in depths:
            before = [(b"PLTE", palette[: 3 << depth])] if kind == 3 else []
            for interlaced in (False, True):
                name = f"png_{kind}_{depth}{'_adam7' if interlaced else ''}.png"
                yield name, png(samples(count, depth), depth, kind, before, (), interlaced)
            if kind in (0, 2, 3):
                values = samples(count, depth)
                # Keys that Pillow finds (8 bits), and keys that it compares oddly (others).
                key = struct.pack(f">{count}H", *[int(v) for v in values[2, 3]])
                if kind == 3:
                    key = bytes(random.randint(0, 256, 1 << depth).astype(np.uint8))[: 1 << depth]
                data = png(values, depth, kind, before + [(b"tRNS", key)])
                yield f"png_{kind}_{depth}_trns.png", data
    short = bytes([0, 255, 7])
    yield "png_trns_short.png", png(samples(1, 8), 8, 3, [(b"PLTE", palette), (b"tRNS", short)])
    yield "png_pieces.png", png(samples(3, 8), 8, 2, pieces=5)
    yield "png_grey16_low.png", png(samples(1, 9), 16, 0)
    yield "png_exif.png", png(samples(3, 8), 8, 2, [(b"eXIf", exif(6))])
    yield "png_exif_after.png", png(samples(3, 8), 8, 2, (), [(b"eXIf", exif(8))])
    xmp = b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="5"/>'
    yield "png_xmp.png", png(samples(3, 8), 8, 2, [(b"iTXt", xmp)])
    frames = [picture(), picture()]
    yield "png_animated.png", saved(frames[0], "PNG", save_all=True, append_images=frames[1:])


def exif(orientation):
    block = Image.Exif()
    block[274] = orientation
    return block.tobytes()[6:]


def saved(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


# JPEG

def jpegs():
    rgb = picture(35, 27)
    for name, sampling in (("444", 0), ("422", 1), ("420", 2)):
        yield f"jpeg_{name}.jpg", saved(rgb, "JPEG", quality=85, subsampling=sampling)
    yield "jpeg_progressive.jpg", saved(rgb, "JPEG", quality=70, progressive=True)
    yield "jpeg_grey.jpg", saved(rgb.convert("L"), "JPEG", quality=80)
    yield "jpeg_rgb.jpg", saved(rgb, "JPEG", quality=80, keep_rgb=True)
    yield "jpeg_restarts.jpg", saved(rgb, "JPEG", quality=80, restart_marker_blocks=2)
    ink = saved(rgb.convert("CMYK"), "JPEG", quality=90)
    yield "jpeg_cmyk.jpg", ink
    # The byte that says how the inks were transformed: 2 is YCCK.
    place = ink.index(b"Adobe") + 11
    yield "jpeg_ycck.jpg", ink[:place] + b"\2" + ink[place + 1 :]
    start = ink.index(b"\xff\xee")
    yield "jpeg_cmyk_unmarked.jpg", ink[:start] + ink[start + 16 :]
    for orientation in range(1, 10):
        block = b"Exif\0\0" + exif(orientation)
        yield f"jpeg_exif_{orientation}.jpg", saved(picture(), "JPEG", quality=90, exif=block)
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x><tiff:Orientation>3</tiff:Orientation></x>"
    plain = saved(picture(), "JPEG", quality=90)
    piece = b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp
    yield "jpeg_xmp.jpg", plain[:2] + piece + plain[2:]


# WebP

def webps():
    rgb, rgba = picture(), picture()
    rgba.putalpha(alpha())
    yield "webp_lossy.webp", saved(rgb, "WEBP", quality=80)
    yield "webp_lossless.webp", saved(rgb, "WEBP", lossless=True)
    yield "webp_lossy_alpha.webp", saved(rgba, "WEBP", quality=80)
    yield "webp_lossless_alpha.webp", saved(rgba, "WEBP", lossless=True, exact=True)
    yield "webp_exif.webp", saved(rgb, "WEBP", quality=80, exif=b"Exif\0\0" + exif(7))
    yield "webp_animated.webp", saved(rgb, "WEBP", save_all=True, append_images=[picture()],
                                      lossless=True)
    yield "webp_animated_alpha.webp", saved(rgba, "WEBP", save_all=True, append_images=[rgb],
                                            lossless=True)
    yield "webp_animated_part.webp", animated_part(saved(picture(9, 7), "WEBP", lossless=True), 2)
    small = picture(9, 7)
    small.putalpha(alpha(9, 7))
    yield "webp_animated_part_alpha.webp", animated_part(saved(small, "WEBP", quality=80), 18)


def animated_part(still, flags):
    """A first frame that covers a part of the canvas only."""
    def riff(name, body):
        return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)

    def three(value):
        return struct.pack("<I", value)[:3]

    body = still[12:]
    if body[:4] == b"VP8X":
        body = body[18:]
    place = three(3) + three(2) + three(8) + three(6) + three(100) + b"\0"
    header = bytes([flags, 0, 0, 0]) + three(WIDTH - 1) + three(HEIGHT - 1)
    frames = riff(b"ANMF", place + body) * 2
    whole = b"WEBP" + riff(b"VP8X", header) + riff(b"ANIM", bytes(6)) + frames
    return riff(b"RIFF", whole)


# TIFF: with libtiff, and by hand for what Pillow does not write.

def tiff(values, bits, photometric, order="<", extra=None, tile=None, planar=False, more=(),
         big=False, rows=5, deflated=False, orientation=None):
    height, width, count = values.shape
    planes = [values[..., i : i + 1] for i in range(count)] if planar else [values]

    def block(part):
        lines = []
        for line in part:
            if bits == 16:
                lines.append(line.reshape(-1).astype(order + "u2").tobytes())
            else:
                lines.append(packed_row(line.reshape(-1), bits))
        data = b"".join(lines)
        return zlib.compress(data) if deflated else data

    blocks = []
    for plane in planes:
        if tile:
            full = np.zeros((-(-height // tile) * tile, -(-width // tile) * tile, plane.shape[2]),
                            plane.dtype)
            full[:height, :width] = plane
            for y in range(0, full.shape[0], tile):
                for x in range(0, full.shape[1], tile):
                    blocks.append(block(full[y : y + tile, x : x + tile]))
        else:
            blocks += [block(plane[y : y + rows]) for y in range(0, height, rows)]
    tags = {256: (3, [width]), 257: (3, [height]), 258: (3, [bits] * count),
            259: (3, [8 if deflated else 1]), 262: (3, [photometric]), 277: (3, [count]),
            284: (3, [2 if planar else 1])}
    if extra is not None:
        tags[338] = (3, extra)
    if orientation:
        tags[274] = (3, [orientation])
    long = 16 if big else 4
    if tile:
        tags.update({322: (3, [tile]), 323: (3, [tile]), 324: (long, None),
                     325: (long, [len(b) for b in blocks])})
    else:
        tags.update({278: (3, [rows]), 273: (long, None), 279: (long, [len(b) for b in blocks])})
    tags.update(dict(more))
    return tiff_file(blocks, tags, order, big)


def tiff_file(blocks, tags, order, big):
    start = 16 if big else 8
    out, offsets = b"", []
    for data in blocks:
        offsets.append(start + len(out))
        out += data + b"\0" * (len(data) & 1)
    for tag in (273, 324):
        if tag in tags:
            tags[tag] = (tags[tag][0], offsets)
    letters, sizes = {3: "H", 4: "I", 16: "Q"}, {3: 2, 4: 4, 16: 8}
    inline = 8 if big else 4
    entries = b""
    for tag in sorted(tags):
        kind, values = tags[tag]
        data = struct.pack(order + letters[kind] * len(values), *values)
        if len(data) > inline:
            place = struct.pack(order + ("Q" if big else "I"), start + len(out))
            out, data = out + data + b"\0" * (len(data) & 1), place
        entries += struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, len(values))
        entries += data.ljust(inline, b"\0")
    directory = start + len(out)
    out += struct.pack(order + ("Q" if big else "H"), len(tags)) + entries + bytes(inline)
    magic = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42)
    first = struct.pack(order + "HHQ", 8, 0, directory) if big else \
        struct.pack(order + "I", directory)
    return magic + first + out


def tiffs():
    rgb = picture()
    rgba = picture()
    rgba.putalpha(alpha())
    grey_alpha = Image.merge("LA", (rgb.convert("L"), alpha()))
    images = {"1": rgb.convert("1"), "L": rgb.convert("L"), "LA": grey_alpha, "RGB": rgb,
              "RGBA": rgba, "P": rgb.quantize(17), "CMYK": rgb.convert("CMYK"),
              "I16": Image.fromarray((np.asarray(rgb.convert("L")).astype(np.uint16) * 3))}
    for mode, image in images.items():
        for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
            yield f"tiff_{mode}_{compression}.tif", saved(image, "TIFF", compression=compression)
    yield "tiff_group4.tif", saved(images["1"], "TIFF", compression="group4")
    yield "tiff_jpeg_grey.tif", saved(images["L"], "TIFF", compression="jpeg")
    yield "tiff_jpeg_rgb.tif", saved(rgb, "TIFF", compression="jpeg")
    yield "tiff_predictor.tif", saved(rgb, "TIFF", compression="tiff_lzw", tiffinfo={317: 2})
    yield "tiff_pages.tif", saved(rgb, "TIFF", save_all=True, append_images=[picture(), picture()])
    for orientation in range(1, 9):
        yield f"tiff_turned_{orientation}.tif", tiff(samples(3, 8), 8, 2, orientation=orientation)
    for order, letter in (("<", "le"), (">", "be")):
        yield f"tiff_rgb16_{letter}.tif", tiff(samples(3, 16), 16, 2, order)
        deep = tiff(samples(4, 16), 16, 2, order, extra=[2], deflated=True)
        yield f"tiff_rgba16_{letter}.tif", deep
        yield f"tiff_grey16_{letter}.tif", tiff(samples(1, 9), 16, 1, order)
        yield f"tiff_cmyk16_{letter}.tif", tiff(samples(4, 16), 16, 5, order)
    for bits in (1, 2, 4, 8):
        yield f"tiff_white0_{bits}.tif", tiff(samples(1, bits), bits, 0)
        yield f"tiff_grey_{bits}.tif", tiff(samples(1, bits), bits, 1, ">", deflated=True)
        palette = (320, (3, [int(v) for v in random.randint(0, 65536, 3 << bits)]))
        yield f"tiff_palette_{bits}.tif", tiff(samples(1, bits), bits, 3, more=[palette])
    for extra in (0, 1, 2):
        yield f"tiff_rgb_extra{extra}.tif", tiff(samples(4, 8), 8, 2, extra=[extra])
    yield "tiff_rgba_unsaid.tif", tiff(samples(4, 8), 8, 2)
    yield "tiff_rgb_five.tif", tiff(samples(5, 8), 8, 2, extra=[2, 0])
    yield "tiff_tiles.tif", tiff(samples(3, 8), 8, 2, tile=16)
    yield "tiff_tiles_deflated.tif", tiff(samples(1, 8), 8, 1, tile=16, deflated=True)
    yield "tiff_planar.tif", tiff(samples(3, 8), 8, 2, planar=True)
    yield "tiff_planar_tiles.tif", tiff(samples(3, 8), 8, 2, tile=16, planar=True, deflated=True)
    yield "tiff_big.tif", tiff(samples(3, 8), 8, 2, big=True)


def decoded(data):
    """What transformers before 5 and from 5 on make of a file."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    plain = np.asarray(image.convert("RGB"))
    if "A" not in image.getbands() and image.info.get("transparency") is None:
        return plain, plain
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    composed = Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    return plain, np.asarray(composed)


def make_files():
    values = {}
    for maker in (pngs, jpegs, webps, tiffs):
        for name, data in maker():
            try:
                plain, composed = decoded(data)
            except Exception as error:  # What Pillow refuses proves nothing.
                print("skipped", name, repr(error))
                continue
            with open(os.path.join(FOLDER, name), "wb") as file:
                file.write(data)
            values[name + ".pil_convert_rgb"] = plain
            values[name + ".hf5_composited"] = composed
    save_file(values, os.path.join(FOLDER, "decode.safetensors"))
    print(len(values) // 2, "files")


def make_resizes():
    import torch
    from torchvision.transforms.v2 import functional

    modes = functional.InterpolationMode
    torch_filters = {"bicubic": modes.BICUBIC, "bilinear": modes.BILINEAR}
    values = {}
    sizes = [((40, 30), (20, 15)), ((30, 40), (31, 41)), ((7, 90), (30, 9)), ((90, 7), (9, 30)),
             ((64, 48), (50, 21)), ((50, 76), (40, 38)), ((1, 1), (5, 3)), ((17, 33), (1, 1)),
             ((33, 17), (33, 40)), ((33, 17), (50, 17)), ((100, 3), (7, 3)), ((57, 75), (35, 35))]
    for number, (old, new) in enumerate(sizes):
        image = picture(*old)
        tensor = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)
        values[f"{number}.in"] = np.asarray(image)
        for name in ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"):
            result = image.resize(new, getattr(Image.Resampling, name.upper()))
            values[f"{number}.{name}.pil"] = np.asarray(result)
        for name, mode in torch_filters.items():
            out = functional.resize(tensor, [new[1], new[0]], interpolation=mode, antialias=True)
            values[f"{number}.{name}.torch"] = out.permute(1, 2, 0).contiguous().numpy()
    save_file(values, os.path.join(FOLDER, "resize.safetensors"))


if __name__ == "__main__":
    os.makedirs(FOLDER, exist_ok=True)
    for name in os.listdir(FOLDER):
        os.remove(os.path.join(FOLDER, name))
    make_files()
    make_resizes()
