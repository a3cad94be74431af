#!/usr/bin/env python3
"""Golden values of the optimisers: parameters along ten steps.

The gradient of step t is the parameter's gradient rotated by 7 t places and multiplied by
FACTORS[t], so that files stay small. AdamW and SGD are torch's, with clip_grad_norm_ on.

The byte codes of AdamW's 8-bit state are those of bitsandbytes' CUDA kernels: the nearest entry of
its maps. Its CPU library is no reference for them: it first rounds a number to a grid of 1/32768,
which leaves the small decades of the maps unused. So `eight` is the same arithmetic written out
here, over bitsandbytes' own maps, with one difference: a square that is not 0 has at least code 1.
`eight_library` is what bitsandbytes' AdamW8bit itself gives on the CPU, for a loose comparison.
"""
import json
import math
import os

import torch
from safetensors.torch import save_file

import bitsandbytes
from bitsandbytes.functional import create_dynamic_map
from golden_cases import FOLDER, random

FACTORS = [1, 0.25, 4, 1, 0.5, 2, 8, 0.125, 1, 2]
SMALL = {"first.weight": (3, 17), "first.bias": (129,), "second.weight": (20, 33), "scale": (1,)}
LARGE = {"large.weight": (61, 85), "small.bias": (127,)}
RATE, NORM_MAX, BLOCK = 0.01, 20.0, 256
tensors = {}


def start(shapes):
    values = {name: random(*shape) for name, shape in shapes.items()}
    for name, shape in shapes.items():
        tensors[f"{name}/start"] = values[name]
        tensors[f"{name}/gradient"] = random(*shape, seed=5)
    return values


def gradient(name, step):
    base = tensors[f"{name}/gradient"]
    return torch.roll(base.flatten(), 7 * step).reshape(base.shape) * FACTORS[step]


def run(case, shapes, make, kept=(0, 4, 9), clip=True):
    """Ten steps of an optimiser that `make` makes of the parameters by name."""
    values = {name: torch.nn.Parameter(tensors[f"{name}/start"].clone()) for name in shapes}
    optimiser = make(values)
    for step in range(len(FACTORS)):
        for name, value in values.items():
            value.grad = gradient(name, step)
        norm = torch.nn.utils.clip_grad_norm_(list(values.values()), NORM_MAX if clip else 1e9)
        tensors[f"{case}/norm.{step}"] = norm.reshape(1).float()
        for group in optimiser.param_groups:
            group["lr"] = group["initial_lr"] * (1 - step / len(FACTORS))
        optimiser.step()
        if step in kept:
            for name, value in values.items():
                tensors[f"{case}/{name}.{step}"] = value.detach().clone()
    return optimiser, values


def groups(values, options, bias_options):
    biases = [value for name, value in values.items() if name.endswith("bias")]
    others = [value for name, value in values.items() if not name.endswith("bias")]
    return [dict(params=others, initial_lr=RATE, lr=RATE, **options),
            dict(params=biases, initial_lr=RATE / 4, lr=RATE / 4, **bias_options)]


def adamw(values):
    return torch.optim.AdamW(groups(
        values, dict(weight_decay=0.1), dict(weight_decay=0.0, betas=(0.8, 0.95))))


def sgd(momentum, nesterov):
    def make(values):
        options = dict(momentum=momentum, nesterov=nesterov, weight_decay=0.1)
        return torch.optim.SGD(groups(values, options, dict(options, weight_decay=0.0)))
    return make


def encode(x, entries, floor):
    """Codes and scales of blocks: the nearest entry, the lower one of two equally near."""
    flat = torch.nn.functional.pad(x.flatten(), (0, -x.numel() % BLOCK)).reshape(-1, BLOCK)
    scales = flat.abs().amax(1)
    inverse = torch.where(scales > 0, 1 / scales, torch.zeros_like(scales))
    bounds = (entries[:-1] + entries[1:]) / 2
    if floor:
        bounds[0] = 0
    codes = torch.searchsorted(bounds, (flat * inverse[:, None]).contiguous())
    return codes, scales


