#!/usr/bin/env python3
"""The peers' side: reads one JSON task a line, answers with the seconds that it takes.

torch (MKL, oneDNN) and bitsandbytes with two threads; of several ways to do the same, the fastest.
"""

import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F

# Weights of a task together, so that they come from memory and not from the cache.
COLD_BYTES = 96 << 20
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def seconds(calls, budget: float) -> float:
    """The median time of a call, the calls taken in turn."""
    for call in calls:  # the first call of a layer may pack its weight
        call()
    times, end, turn = [], time.perf_counter() + budget, 0
    while len(times) < 3 or time.perf_counter() < end:
        begin = time.perf_counter()
        calls[turn % len(calls)]()
        times.append(time.perf_counter() - begin)
        turn += 1
    return statistics.median(times)


def copies(task: dict, bytes_each: float) -> int:
    """How many weights it takes to miss the cache; one where the product is bound by arithmetic."""
    return max(1, int(COLD_BYTES / bytes_each)) if task["m"] <= 16 else 1


def linear(task: dict) -> float:
    """x [m, k] times w [n, k], by torch's default and by oneDNN with a weight packed beforehand."""
    m, n, k, kind = task["m"], task["n"], task["k"], TYPES[task["type"]]
    x = torch.randn(m, k, dtype=kind)
    weights = [torch.randn(n, k, dtype=kind) for _ in range(copies(task, n * k * x.itemsize))]
    if task.get("way") != "onednn":
        return seconds([lambda w=w: F.linear(x, w) for w in weights], task["budget"])
    reorder, product = torch.ops.mkldnn._reorder_linear_weight, torch.ops.mkldnn._linear_pointwise
    packed = [reorder(w, m) for w in weights]
    return seconds([lambda w=w: product(x, w, None, "none", [], "") for w in packed],
                   task["budget"])


def nf4(task: dict) -> float | None:
    """bitsandbytes' linear in its evaluating mode, in whichever compute type is faster."""
    try:
        import bitsandbytes
    except ImportError:
        return None
    best = None
    for kind in (torch.bfloat16, torch.float32):
        x = torch.randn(task["m"], task["k"], dtype=kind)
        layers = []
        for _ in range(copies(task, task["n"] * task["k"] / 2)):
            layer = bitsandbytes.nn.Linear4bit(
                task["k"], task["n"], bias=False, compute_dtype=kind, quant_type="nf4",
                compress_statistics=False)
            layers.append(layer.to("cpu").eval())
        took = seconds([lambda layer=layer: layer(x) for layer in layers], task["budget"])
        best = took if best is None else min(best, took)
    return best


def attention(task: dict) -> float:
    """scaled_dot_product_attention of one sequence, perhaps with its derivative."""
    shape = (1, task["heads"], task["tokens"], task["width"])
    q, k, v = (torch.randn(shape, dtype=TYPES[task["type"]]) for _ in range(3))
    if not task["backward"]:
        return seconds(
            [lambda: F.scaled_dot_product_attention(q, k, v, is_causal=task["causal"])],
            task["budget"])
    dy = torch.randn(shape, dtype=q.dtype)

    def step() -> None:
        inputs = [x.detach().requires_grad_() for x in (q, k, v)]
        F.scaled_dot_product_attention(*inputs, is_causal=task["causal"]).backward(dy)

    with torch.enable_grad():
        return seconds([step], task["budget"])


def op(task: dict) -> float:
    """An op on one number."""
    x = torch.ones(1)

    def many() -> None:
        for _ in range(1000):
            x + x

    return seconds([many], task["budget"]) / 1000


def main() -> None:
    torch.set_num_threads(2)
    torch.set_grad_enabled(False)
    ways = {"linear": linear, "nf4": nf4, "attention": attention, "op": op}
    for line in sys.stdin:
        task = json.loads(line)
        try:
            answer = {"seconds": ways[task["op"]](task)}
        except Exception as error:  # a peer that cannot do a task has no figure
            answer = {"seconds": None, "error": str(error)[:200]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
