#!/usr/bin/env python3
"""Golden values of rotary positions, by the formulas of transformers' Llama, Qwen2-VL and its
modeling_rope_utils. Angles are made in float32 as there; turning is in float64."""
import torch

from golden_cases import Cases, random


def frequencies(width, base):
    return 1.0 / (base ** (torch.arange(0, width, 2, dtype=torch.int64).float() / width))


def dynamic_base(width, base, factor, trained, length):
    length = max(length, trained)
    return base * ((factor * length / trained) - (factor - 1)) ** (width / (width - 2))


def rotate_half(x):
    first, second = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2:]
    return torch.cat((-second, first), dim=-1)


def turn(x, angles):
    """x [N, H, K], angles [N, K / 2] in float32"""
    both = torch.cat((angles, angles), dim=-1)
    cosines, sines = both.cos().double()[:, None], both.sin().double()[:, None]
    return x * cosines + rotate_half(x) * sines


def sectioned(positions, radians, sections):
    """apply_multimodal_rotary_pos_emb: sections of the planes by time, row and column."""
    angles = positions[:, :, None].float() * radians
    parts = angles.split(sections, dim=-1)
    return torch.cat([part[i % 3] for i, part in enumerate(parts)], dim=-1)


cases = Cases("rotary")


def add(shape, positions, angles, attributes):
    # What float32 leaves open of large angles is not the kernel's: the tables are compared apart.
    cases.add(
        "rotated", dict(x=random(*shape), positions=positions.int()),
        lambda x, positions: turn(x, angles), attributes)


for shape, base in [((1, 1, 2), 10000.0), ((5, 3, 64), 10000.0), ((17, 2, 80), 1000000.0)]:
    positions = torch.arange(shape[0]) * 3
    radians = frequencies(shape[2], base)
    add(shape, positions, positions[:, None].float() * radians,
        dict(kind="plain", base=base, scaling="none"))
positions, x = torch.arange(9) * 41, (9, 2, 72)
radians = frequencies(72, 10000.0) / 4.0
add(x, positions, positions[:, None].float() * radians,
    dict(kind="plain", base=10000.0, scaling="linear", factor=4.0))
radians = frequencies(72, dynamic_base(72, 10000.0, 2.0, 256, 1000))
add(x, positions, positions[:, None].float() * radians,
    dict(kind="plain", base=10000.0, scaling="dynamic", factor=2.0, trained=256, length=1000))
positions = torch.stack([torch.arange(7), torch.arange(7) // 3, torch.arange(7) % 3 + 4])
add((7, 3, 32), positions, sectioned(positions, frequencies(32, 1000000.0), [4, 6, 6]),
    dict(kind="sectioned", base=1000000.0, sections=[4, 6, 6]))
grid = torch.stack([torch.arange(12) // 4, torch.arange(12) % 4])
radians = frequencies(20, 10000.0)
angles = torch.cat([grid[0][:, None].float() * radians, grid[1][:, None].float() * radians], -1)
add((12, 2, 40), grid, angles, dict(kind="patches", base=10000.0))

# Angles and frequencies themselves.
for width, base in [(64, 10000.0), (128, 1000000.0), (80, 500000.0)]:
    for part, function in [("cosines", torch.cos), ("sines", torch.sin)]:
        cases.add(
            "rotaryTables", dict(positions=torch.tensor([0, 1, 2, 77, 2047]).int()),
            lambda positions: function(positions[:, None].float() * frequencies(width, base)),
            dict(base=base, width=width, part=part))
cases.write()
