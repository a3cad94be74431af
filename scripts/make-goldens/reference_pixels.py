#!/usr/bin/env python3
"""Copies from a reference set what the tests of pictures read, tensors of pixels alone.

    scripts/make-goldens/reference_pixels.py SET Tests/Goldens/reference

Made with safetensors 0.8.0 and numpy 2.4.6.
"""
import glob
import os
import shutil
import sys

from safetensors import safe_open
from safetensors.numpy import save_file

PARTS = ("pixel_u8_", "in.pixel_values", "in.images", "in.image_grid_thw", "in.image_sizes",
         "features_per_image", "tiles_per_image", "grid_cols_rows", "in.token_type_ids")
FILES = ("config.json", "preprocessor_config.json", "processor_config.json", "golden/cases.json",
         "images/*.png", "*.jpg", "*.png", "meta.json", "decode.safetensors", "resize.safetensors")


def copy_pixels(source, target):
    for path in glob.glob(os.path.join(source, "golden", "case*.safetensors")):
        with safe_open(path, "np") as file:
            names = [name for name in file.keys() if name.startswith(PARTS)]
            tensors = {name: file.get_tensor(name) for name in names}
        if "pixel_u8_torch_backend" in tensors:
            tensors.pop("pixel_u8_pil_backend", None)
        if any(name.startswith("pixel_u8") for name in tensors):
            os.makedirs(os.path.join(target, "golden"), exist_ok=True)
            save_file(tensors, os.path.join(target, "golden", os.path.basename(path)))


def main(source, target):
    for folder in sorted(os.listdir(source)):
        old, new = os.path.join(source, folder), os.path.join(target, folder)
        if folder != "image" and not os.path.isdir(os.path.join(old, "images")):
            continue
        copy_pixels(old, new)
        for pattern in FILES:
            for path in glob.glob(os.path.join(old, pattern)):
                place = os.path.join(new, os.path.relpath(path, old))
                os.makedirs(os.path.dirname(place), exist_ok=True)
                shutil.copyfile(path, place)


if __name__ == "__main__":
    main(*sys.argv[1:])
