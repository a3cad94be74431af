#!/usr/bin/env python3
"""Golden values of 4-bit formats: bitsandbytes' own bytes, and GPTQ and AWQ tensors with what a
plain unpacking makes of them. One file, tensors named <case>/<part>; cases in its metadata."""
import json
import os

import bitsandbytes.functional as bnb
import numpy as np
import torch
from safetensors.numpy import save_file

from golden_cases import FOLDER, random

TABLE = bnb.get_4bit_type("nf4", device="cpu").numpy()
tensors, rows = {}, []


def add_nf4(out, width):
    case = f"nf4.{out}x{width}"
    w = random(out, width, seed=7)
    packed, state = bnb.quantize_4bit(w, blocksize=64, quant_type="nf4")
    nested, nested_state = bnb.quantize_4bit(
        w, blocksize=64, quant_type="nf4", compress_statistics=True)
    codes = packed.numpy().reshape(-1)
    index = np.stack([codes >> 4, codes & 15], 1).reshape(-1)[: out * width]
    scale = np.repeat(state.absmax.numpy(), 64)[: out * width]
    dynamic = nested_state.state2
    inner = dynamic.code.numpy()[nested_state.absmax.numpy()]
    inner = inner * np.repeat(dynamic.absmax.numpy(), 256)[: len(inner)]
    absmax = (inner + nested_state.offset.numpy()).astype(np.float32)
    tensors.update({
        f"{case}/weight": w.numpy(), f"{case}/codes": codes,
        f"{case}/absmax": state.absmax.numpy(),
        f"{case}/dequantised": (TABLE[index] * scale).reshape(out, width),
        f"{case}/nested_codes": nested_state.absmax.numpy(),
        f"{case}/nested_absmax": dynamic.absmax.numpy(), f"{case}/map": dynamic.code.numpy(),
        f"{case}/offset": nested_state.offset.numpy().reshape(1),
        f"{case}/expanded": absmax,
        f"{case}/dequantised_nested":
            (TABLE[index] * np.repeat(absmax, 64)[: out * width]).reshape(out, width)})
    rows.append(dict(case=case, kind="nf4", out=out, width=width))


def packed_int32(codes, order=range(8)):
    """Eight codes of the last axis in a word; the code at place i is in bits 4 order^-1(i)."""
    groups = codes.reshape(*codes.shape[:-1], -1, 8).astype(np.uint32)
    words = np.zeros(groups.shape[:-1], np.uint32)
    for place, source in enumerate(order):
        words |= groups[..., source] << np.uint32(4 * place)
    return words.view(np.int32)


def add_grouped(kind, out, width, group, shuffled=False, version=1):
    case = f"{kind}.{out}x{width}.{group}.{shuffled}.{version}"
    rng = np.random.default_rng(out + width + group)
    codes = rng.integers(0, 16, (width, out))
    zeros = rng.integers(1, 16, (width // group, out))
    scales = (rng.random((width // group, out)) * 0.02 + 0.001).astype(np.float16)
    g_idx = np.arange(width, dtype=np.int32) // group
    if shuffled == "uneven":
        g_idx = rng.integers(0, width // group, width).astype(np.int32)
    elif shuffled:
        rng.shuffle(g_idx)
    w = scales[g_idx].astype(np.float32) * (codes - zeros[g_idx]).astype(np.float32)
    parts = dict(scales=scales, dequantised=np.ascontiguousarray(w.T))
    if kind == "gptq":
        parts["qweight"] = np.ascontiguousarray(packed_int32(codes.T.copy()).T)
        parts["qzeros"] = packed_int32(zeros - (1 if version == 1 else 0))
        parts["g_idx"] = g_idx
    else:
        order = [0, 2, 4, 6, 1, 3, 5, 7]
        parts["qweight"], parts["qzeros"] = packed_int32(codes, order), packed_int32(zeros, order)
    tensors.update({f"{case}/{name}": value for name, value in parts.items()})
    rows.append(dict(case=case, kind=kind, out=out, width=width, group=group, version=version))


for shape in [(3, 33), (16, 64), (5, 129), (32, 48), (70, 130), (18, 1024)]:
    add_nf4(*shape)
add_grouped("gptq", 40, 64, 32)
add_grouped("gptq", 24, 128, 128, version=2)
add_grouped("gptq", 16, 64, 16, shuffled=True)
add_grouped("gptq", 40, 256, 64, shuffled=True, version=2)
add_grouped("gptq", 8, 64, 16, shuffled="uneven")
add_grouped("awq", 40, 64, 32)
add_grouped("awq", 8, 128, 64)
tensors = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
folder = os.path.join(FOLDER, "..", "quantisation")
os.makedirs(folder, exist_ok=True)
save_file(tensors, os.path.join(folder, "quantisation.safetensors"),
          dict(cases=json.dumps(rows), torch=torch.__version__))
