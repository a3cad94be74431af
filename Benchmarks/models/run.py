#!/usr/bin/env python3
"""Measures training and answering beside transformers, PEFT and bitsandbytes, two threads each.

One LLaVA-NeXT of 198 million random parameters, one picture, 2,995 tokens. Each measurement is a
process of its own, ours and the peer's in turn; memory is the most that the process held.

    Benchmarks/models/run.py             writes bench-results/models.json
    SMOKE=1 Benchmarks/models/run.py     a tiny model, ours alone, to see that it works
    Benchmarks/models/run.py nf4         only measurements whose name has this in it

FOVEA_BIN names the folder of built executables; without it a release build is made.
"""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SMOKE = bool(os.environ.get("SMOKE"))
PYTHON = str(ROOT / ".venv-bench/bin/python")
TINY = ROOT / "Tests/Goldens/reference/llava_next_vicuna"
RUNS = "1" if SMOKE else "3"
PROMPT = "What is in the picture? Describe it."
CASES = [("float32", "none"), ("bfloat16", "none"), ("float32", "nf4"), ("bfloat16", "nf4")]


def programs() -> Path:
    """The folder of our executables, built if need be."""
    if folder := os.environ.get("FOVEA_BIN"):
        return Path(folder)
    build = ["swift", "build", "-c", "release", "--static-swift-stdlib"]
    for product in ("fovea-trainer", "fovea-inference"):
        subprocess.run([*build, "--product", product], cwd=ROOT, check=True, stdout=sys.stderr)
    return Path(subprocess.run([*build, "--show-bin-path"], cwd=ROOT, check=True,
                               capture_output=True, text=True).stdout.strip())


def measured(*command: str) -> dict:
    """What a command prints as its last line."""
    environment = os.environ | {"FOVEA_THREADS": "2"}
    # Our executables refuse variables that they do not know.
    environment.pop("FOVEA_BIN", None)
    print(" ".join(Path(word).name for word in command), file=sys.stderr)
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def row(name: str, unit: str, ours: float, peer: float | None, limit: float | None = None) -> dict:
    """A line of the results; the ratio says by what factor ours is better."""
    result = {"name": name, "unit": unit, "ours": ours}
    if peer:
        result |= {"peer": peer, "ratio": ours / peer if unit == "tokens/s" else peer / ours}
    if limit:
        result["share"] = limit / ours
    return result


def quantised(form: str) -> list[str]:
    """How our commands are asked to quantise."""
    return [] if form == "none" else ["--quantize", form]


def train(kind: str, form: str, model: Path, picture: Path, trainer: str) -> list[dict]:
    """Steps of LoRA training: as they are, and with layers computed again."""
    command = [trainer, "bench", "--model", str(model), "--image", str(picture), "--prompt", PROMPT,
               "--type", kind, *quantised(form), "--steps", RUNS]
    ours = measured(*command)
    lean = measured(*command, "--checkpointing")
    peer = {} if SMOKE else measured(
        PYTHON, str(HERE / "peer.py"), "train", str(model), kind, form, RUNS)
    name = f"LoRA step, {kind}" + (", NF4" if form == "nf4" else "")
    seconds, peak = peer.get("step_seconds_median"), peer.get("peak_resident_bytes", 0) / 2**20
    mebibytes = [side["peak_resident_bytes"] / 2**20 for side in (ours, lean)]
    return [
        row(name, "s", ours["step_seconds_median"], seconds),
        row(f"{name}, memory", "MiB", mebibytes[0], peak or None),
        row(f"{name}, checkpointed", "s", lean["step_seconds_median"], seconds),
        row(f"{name}, checkpointed, memory", "MiB", mebibytes[1], peak or None),
    ]


def decode(kind: str, form: str, model: Path, picture: Path, inference: str) -> list[dict]:
    """The first token of an answer, and the rate of those after it."""
    ours = measured(
        inference, "bench", "--model", str(model), "--image", str(picture), "--prompt", PROMPT,
        "--type", kind, *quantised(form), "--runs", RUNS)
    peer = {} if SMOKE else measured(
        PYTHON, str(HERE / "peer.py"), "decode", str(model), kind, form, RUNS)
    name = f"answer, {kind}" + (", NF4" if form == "nf4" else "")
    first, rate = "first_token_seconds_median", "tokens_per_second_median"
    peak = peer.get("peak_resident_bytes", 0) / 2**20
    return [
        row(f"{name}, first token", "s", ours[first], peer.get(first)),
        row(f"{name}, next tokens", "tokens/s", ours[rate], peer.get(rate)),
        row(f"{name}, memory", "MiB", ours["peak_resident_bytes"] / 2**20, peak or None),
    ]


def machine() -> str:
    """What the figures were measured on."""
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                  if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} x {model}"


def write(rows: list[dict]) -> None:
    """Writes what there is so far."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, check=True,
                            capture_output=True, text=True).stdout.strip()
    result = {"part": "models", "machine": machine(), "commit": commit, "rows": rows}
    (ROOT / "bench-results/models.json").write_text(json.dumps(result, indent=1))


def main() -> None:
    """Measures every case."""
    folder = programs()
    model, picture = TINY, next((TINY / "images").glob("*.png"))
    if not SMOKE:
        model = ROOT / ".build/bench-models"
        subprocess.run([PYTHON, HERE / "medium.py", model, TINY], check=True)
        picture = model / "picture.png"
    rows = []
    (ROOT / "bench-results").mkdir(exist_ok=True)
    for part, program in ((train, "fovea-trainer"), (decode, "fovea-inference")):
        for kind, form in CASES:
            name = f"{part.__name__} {kind} {form}"
            if sys.argv[1:] and not any(word in name for word in sys.argv[1:]):
                continue
            rows += part(kind, form, model, picture, str(folder / program))
            write(rows)


if __name__ == "__main__":
    main()
