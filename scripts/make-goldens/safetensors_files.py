"""Writes Tests/Goldens/safetensors: small files as the Python library writes them.

    pip install safetensors==0.8.0 huggingface_hub==2.4.0 torch==2.13.0 numpy==2.4.6
    python3 scripts/make-goldens/safetensors_files.py

every_type, shapes, names, metadata, empty: one file of each aspect of the format. sharded: a model
in several files with an index, by huggingface_hub. expected.json: what each file holds, written
down from the tensors and not from the files. The library orders metadata at random, so a file with
several entries differs from run to run in their order; the others do not.
"""

import json
import pathlib
import shutil

import numpy
import torch
from huggingface_hub import save_torch_state_dict
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import save_file

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "Tests/Goldens/safetensors"
# F6_E2M3 and F6_E3M2 are in the format, but neither library has them.
TYPES = {
    torch.bool: "BOOL", torch.uint8: "U8", torch.int8: "I8", torch.int16: "I16",
    torch.uint16: "U16", torch.int32: "I32", torch.uint32: "U32", torch.int64: "I64",
    torch.uint64: "U64", torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32",
    torch.float64: "F64", torch.complex64: "C64", torch.float8_e5m2: "F8_E5M2",
    torch.float8_e4m3fn: "F8_E4M3", torch.float8_e8m0fnu: "F8_E8M0",
    torch.float8_e4m3fnuz: "F8_E4M3FNUZ", torch.float8_e5m2fnuz: "F8_E5M2FNUZ",
    torch.float4_e2m1fn_x2: "F4",
}
SHARD_BYTES = 64


def raw(dtype, *shape):
    """A tensor whose bytes count up; bools alternate."""
    count = int(numpy.prod(shape, dtype=int)) * dtype.itemsize
    content = torch.arange(count, dtype=torch.int64) % (2 if dtype == torch.bool else 251)
    return content.to(torch.uint8).view(dtype).reshape(shape)


def described(name, tensor):
    type_name, shape = TYPES[tensor.dtype], list(tensor.shape)
    if type_name == "F4":
        shape[-1] *= 2  # torch counts pairs
    content = tensor.reshape(-1).view(torch.uint8).numpy().tobytes()
    return {"name": name, "type": type_name, "shape": shape, "bytes": content.hex()}


def described_all(tensors, metadata):
    rows = [described(name, tensor) for name, tensor in tensors.items()]
    return {"metadata": metadata, "tensors": rows}


def files():
    """Name, tensors and metadata of each single file."""
    yield "every_type", {f"tensor.{name}": raw(dtype, 2, 3) for dtype, name in TYPES.items()}, {
        "format": "pt"}
    yield "shapes", {
        "scalar": raw(torch.float32), "none": raw(torch.float16, 0),
        "flat": raw(torch.int64, 2, 0, 3), "one": raw(torch.uint8, 1), "odd": raw(torch.int8, 3),
        "five": raw(torch.int16, 1, 2, 1, 2, 1), "long": raw(torch.bfloat16, 33),
    }, {}
    names = [
        "", " ", "a", "b", "B", "a.b", "a/b", "../a", "quote\"s", "back\\slash", "line\nend",
        "tab\tbell\x07\x08\x0c\r\x00\x1f\x7f", "déjà", "日本語", "🦊", "Ω", "ﬁ",
        "z" * 300,
    ]
    yield "names", {name: raw(torch.uint8, index) for index, name in enumerate(names)}, {}
    yield "metadata", {"x": raw(torch.float32, 1)}, {
        "format": "pt", "": "empty", "empty": "", "quote\"": "back\\slash\n", "日本": "🦊"}
    yield "empty", {}, {}


def sharded():
    """Two tensors larger than a shard, and one that fills a shard to the last byte."""
    sizes = {"embed": 40, "layers.0.w": 30, "layers.0.b": 2, "layers.1.w": 64, "layers.1.b": 1,
             "head": 200, "norm": 60, "é": 3, "last": 65}
    return {name: raw(torch.uint8, size) for name, size in sizes.items()}


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / "sharded").mkdir(parents=True)
    expected = {}
    for name, tensors, metadata in files():
        save_file(tensors, FOLDER / f"{name}.safetensors", metadata=metadata or None)
        expected[name] = described_all(tensors, metadata)
    arrays = {"half": numpy.arange(5, dtype=numpy.float16), "whole": numpy.arange(3)}
    save_numpy(arrays, FOLDER / "numpy.safetensors")
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    expected["numpy"] = described_all(tensors, {})
    save_torch_state_dict(sharded(), FOLDER / "sharded", max_shard_size=SHARD_BYTES)
    expected["sharded"] = described_all(sharded(), {"format": "pt"})
    text = json.dumps(expected, indent=1, ensure_ascii=False)
    (FOLDER / "expected.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
