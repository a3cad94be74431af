#!/usr/bin/env python3
"""Golden values of what vision towers do to grids."""
from torch.nn.functional import interpolate, unfold

from golden_cases import Cases, random


def pixel_shuffle(x, grid, order):
    """As in OpenGVLab's InternVL: the first version does not transpose back."""
    height, width = grid
    x = x.reshape(-1, height, width // 2, 2 * x.shape[-1]).permute(0, 2, 1, 3)
    x = x.reshape(x.shape[0], width // 2, height // 2, 2 * x.shape[-1])
    if order == "v2":
        x = x.permute(0, 2, 1, 3)
    return x.reshape(-1, x.shape[-1])


def resample(x, source, target, mode):
    images = x.reshape(1, *source, -1).permute(0, 3, 1, 2)
    images = interpolate(images, size=target, mode=mode, align_corners=False)
    return images.permute(0, 2, 3, 1).reshape(target[0] * target[1], -1)


cases = Cases("images")
for shape, size in [((1, 1, 1, 1), 1), ((2, 3, 4, 6), 2), ((2, 3, 14, 7), 7)]:
    cases.add(
        "patches", dict(x=random(*shape)),
        lambda x: unfold(x, size, stride=size).transpose(1, 2).reshape(-1, x.shape[1] * size**2),
        dict(size=size))
for grid, images, width in [((2, 2), 1, 1), ((4, 6), 2, 19)]:
    for order in ["v1", "v2"]:
        cases.add(
            "pixelShuffled", dict(x=random(images * grid[0] * grid[1], width)),
            lambda x: pixel_shuffle(x, grid, order), dict(grid=grid, order=order))
for source, target in [((1, 1), (2, 3)), ((4, 4), (4, 4)), ((4, 6), (7, 5)), ((7, 5), (3, 9))]:
    for mode in ["bilinear", "bicubic"]:
        cases.add(
            mode, dict(x=random(source[0] * source[1], 17)),
            lambda x: resample(x, source, target, mode), dict(source=source, target=target))
cases.write()
