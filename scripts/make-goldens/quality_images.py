"""Fills in Tests/Goldens/quality/{hashes,variants,measures}.json: what others see in images.

    pip install ImageHash==4.3.2 pillow==13.0.0 scipy==1.12.0 scikit-image==0.26.0 && \
        python scripts/make-goldens/quality_images.py

The pictures are those that scikit-image ships. Only thumbnails of them are stored.
"""

import base64
import io
import json
import pathlib

import imagehash
import numpy as np
import scipy.ndimage
import skimage.data
from PIL import Image, ImageEnhance, ImageFilter

FOLDER = pathlib.Path(__file__).parents[2] / "Tests/Goldens/quality"
NAMES = [
    "astronaut", "brick", "camera", "cat", "cell", "clock", "coffee", "coins", "grass", "gravel",
    "hubble_deep_field", "immunohistochemistry", "moon", "page", "retina", "rocket", "text",
]


def pictures():
    for name in NAMES:
        yield name, Image.fromarray(getattr(skimage.data, name)()).convert("RGB")


def jpeg(image, quality):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def noisy(image):
    noise = np.random.default_rng(1).normal(0, 8, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def cut(image, share):
    x, y = int(image.width * share), int(image.height * share)
    return image.crop((x, y, image.width - x, image.height - y))


VARIANTS = {
    "jpeg 30": lambda i: jpeg(i, 30),
    "half size": lambda i: i.resize((i.width // 2, i.height // 2), Image.BICUBIC),
    "brighter 1.3": lambda i: ImageEnhance.Brightness(i).enhance(1.3),
    "darker 0.7": lambda i: ImageEnhance.Brightness(i).enhance(0.7),
    "contrast 1.3": lambda i: ImageEnhance.Contrast(i).enhance(1.3),
    "blur 2": lambda i: i.filter(ImageFilter.GaussianBlur(2)),
    "noise 8": noisy,
    "cut 1 %": lambda i: cut(i, 0.01),
    "turn 1": lambda i: cut(i.rotate(1, Image.BILINEAR), 0.02),
}


def encoded(image):
    return base64.b64encode(np.asarray(image.convert("L")).tobytes()).decode()


def thumbnail(image):
    return image.convert("L").resize((32, 32), Image.BOX)


def write(name, value):
    (FOLDER / name).write_text(json.dumps(value) + "\n")


def hashes():
    cases = []
    for name, image in pictures():
        small = image.convert("L").resize((32, 32), Image.LANCZOS)
        strip = image.convert("L").resize((9, 8), Image.LANCZOS)
        cases.append({
            "name": name,
            "square": encoded(small),
            "frequencies": str(imagehash.phash(small)),
            "strip": encoded(strip),
            "differences": str(imagehash.dhash(strip)),
        })
    write("hashes.json", cases)


def variants():
    write("variants.json", [
        {"name": name, "original": encoded(thumbnail(image)),
         "variants": {key: encoded(thumbnail(make(image))) for key, make in VARIANTS.items()}}
        for name, image in pictures()
    ])


def area_mean(image, width, height):
    """Each pixel repeated, so that new pixels cover whole numbers of them."""
    grey = np.asarray(image).astype(float).repeat(height, 0).repeat(width, 1)
    blocks = grey.reshape(height, image.height, width, image.width)
    return Image.fromarray(np.rint(blocks.mean((1, 3))).astype(np.uint8))


def measured(image):
    grey = np.asarray(image.convert("L")).astype(float)
    kernel = [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
    edges = scipy.ndimage.convolve(grey, kernel, mode="mirror")
    return {
        "mean": grey.mean() / 255,
        "deviation": grey.std() / 255,
        "laplacian": edges.var(),
        "entropy": image.convert("L").entropy(),
        "darkest": float(np.percentile(grey, 5, method="inverted_cdf")) / 255,
        "lightest": float(np.percentile(grey, 95, method="inverted_cdf")) / 255,
    }


def measures():
    cases = []
    for name, image in pictures():
        small = cut(image, 0.3).resize((40, 31), Image.BOX)
        cases.append({
            "name": name,
            "width": 40, "height": 31,
            "rgb": base64.b64encode(np.asarray(small).tobytes()).decode(),
            "grey": encoded(small),
            "reduced": encoded(area_mean(small.convert("L"), 13, 17)),
            "measures": measured(small),
        })
    write("measures.json", cases[:6])
    for name, image in pictures():
        image.thumbnail((512, 512), Image.BOX)
        soft = image.filter(ImageFilter.GaussianBlur(3))
        print(name, image.size, measured(image), "blurred:", measured(soft)["laplacian"])


hashes()
variants()
measures()