def decode(codes, scales, entries, count):
    return (entries[codes] * scales[:, None]).flatten()[:count]


def eight_bit(name):
    """AdamW whose means are stored as bytes between steps."""
    maps = create_dynamic_map(signed=True), create_dynamic_map(signed=False)
    p = tensors[f"{name}/start"].flatten().clone()
    m, v = torch.zeros_like(p), torch.zeros_like(p)
    for step in range(len(FACTORS)):
        g = gradient(name, step).flatten()
        m = torch.lerp(m, g, 0.1)
        v = v * 0.999 + g * g * (1 - 0.999)
        rate = RATE * (1 - step / len(FACTORS))
        root = math.sqrt(1 - 0.999 ** (step + 1))
        p = p * (1 - rate * 0.1) - rate / (1 - 0.9 ** (step + 1)) * m / (v.sqrt() / root + 1e-8)
        m_codes, m_scales = encode(m, maps[0], floor=False)
        v_codes, v_scales = encode(v, maps[1], floor=True)
        m = decode(m_codes, m_scales, maps[0], p.numel())
        v = decode(v_codes, v_scales, maps[1], p.numel())
    tensors[f"eight/{name}.9"] = p
    tensors["eight/meanCodes"] = m_codes.flatten()[:p.numel()].to(torch.uint8)
    tensors["eight/meanScales"] = m_scales
    tensors["eight/squareCodes"] = v_codes.flatten()[:p.numel()].to(torch.uint8)
    tensors["eight/squareScales"] = v_scales
    tensors["eight/maps"] = torch.stack(maps)


def library(values):
    optimiser = bitsandbytes.optim.AdamW8bit(list(values.values()), lr=RATE, weight_decay=0.1)
    for group in optimiser.param_groups:
        group["initial_lr"] = RATE
    return optimiser


def schedules():
    """The formulas of transformers.optimization (get_*_schedule_with_warmup), at each step."""
    def cosine(progress):
        return 0.5 * (1.0 + math.cos(math.pi * 0.5 * 2.0 * progress))

    def falls(curve, progress, minimum):
        if curve == "constant":
            return 1.0
        share = max(0.0, 1 - progress) if curve == "linear" else max(0.0, cosine(progress))
        return max(0.0, share * (1 - minimum) + minimum)

    rows = []
    for curve in ("constant", "linear", "cosine"):
        for steps, warmup in ((10, 0), (10, 3), (37, 5), (1, 0), (1000, 100)):
            for minimum in (0.0, 0.1):
                factors = []
                for step in sorted({*range(0, steps + 1, max(1, steps // 40)), steps - 1}):
                    if step < warmup:
                        factor = step / max(1, warmup)
                    else:
                        factor = falls(curve, (step - warmup) / max(1, steps - warmup), minimum)
                    factors.append([step, factor])
                rows.append(dict(curve=curve, steps=steps, warmup=warmup, minimum=minimum,
                                 factors=factors))
    return rows


start(SMALL)
start(LARGE)
optimiser, values = run("adamw", SMALL, adamw)
for name, value in values.items():
    tensors[f"adamw/{name}.mean"] = optimiser.state[value]["exp_avg"].clone()
    tensors[f"adamw/{name}.square"] = optimiser.state[value]["exp_avg_sq"].clone()
run("sgd", SMALL, sgd(0.0, False))
run("sgd.momentum", SMALL, sgd(0.9, False))
run("sgd.nesterov", SMALL, sgd(0.9, True))
eight_bit("large.weight")
run("eight_library", LARGE, library, kept=(9,), clip=False)
os.makedirs(FOLDER, exist_ok=True)
save_file(
    {name: tensor.contiguous().clone() for name, tensor in tensors.items()},
    os.path.join(FOLDER, "optimisers.safetensors"),
    dict(torch=torch.__version__, bitsandbytes=bitsandbytes.__version__,
         factors=json.dumps(FACTORS), schedules=json.dumps(schedules())))
