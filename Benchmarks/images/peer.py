#!/usr/bin/env python3
"""Pillow and torchvision as peers: answers one JSON task a line with the seconds of one picture.

    peer.py pillow|torchvision    answers tasks
    peer.py pictures FOLDER       makes what is measured there
"""

import io
import json
import os
import sys
import time

import numpy as np
from PIL import Image


def make_pictures(folder: str) -> None:
    """A photograph's likeness: smooth, with some noise."""
    random = np.random.RandomState(1)
    for name, width, height, options in [
        ("photo.jpg", 1024, 768, {"quality": 90}), ("photo.png", 512, 512, {}),
    ]:
        y, x = np.mgrid[0:height, 0:width].astype(np.float64)
        planes = [128 + 90 * np.sin(x / (40 + 9 * c)) * np.cos(y / (31 + 7 * c)) for c in range(3)]
        values = np.stack(planes, -1) + random.normal(0, 4, (height, width, 3))
        image = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
        image.save(os.path.join(folder, name), **options)


def pillow():
    """Decodes, and resizes with its bicubic filter."""
    # Without blocks to reuse, half of its time goes into fresh memory.
    Image.core.set_blocks_max(64)

    def run(data: bytes, side: int):
        image = Image.open(io.BytesIO(data)).convert("RGB")
        return image.resize((side, side), Image.BICUBIC) if side else image
    return run


def torchvision():
    """Decodes to a tensor of bytes, and resizes as transformers' fast processors do."""
    import torch
    from torchvision.io import ImageReadMode, decode_image
    from torchvision.transforms.v2 import functional

    torch.set_num_threads(1)
    bicubic = functional.InterpolationMode.BICUBIC

    def run(data: bytes, side: int):
        bytes_ = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        image = decode_image(bytes_, ImageReadMode.RGB)
        if not side:
            return image
        return functional.resize(image, [side, side], bicubic, antialias=True)
    return run


def seconds(run, task: dict) -> float:
    """The best of the runs that the budget allows."""
    with open(task["file"], "rb") as file:
        data = file.read()
    best, end = float("inf"), time.perf_counter() + task["budget"]
    while time.perf_counter() < end:
        start = time.perf_counter()
        run(data, task["side"])
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    if sys.argv[1] == "pictures":
        make_pictures(sys.argv[2])
        return
    run = {"pillow": pillow, "torchvision": torchvision}[sys.argv[1]]()
    for line in sys.stdin:
        print(json.dumps({"seconds": seconds(run, json.loads(line))}), flush=True)


if __name__ == "__main__":
    main()
