"""What is measured: each task as both sides understand it, its amount and its limit."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """One thing to time."""

    name: str
    unit: str
    ours: dict
    peer: dict | None = None
    # Operations or bytes of one call; None where the time itself is the figure.
    amount: float | None = None
    # Which of the probe's limits bounds it.
    limit: str | None = None
    # Whether another process takes one processor at the same time.
    loaded: bool = False

    def figure(self, seconds: float) -> float:
        """Billions a second, or microseconds."""
        return self.amount / seconds / 1e9 if self.amount else seconds * 1e6


def product(kind: str, m: int, n: int, k: int) -> list[Task]:
    """A linear layer with a frozen weight of the same type, beside torch's default and oneDNN."""
    shape = {"op": "linear", "type": kind, "m": m, "n": n, "k": k}
    amount, name = 2.0 * m * n * k, f"linear {kind} {m}x{n}x{k}"
    return [
        Task(f"{name} / torch", "GFLOP/s", shape | {"format": kind}, shape, amount, kind),
        Task(f"{name} / oneDNN", "GFLOP/s", shape | {"format": kind}, shape | {"way": "onednn"},
             amount, kind),
    ]


def beside_another_process(kind: str, m: int, n: int, k: int) -> Task:
    """The same product while another process takes one of two processors."""
    shape = {"op": "linear", "type": kind, "format": kind, "m": m, "n": n, "k": k}
    return Task(f"linear {kind} {m}x{n}x{k}, one processor taken", "GFLOP/s", shape, None,
                2.0 * m * n * k, kind, loaded=True)


# Bytes that one weight takes, scales included.
BYTES = {"int8": 1.0, "int4": 0.5 + 4 / 128, "nf4": 0.5 + 4 / 64, "bfloat16": 2.0, "float32": 4.0}


def one_row(form: str, n: int, k: int) -> Task:
    """One row of bfloat16 times a weight that is read from memory once."""
    shape = {"op": "linear", "type": "bfloat16", "format": form, "m": 1, "n": n, "k": k}
    peers = {"nf4": {"op": "nf4"}, "bfloat16": {"op": "linear", "type": "bfloat16"}}
    peer = peers[form] | {"m": 1, "n": n, "k": k} if form in peers else None
    return Task(f"one row {form} {n}x{k}", "GB/s", shape, peer, n * k * BYTES[form], "read")


def quantised(form: str, m: int, n: int, k: int) -> Task:
    """Rows of bfloat16 times a 4-bit or 8-bit weight."""
    shape = {"op": "linear", "type": "bfloat16", "format": form, "m": m, "n": n, "k": k}
    peer = {"op": "nf4", "m": m, "n": n, "k": k} if form == "nf4" else None
    limit = "int8" if form == "int8-dynamic" else "bfloat16"
    return Task(f"linear {form} {m}x{n}x{k}", "GFLOP/s", shape, peer, 2.0 * m * n * k, limit)


def attention(kind: str, tokens: int, width: int, causal: bool, backward: bool) -> Task:
    """Sixteen heads of one sequence. A backward pass has five products, a forward two."""
    shape = {"op": "attention", "type": kind, "tokens": tokens, "heads": 16, "width": width,
             "causal": causal, "backward": backward}
    amount = 2.0 * 16 * tokens * tokens * width * (7 if backward else 2) / (2 if causal else 1)
    name = f"attention {kind} {tokens} tokens, 16 x {width}"
    name += (", causal" if causal else ", full") + (", and back" if backward else "")
    return Task(name, "GFLOP/s", shape, shape, amount, kind)


def decode(form: str, tokens: int) -> Task:
    """A token of each of four sequences: 32 heads share 8 heads of 128 of keys and values."""
    shape = {"op": "decode", "type": "bfloat16", "format": form, "m": 4, "tokens": tokens,
             "heads": 32, "width": 128}
    bytes_each = 128 + 4 if form == "int8" else 256
    return Task(f"decode 4 x {tokens} tokens, {form} pages", "GB/s", shape, None,
                4.0 * tokens * 2 * 8 * bytes_each, "read")


def small_tasks() -> list[Task]:
    """What every kernel costs, however small."""
    return [
        Task("launch of a kernel on two threads", "us", {"op": "launch"}),
        Task("addition of two numbers", "us", {"op": "op"}, {"op": "op"}),
    ]


def all_tasks() -> list[Task]:
    """Everything, with growth over rows, widths and length."""
    tasks = small_tasks()
    for kind in ("float32", "bfloat16"):
        for m in (1, 8, 16, 64, 512, 2048):
            tasks += product(kind, m, 4096, 4096)
        tasks += product(kind, 512, 1024, 1024) + product(kind, 1024, 11008, 4096)
    tasks += [beside_another_process("float32", 512, 4096, 4096)]
    tasks += [one_row(form, 4096, 4096) for form in BYTES]
    tasks += [one_row("nf4", 11008, 4096)]
    for form in ("nf4", "int4", "int8", "int8-dynamic"):
        tasks += [quantised(form, m, 4096, 4096) for m in (8, 64, 512, 2048)]
    for kind in ("float32", "bfloat16"):
        for tokens in (512, 2048):
            for causal in (True, False):
                tasks += [attention(kind, tokens, width, causal, backward)
                          for width in (64, 128) for backward in (False, True)]
    return tasks + [decode(form, 8192) for form in ("bfloat16", "int8")]


def smoke_tasks() -> list[Task]:
    """One of each sort, small."""
    return [
        *small_tasks(),
        *[product(kind, 64, 256, 256)[0] for kind in ("float32", "bfloat16")],
        *[one_row(form, 256, 256) for form in BYTES],
        *[quantised(form, 64, 256, 256) for form in ("nf4", "int4", "int8-dynamic")],
        decode("bfloat16", 256), attention("float32", 128, 64, True, True),
        attention("bfloat16", 128, 64, False, False),
    ]
