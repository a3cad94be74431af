#!/usr/bin/env python3
"""Copies whole models from a reference set, without tensors that no test of the copy reads.

    scripts/make-goldens/reference_models.py SET Tests/Goldens/reference MODEL...

Of the logits of all rows the copy keeps the last 16 rows and the maxima; tests of the whole set
read the rest. Made with safetensors 0.8.0 and numpy 2.4.6.
"""
import os
import shutil
import sys

from safetensors import safe_open
from safetensors.numpy import save_file

UNREAD = ("pixel_u8_pil_backend", "projected_tiles", "vision_hidden")
UNREAD_ENDS = (".weight_source", ".dequant", ".packed", ".absmax", ".absmax_dequant",
               ".nested_absmax", ".offset")


def kept(path):
    with safe_open(path, "np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    if "logits" in tensors:
        tensors["logits_last16"] = tensors.pop("logits")[-16:].copy()
    return {name: tensor for name, tensor in tensors.items()
            if name not in UNREAD and not name.endswith(UNREAD_ENDS)}


def copy_model(source, target):
    for folder, _, names in os.walk(source):
        place = os.path.join(target, os.path.relpath(folder, source))
        os.makedirs(place, exist_ok=True)
        for name in names:
            old, new = os.path.join(folder, name), os.path.join(place, name)
            is_case = name.startswith("case") or name == "nf4.safetensors"
            if is_case and name.endswith(".safetensors"):
                save_file(kept(old), new)
            else:
                shutil.copyfile(old, new)


def main(source, target, *models):
    for model in models:
        copy_model(os.path.join(source, model), os.path.join(target, model))


if __name__ == "__main__":
    main(*sys.argv[1:])
