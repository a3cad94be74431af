#!/usr/bin/env python3
"""Measures augmentation beside Pillow, torchvision and albumentations, in turn, one core.

One picture at a time. "all" goes from bytes in memory over rotate, brightness, crop, resize and
noise to 336 x 336 pixels; the other rows make one change to such a picture. Rounds ask ours, then
each peer, and the best of all counts, since others may use the machine.

    Benchmarks/augmentation/run.py             writes bench-results/augmentation.json
    SMOKE=1 Benchmarks/augmentation/run.py     a second, ours alone, to see that it works

FOVEA_BIN names the folder of a built fovea-augmentation-bench; without it a release build is made.
FOVEA_BENCH_PYTHON names a Python with the peers; those that are missing are left out.
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

ROUNDS = 1 if SMOKE else 3
BUDGET = 0.05 if SMOKE else 0.4
PEERS = ("pillow", "torchvision", "albumentations")
CHANGES = ("rotate", "flip", "brightness", "contrast", "color", "resolution", "blur",
           "sensor noise", "jpeg", "perspective")
GOLDENS = ROOT / "Tests/Goldens/images"


def tasks(folder: str):
    """Whole chains for both formats, then each change alone."""
    if SMOKE:
        jpeg, png = GOLDENS / "jpeg_420.jpg", GOLDENS / "png_2_8.png"
    else:
        script = HERE.parent / "images/peer.py"
        subprocess.run([PYTHON, str(script), "pictures", folder], check=True)
        jpeg, png = Path(folder) / "photo.jpg", Path(folder) / "photo.png"
    task = {"side": 336, "budget": BUDGET}
    # Squares of 680 and 440 pixels.
    yield "all, JPEG", task | {"file": str(jpeg), "change": "all",
                               "crop": [680 / 1024, 680 / 768]}
    yield "all, PNG", task | {"file": str(png), "change": "all", "crop": [440 / 512, 440 / 512]}
    for change in CHANGES:
        yield change, task | {"file": str(jpeg), "change": change, "crop": [1, 1]}


def rows(name: str, task: dict, ours: Side, peers: dict[str, Side]) -> list[dict]:
    """Pictures a second of all sides: a row for each peer."""
    own, others = [], {peer: [] for peer in peers}
    for _ in range(ROUNDS):
        own.append(ours.seconds(task))
        for peer, side in peers.items():
            others[peer].append(side.seconds(task))
    found = []
    for peer, seconds in others.items():
        row = {"name": f"{name} | {peer}", "unit": "images/s", "ours": 1 / min(own)}
        if None not in seconds:
            row |= {"peer": 1 / min(seconds), "ratio": min(seconds) / min(own)}
        found.append(row)
    return found or [{"name": name, "unit": "images/s", "ours": 1 / min(own)}]


def main() -> None:
    ours = Side(bench_program("fovea-augmentation-bench"))
    peers = {} if SMOKE else {
        name: Side(PYTHON, str(HERE / "peer.py"), name) for name in PEERS}
    with tempfile.TemporaryDirectory() as folder:
        found = [row for name, task in tasks(folder) for row in rows(name, task, ours, peers)]
    write_result("augmentation", {
        "part": "augmentation", "machine": platform.machine(), "commit": commit(),
        "rows": found})


if __name__ == "__main__":
    main()
