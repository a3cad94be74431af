"""Writes Tests/Goldens/quantised: small checkpoints as the libraries that quantise write them.

    pip install torch==2.13.0 safetensors==0.8.0 bitsandbytes==0.50.2 transformers==5.23.0 \\
        accelerate==1.15.0 compressed-tensors==0.9.4
    pip install --no-deps auto-gptq==0.7.1 autoawq==0.2.9
    python3 scripts/make-goldens/quantised_checkpoints.py

A folder each: config.json with quantization_config, model.safetensors with linear layers, and
expected.safetensors with what the library itself makes of them in float32. compressed-tensors
0.9.4 is among the last that have an order of inputs (weight_g_idx).
"""
import importlib.util
import json
import pathlib
import sys
import types

import bitsandbytes as bnb
import torch
from compressed_tensors.compressors.quantized_compressors.pack_quantized import pack_to_int32
from compressed_tensors.quantization import QuantizationArgs, QuantizationConfig
from compressed_tensors.quantization.lifecycle.forward import dequantize, quantize
from compressed_tensors.quantization.utils import calculate_qparams
from safetensors.torch import save_file
from transformers import BitsAndBytesConfig

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "Tests/Goldens/quantised"
MODULES = {"model.layers.0.self_attn.q_proj": (32, 64)}


def without_top(name):
    """Lets modules of a package be imported whose own __init__ wants much that is outdated."""
    package = types.ModuleType(name)
    package.__path__ = list(importlib.util.find_spec(name).submodule_search_locations)
    sys.modules[name] = package


for outdated in ["auto_gptq", "auto_gptq.nn_modules", "awq", "awq.modules", "awq.modules.linear"]:
    without_top(outdated)
from auto_gptq.nn_modules.qlinear.qlinear_cuda import QuantLinear  # noqa: E402
from awq.modules.linear.gemm import WQLinear_GEMM  # noqa: E402
from awq.utils.packing_utils import dequantize_gemm  # noqa: E402


def weight(shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))) * 0.05


def write(name, config, quantise):
    """quantise: takes a weight; gives tensors by the endings of their names, and the weight."""
    tensors, expected = {"lm_head.weight": weight((8, 16)).bfloat16()}, {}
    expected["lm_head"] = tensors["lm_head.weight"].float()
    for module, shape in MODULES.items():
        parts, expected[module] = quantise(weight(shape))
        tensors.update({f"{module}.{part}": x.contiguous() for part, x in parts.items()})
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    save_file({k: x.float().contiguous() for k, x in expected.items()},
              folder / "expected.safetensors")
    text = json.dumps({"quantization_config": config}, indent=1, sort_keys=True, default=str)
    (folder / "config.json").write_text(text + "\n")


def nf4(nested):
    def quantise(w):
        layer = bnb.nn.Linear4bit(w.shape[1], w.shape[0], bias=False, quant_type="nf4",
                                  compress_statistics=nested)
        layer.load_state_dict({"weight": w})
        layer = layer.to("cpu")
        exact = bnb.functional.dequantize_4bit(layer.weight, layer.weight.quant_state)
        return layer.state_dict(), exact
    return quantise


def int8(w):
    layer = bnb.nn.Linear8bitLt(w.shape[1], w.shape[0], bias=False, has_fp16_weights=False)
    layer.load_state_dict({"weight": w.half()})
    parts = layer.to("cpu").state_dict()
    return parts, bnb.functional.int8_vectorwise_dequant(parts["weight"], parts["SCB"])


def grid(w, group, symmetric):
    """Scales and zero points [out, groups] of four bits."""
    rows = w.reshape(w.shape[0], -1, group)
    low, high = rows.amin(-1).clamp(max=0), rows.amax(-1).clamp(min=0)
    if symmetric:
        return (rows.abs().amax(-1) / 7).half().float(), torch.full(low.shape, 8.0)
    scales = ((high - low) / 15).half().float()
    return scales, (-low / scales).round().clamp(1, 15)


def gptq(group, symmetric, ordered=False):
    def quantise(w):
        order = torch.arange(w.shape[1], dtype=torch.int32) // group
        if ordered:
            order = order[torch.randperm(w.shape[1], generator=torch.Generator().manual_seed(3))]
        by_group = w[:, torch.argsort(order, stable=True)]
        scales, zeros = grid(by_group, group, symmetric)
        steps, points = scales[:, order.long()], zeros[:, order.long()]
        w = ((w / steps + points).round().clamp(0, 15) - points) * steps
        layer = QuantLinear(4, group, w.shape[1], w.shape[0], bias=False)
        linear = torch.nn.Linear(w.shape[1], w.shape[0], bias=False)
        linear.weight.data = w
        layer.pack(linear, scales, zeros, order)
        exact = layer(torch.eye(w.shape[1])).T
        layer.scales = layer.scales.half()
        return layer.state_dict(), exact
    return quantise


