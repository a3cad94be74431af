"""What benchmarks share that ask our program and its peers in turn."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SMOKE = bool(os.environ.get("SMOKE"))
PYTHON = os.environ.get("FOVEA_BENCH_PYTHON", str(ROOT / ".venv-bench/bin/python"))


class Side:
    """A process that answers tasks, one JSON object a line."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True)

    def seconds(self, task: dict) -> float | None:
        """How long one picture takes; None if this side cannot do it, or has ended."""
        try:
            self.process.stdin.write(json.dumps(task) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        line = self.process.stdout.readline()
        return json.loads(line)["seconds"] if line else None


def bench_program(product: str) -> str:
    """The path of one of our programs: in the folder FOVEA_BIN, or built for release."""
    folder = os.environ.get("FOVEA_BIN")
    if not folder:
        command = ["swift", "build", "-c", "release", "--product", product]
        subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)
        shown = subprocess.run(command + ["--show-bin-path"], cwd=ROOT, check=True,
                               capture_output=True, text=True)
        folder = shown.stdout.strip()
    return os.path.join(folder, product)


def commit() -> str:
    """The commit that is measured."""
    return subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True,
                          capture_output=True).stdout.strip()


def write_result(part: str, result: dict) -> None:
    """Writes bench-results/PART.json."""
    os.makedirs(ROOT / "bench-results", exist_ok=True)
    (ROOT / f"bench-results/{part}.json").write_text(json.dumps(result, indent=1))
