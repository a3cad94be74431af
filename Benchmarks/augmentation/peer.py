#!/usr/bin/env python3
"""Peers of augmentation: answers one JSON task a line with the seconds of one picture.

    peer.py pillow|torchvision|albumentations

A task of "all" goes from the bytes of a file over rotate, brightness, crop, resize and noise to a
picture of 336 x 336; any other makes one change to a picture of that size. Values are those of
ours/main.swift. A change that a peer does not have is answered with null.
"""

import io
import json
import sys
import time

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

DEGREES, FACTOR, SIGMA = 7.3, 1.15, 6.0
CORNERS = [0.03, 0.02, 0, 0.01, 0.02, 0.03, 0.01, 0]


def box(width: int, height: int, crop: list[float]) -> tuple[int, int, int, int]:
    """Left, top, width and height of the crop."""
    return (round(0.1 * width), round(0.05 * height), round(crop[0] * width),
            round(crop[1] * height))


def sources(side: int) -> list[tuple[float, float]]:
    """Where the corners of a slanted picture come from."""
    c = [value * side for value in CORNERS]
    return [(c[0], c[1]), (side - c[2], c[3]), (side - c[4], side - c[5]), (c[6], side - c[7])]


def pillow():
    """Noise is numpy's: Pillow has none of a given strength."""
    random = np.random.default_rng(1)
    # Without blocks to reuse, half of its time goes into fresh memory.
    Image.core.set_blocks_max(64)

    def noise(image):
        values = np.asarray(image, np.float32)
        values = values + random.standard_normal(values.shape, np.float32) * SIGMA
        return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))

    def whole(data: bytes, task: dict):
        image = Image.open(io.BytesIO(data)).convert("RGB")
        image = image.rotate(DEGREES, Image.BILINEAR)
        image = ImageEnhance.Brightness(image).enhance(FACTOR)
        left, top, width, height = box(*image.size, task["crop"])
        side = task["side"]
        return noise(image.resize((side, side), Image.BICUBIC,
                                  (left, top, left + width, top + height)))

    def jpeg(image):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=60)
        return Image.open(file).convert("RGB")

    def perspective(image):
        side = image.width
        rows, values = [], []
        for (x, y), (u, v) in zip([(0, 0), (side, 0), (side, side), (0, side)], sources(side)):
            rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
            values += [u, v]
        return image.transform(image.size, Image.PERSPECTIVE, np.linalg.solve(rows, values),
                               Image.BILINEAR)

    changes = {
        "rotate": lambda i: i.rotate(DEGREES, Image.BILINEAR),
        "flip": lambda i: i.transpose(Image.FLIP_LEFT_RIGHT),
        "brightness": lambda i: ImageEnhance.Brightness(i).enhance(FACTOR),
        "contrast": lambda i: ImageEnhance.Contrast(i).enhance(0.85),
        "color": lambda i: ImageEnhance.Color(i).enhance(0.8),
        "resolution": lambda i: i.resize((i.width // 2, i.height // 2), Image.BILINEAR)
                                 .resize(i.size, Image.BILINEAR),
        "blur": lambda i: i.filter(ImageFilter.GaussianBlur(1.5)),
        "sensor noise": noise, "jpeg": jpeg, "perspective": perspective,
    }
    return whole, changes, lambda data, side: (
        Image.open(io.BytesIO(data)).convert("RGB").resize((side, side), Image.BICUBIC))


def torchvision():
    """The functions of transforms.v2 on tensors of bytes."""
    import torch
    from torchvision.io import ImageReadMode, decode_image
    from torchvision.transforms.v2 import functional as F

    torch.set_num_threads(1)
    bilinear, bicubic = F.InterpolationMode.BILINEAR, F.InterpolationMode.BICUBIC

    def decode(data: bytes):
        return decode_image(torch.frombuffer(bytearray(data), dtype=torch.uint8),
                            ImageReadMode.RGB)

    def noise(image):
        return F.gaussian_noise(image.to(torch.float32) / 255, sigma=SIGMA / 255).mul(255).to(
            torch.uint8)

    def whole(data: bytes, task: dict):
        image = F.rotate(decode(data), DEGREES, bilinear)
        image = F.adjust_brightness(image, FACTOR)
        left, top, width, height = box(image.shape[2], image.shape[1], task["crop"])
        image = F.resized_crop(image, top, left, height, width, [task["side"]] * 2, bicubic)
        return noise(image)

    def perspective(image):
        side = image.shape[-1]
        ends = [[0, 0], [side, 0], [side, side], [0, side]]
        starts = [list(place) for place in sources(side)]
        return F.perspective(image, starts, ends, bilinear)

    def resolution(image):
        small = F.resize(image, [image.shape[1] // 2] * 2, bilinear)
        return F.resize(small, list(image.shape[1:]), bilinear)

    changes = {
        "rotate": lambda i: F.rotate(i, DEGREES, bilinear), "flip": F.horizontal_flip,
        "brightness": lambda i: F.adjust_brightness(i, FACTOR),
        "contrast": lambda i: F.adjust_contrast(i, 0.85),
        "color": lambda i: F.adjust_saturation(i, 0.8), "resolution": resolution,
        "blur": lambda i: F.gaussian_blur(i, [9, 9], [1.5, 1.5]), "sensor noise": noise,
        "jpeg": lambda i: F.jpeg(i, 60), "perspective": perspective,
    }
    return whole, changes, lambda data, side: F.resize(decode(data), [side, side], bicubic)


def albumentations():
    """Transforms whose ranges hold one value, on arrays decoded by OpenCV."""
    import albumentations as A
    import cv2

    cv2.setNumThreads(1)

    def decode(data: bytes):
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)

    known = {}

    def run(transform, image):
        return transform(image=image)["image"]

    light = {"contrast": (1, 1), "saturation": (1, 1), "hue": (0, 0), "brightness": (1, 1), "p": 1}
    noise = A.GaussNoise((SIGMA / 255, SIGMA / 255), (0, 0), p=1)
    rotate = A.Rotate((DEGREES, DEGREES), cv2.INTER_LINEAR, p=1)

    def whole(data: bytes, task: dict):
        image = decode(data)
        key = (image.shape, task["side"])
        if key not in known:
            left, top, width, height = box(image.shape[1], image.shape[0], task["crop"])
            known[key] = A.Compose([
                rotate, A.ColorJitter(**light | {"brightness": (FACTOR, FACTOR)}),
                A.Crop(left, top, left + width, top + height),
                A.Resize(task["side"], task["side"], cv2.INTER_CUBIC), noise])
        return run(known[key], image)

    changes = {
        "rotate": rotate, "flip": A.HorizontalFlip(p=1),
        "brightness": A.ColorJitter(**light | {"brightness": (FACTOR, FACTOR)}),
        "contrast": A.ColorJitter(**light | {"contrast": (0.85, 0.85)}),
        "color": A.ColorJitter(**light | {"saturation": (0.8, 0.8)}),
        "resolution": A.Downscale((0.5, 0.5), p=1),
        "blur": A.GaussianBlur((9, 9), (1.5, 1.5), p=1), "sensor noise": noise,
        "jpeg": A.ImageCompression("jpeg", (60, 60), p=1),
        "perspective": A.Perspective((0.02, 0.02), p=1),
    }
    parts = {name: (lambda image, t=transform: run(t, image))
             for name, transform in changes.items()}
    return whole, parts, lambda data, side: cv2.resize(decode(data), (side, side),
                                                       interpolation=cv2.INTER_CUBIC)


def seconds(peer, task: dict) -> float | None:
    """The best of the runs that the budget allows."""
    whole, changes, prepare = peer
    with open(task["file"], "rb") as file:
        data = file.read()
    if task["change"] == "all":
        def body():
            whole(data, task)
    elif task["change"] in changes:
        picture, change = prepare(data, task["side"]), changes[task["change"]]

        def body():
            change(picture)
    else:
        return None
    best, end = float("inf"), time.perf_counter() + task["budget"]
    while time.perf_counter() < end:
        start = time.perf_counter()
        body()
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    peers = {"pillow": pillow, "torchvision": torchvision, "albumentations": albumentations}
    peer = peers[sys.argv[1]]()
    for line in sys.stdin:
        print(json.dumps({"seconds": seconds(peer, json.loads(line))}), flush=True)


if __name__ == "__main__":
    main()
