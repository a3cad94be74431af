#!/usr/bin/env python3
"""Measures decoding and resizing beside Pillow and torchvision, in turn, one core.

One picture at a time, from bytes in memory to 8-bit RGB. Rounds ask ours, then each peer, and the
best of all counts, since others may use the machine.

    Benchmarks/images/run.py             writes bench-results/images.json
    SMOKE=1 Benchmarks/images/run.py     a second, ours alone, to see that it works

FOVEA_BIN names the folder of a built fovea-images-bench; without it a release build is made.
FOVEA_BENCH_PYTHON names a Python with the peers; torchvision is left out where it is missing.
"""

import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from sides import PYTHON, ROOT, SMOKE, Side, bench_program, commit, write_result  # noqa: E402

ROUNDS = 1 if SMOKE else 5
BUDGET = 0.05 if SMOKE else 0.4
GOLDENS = ROOT / "Tests/Goldens/images"


def pictures(folder: str) -> list[str]:
    """What is measured; in a smoke run, tiny files that are there anyway."""
    if SMOKE:
        return [str(GOLDENS / "jpeg_420.jpg"), str(GOLDENS / "png_2_8.png")]
    subprocess.run([PYTHON, str(HERE / "peer.py"), "pictures", folder], check=True)
    return [os.path.join(folder, name) for name in ("photo.jpg", "photo.png")]


def tasks(paths: list[str]):
    """Each with the peer whose arithmetic it repeats."""
    for path in paths:
        kind = {".jpg": "JPEG", ".png": "PNG"}[Path(path).suffix]
        for peer in ("pillow", "torchvision"):
            task = {"file": path, "backend": peer, "budget": BUDGET}
            yield f"decode {kind}", peer, task | {"side": 0}
            yield f"decode {kind}, to 336", peer, task | {"side": 336}


def row(name: str, peer: str, task: dict, ours: Side, peers: dict[str, Side]) -> dict:
    """Pictures a second of both sides."""
    own, other = [], []
    for _ in range(ROUNDS):
        own.append(ours.seconds(task))
        if peer in peers:
            other.append(peers[peer].seconds(task))
    result = {"name": f"{name} | {peer}", "unit": "images/s", "ours": 1 / min(own)}
    if other and None not in other:
        result |= {"peer": 1 / min(other), "ratio": min(other) / min(own)}
    return result


def main() -> None:
    ours = Side(bench_program("fovea-images-bench"))
    names = () if SMOKE else ("pillow", "torchvision")
    peers = {name: Side(PYTHON, str(HERE / "peer.py"), name) for name in names}
    with tempfile.TemporaryDirectory() as folder:
        rows = [row(name, peer, task, ours, peers)
                for name, peer, task in tasks(pictures(folder))]
    write_result("images", {
        "part": "images", "machine": platform.machine(), "commit": commit(), "rows": rows})


if __name__ == "__main__":
    main()
