#!/usr/bin/env python3
"""JPEG pictures made small by their decoder, as Pillow's `draft` does it.

    small_jpegs.py    writes Tests/Goldens/images/small_jpegs.json; Pillow 13.0
"""

import base64
import json
from pathlib import Path

from PIL import Image

FOLDER = Path(__file__).resolve().parents[2] / "Tests/Goldens/images"
NAMES = ("jpeg_420", "jpeg_422", "jpeg_444", "jpeg_grey", "jpeg_progressive", "jpeg_cmyk")


def main() -> None:
    cases = []
    for name in NAMES:
        for shrink in (2, 4, 8):
            image = Image.open(FOLDER / f"{name}.jpg")
            width, height = image.size
            if image.draft(None, (width // shrink, height // shrink)) is None:
                continue
            small = image.convert("RGB")
            if small.size == (-(-width // shrink), -(-height // shrink)):
                pixels = base64.b64encode(small.tobytes()).decode()
                cases.append({"name": name, "shrink": shrink, "width": small.width,
                              "height": small.height, "pixels": pixels})
    (FOLDER / "small_jpegs.json").write_text(json.dumps(cases, indent=0) + "\n")
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
