#!/usr/bin/env python3
"""Measures decoding and resizing beside Pillow and torchvision, in turn, one core.

One picture at a time, from bytes in memory to 8-bit RGB. Rounds ask ours, then each peer, and the
best of all counts, since others may use the machine.

    Benchmarks/images/run.py             writes bench-results/images.json
    SMOKE=1 Benchmarks/images/run.py     a second, ours alone, to see that it works

FOVEA_BIN names the folder of a built fovea-images-bench; without it a release build is made.
FOVEA_BENCH_PYTHON names a Python with the peers; torchvision is left out where it is missing.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SMOKE = bool(os.environ.get("SMOKE"))
ROUNDS = 1 if SMOKE else 5
BUDGET = 0.05 if SMOKE else 0.4
PYTHON = os.environ.get("FOVEA_BENCH_PYTHON", str(ROOT / ".venv-bench/bin/python"))
GOLDENS = ROOT / "Tests/Goldens/images"


class Side:
    """A process that answers tasks."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True)

    def seconds(self, task: dict) -> float | None:
        """How long one picture takes; None if this side has ended."""
        try:
            self.process.stdin.write(json.dumps(task | {"budget": BUDGET}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        line = self.process.stdout.readline()
        return json.loads(line)["seconds"] if line else None


def bench_program() -> str:
    """The path of our program, built unless it is there."""
    folder = os.environ.get("FOVEA_BIN")
    if not folder:
        command = ["swift", "build", "-c", "release", "--product", "fovea-images-bench"]
        subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)
        shown = subprocess.run(command + ["--show-bin-path"], cwd=ROOT, check=True,
                               capture_output=True, text=True)
        folder = shown.stdout.strip()
    return os.path.join(folder, "fovea-images-bench")


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
            yield f"decode {kind}", peer, {"file": path, "side": 0, "backend": peer}
            yield f"decode {kind}, to 336", peer, {"file": path, "side": 336, "backend": peer}


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
    ours = Side(bench_program())
    names = () if SMOKE else ("pillow", "torchvision")
    peers = {name: Side(PYTHON, str(HERE / "peer.py"), name) for name in names}
    with tempfile.TemporaryDirectory() as folder:
        rows = [row(name, peer, task, ours, peers)
                for name, peer, task in tasks(pictures(folder))]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True,
                            capture_output=True).stdout.strip()
    result = {"part": "images", "machine": platform.machine(), "commit": commit, "rows": rows}
    os.makedirs(ROOT / "bench-results", exist_ok=True)
    (ROOT / "bench-results" / "images.json").write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