def awq(w):
    scales, zeros = grid(w, 32, False)
    steps, points = scales.repeat_interleave(32, 1), zeros.repeat_interleave(32, 1)
    linear = torch.nn.Linear(w.shape[1], w.shape[0], bias=False)
    linear.weight.data = ((w / steps + points).round().clamp(0, 15) - points) * steps
    layer = WQLinear_GEMM.from_linear(linear, 4, 32, scales=scales.T.contiguous(),
                                      zeros=zeros.T.contiguous())
    exact = dequantize_gemm(layer.qweight, layer.qzeros, layer.scales.float(), 4, 32)
    return layer.state_dict(), exact.T


def compressed(args, packed):
    def quantise(w):
        group = args.group_size if args.strategy == "group" else w.shape[1]
        order = None
        if args.actorder == "group":
            order = torch.arange(w.shape[1], dtype=torch.int32) // group
            order = order[torch.randperm(w.shape[1], generator=torch.Generator().manual_seed(4))]
        arranged = w if order is None else w[:, torch.argsort(order, stable=True)]
        rows = arranged.reshape(w.shape[0], -1, group)
        scale, zero = calculate_qparams(rows.amin(-1), rows.amax(-1), args)
        scale = scale.bfloat16().float()
        zero = None if args.symmetric else zero.to(torch.int8)
        codes = quantize(w, scale, zero, args, dtype=torch.int8, g_idx=order)
        parts = {"weight": codes, "weight_scale": scale.bfloat16(), "weight_g_idx": order,
                 "weight_zero_point": zero}
        if packed:
            parts["weight_packed"] = pack_to_int32(parts.pop("weight"), args.num_bits)
            parts["weight_shape"] = torch.tensor(w.shape)
            if zero is not None:
                parts["weight_zero_point"] = pack_to_int32(zero, args.num_bits, packed_dim=0)
        exact = dequantize(codes, scale, zero, args, g_idx=order)
        return {name: x for name, x in parts.items() if x is not None}, exact
    return quantise


def write_compressed(name, form, **arguments):
    args = QuantizationArgs(**arguments)
    scheme = dict(targets=["Linear"], weights=args)
    config = QuantizationConfig(config_groups={"group_0": scheme}, format=form,
                                quantization_status="compressed", ignore=["lm_head"])
    write(f"compressed-{name}", json.loads(config.model_dump_json()),
          compressed(args, form == "pack-quantized"))


for nested in [False, True]:
    config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4",
                                bnb_4bit_use_double_quant=nested)
    write("bitsandbytes-nf4" + ("-nested" if nested else ""), config.to_dict(), nf4(nested))
write("bitsandbytes-int8", BitsAndBytesConfig(load_in_8bit=True).to_dict(), int8)
for name, symmetric, ordered in [("symmetric", True, False), ("asymmetric", False, False),
                                 ("ordered", False, True)]:
    write(f"gptq-{name}", dict(quant_method="gptq", bits=4, group_size=32, sym=symmetric,
                               desc_act=ordered, checkpoint_format="gptq"),
          gptq(32, symmetric, ordered))
write("awq", dict(quant_method="awq", bits=4, group_size=32, zero_point=True, version="gemm",
                  modules_to_not_convert=["lm_head"]), awq)
PACKED = dict(form="pack-quantized", num_bits=4, strategy="group", group_size=32)
write_compressed("pack4", **PACKED, symmetric=True)
write_compressed("pack4-asymmetric", **PACKED, symmetric=False)
write_compressed("pack4-ordered", **PACKED, symmetric=True, actorder="group")
write_compressed("pack4-channel", "pack-quantized", num_bits=4, strategy="channel")
write_compressed("pack8", "pack-quantized", num_bits=8, strategy="channel")
write_compressed("pack8-asymmetric", "pack-quantized", num_bits=8, strategy="channel",
                 symmetric=False)
write_compressed("int8", "int-quantized", num_bits=8, strategy="channel")
write_compressed("int8-groups", "int-quantized", num_bits=8, strategy="group", group_size=32)
write_compressed("int8-asymmetric", "int-quantized", num_bits=8, strategy="channel",
                 symmetric=False)
