"""Fills in Tests/Goldens/augmentations/cases.json: what Pillow makes of a small picture.

    pip install pillow==13.0.0 scikit-image==0.26.0 && \
        python scripts/make-goldens/augmentations.py
"""

import base64
import json
import pathlib

import numpy as np
import skimage.data
from PIL import Image, ImageEnhance, ImageFilter

FILE = pathlib.Path(__file__).parents[2] / "Tests/Goldens/augmentations/cases.json"
BILINEAR = Image.Resampling.BILINEAR
MAPS = [
    [1, 0, 0, 0, 1, 0, 0, 0],
    [0.9, 0.05, 1.5, 0.02, 0.85, 2.25, 0.001, 0.002],
    [1.2, -0.3, 4, 0.2, 1.1, -5, -0.001, 0.003],
]


def encoded(image):
    return base64.b64encode(np.asarray(image.convert("RGB")).tobytes()).decode()


def case(name, values, image):
    return {"name": name, "values": values, "pixels": encoded(image)}


def main():
    picture = Image.fromarray(skimage.data.astronaut()).crop((150, 20, 300, 150))
    picture = picture.resize((33, 27), BILINEAR)
    cases = []
    for angle in [7.3, -15, 90, 180, 123.4]:
        turned = picture.rotate(angle, BILINEAR, fillcolor=(255, 0, 128))
        cases.append(case("rotate", [angle, 0xFF0080], turned))
    for values in MAPS:
        moved = picture.transform(
            picture.size, Image.Transform.PERSPECTIVE, values, BILINEAR, fillcolor=(9, 8, 7)
        )
        cases.append(case("project", values, moved))
    for factor in [0.2, 0.8, 1, 1.25, 3]:
        cases.append(
            case("brightness", [factor], ImageEnhance.Brightness(picture).enhance(factor)))
        cases.append(case("contrast", [factor], ImageEnhance.Contrast(picture).enhance(factor)))
        cases.append(case("saturation", [factor], ImageEnhance.Color(picture).enhance(factor)))
    for sigma in [0, 0.3, 0.8, 1.5, 4, 10]:
        cases.append(case("blur", [sigma], picture.filter(ImageFilter.GaussianBlur(sigma))))
    for scale in [0.1, 0.5, 0.77]:
        size = [max(1, int(side * scale + 0.5)) for side in picture.size]
        cases.append(
            case("coarsen", [scale],
                 picture.resize(size, BILINEAR).resize(picture.size, BILINEAR)))
    FILE.write_text(json.dumps({
        "width": 33, "height": 27, "pixels": encoded(picture), "cases": cases}) + "\n")


main()
