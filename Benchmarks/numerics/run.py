#!/usr/bin/env python3
"""Measures the tensor engine beside torch (MKL, oneDNN) and bitsandbytes, two threads each.

Both sides are processes that read a task a line and answer with the seconds it takes; a round asks
one, then the other, and medians of several rounds count. What the machine can do at most is
measured just before and after (probe.c).

    Benchmarks/numerics/run.py            writes bench-results/numerics.json
    SMOKE=1 Benchmarks/numerics/run.py    a few seconds, ours alone, to see that it works
    Benchmarks/numerics/run.py nf4 int4   only the tasks whose name has one of these in it

FOVEA_BIN names the folder of a built fovea-numerics-bench; without it a release build is made.
"""

import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

from tasks import Task, all_tasks, smoke_tasks  # noqa: E402

SMOKE = bool(os.environ.get("SMOKE"))
ROUNDS = 1 if SMOKE else 3
BUDGET = 0.05 if SMOKE else 0.3
# A task waits this long for others to leave the processors alone.
PATIENCE_SECONDS = 0 if SMOKE else 5


class Side:
    """A process that answers tasks."""

    def __init__(self, *command: str) -> None:
        environment = os.environ | {"FOVEA_THREADS": "2", "OMP_NUM_THREADS": "2"}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env=environment)

    def seconds(self, task: dict) -> float | None:
        """How long the task takes; None where this side cannot do it."""
        self.process.stdin.write(json.dumps(task | {"budget": BUDGET}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"bench: {self.process.args[0]} ended at {task}")
        answer = json.loads(line)
        if "error" in answer:
            print(f"bench: {task}: {answer['error']}", file=sys.stderr)
        return answer["seconds"]

    def close(self) -> None:
        """Ends the process."""
        self.process.stdin.close()
        self.process.wait()


def build_ours() -> str:
    """The path of our side, built if need be."""
    folder = os.environ.get("FOVEA_BIN")
    if not folder:
        build = ["swift", "build", "-c", "release", "--static-swift-stdlib"]
        subprocess.run([*build, "--product", "fovea-numerics-bench"], cwd=ROOT, check=True,
                       stdout=sys.stderr)
        folder = subprocess.run([*build, "--show-bin-path"], cwd=ROOT, check=True,
                                capture_output=True, text=True).stdout.strip()
    return str(Path(folder) / "fovea-numerics-bench")


def probe() -> dict[str, list[float]]:
    """Billions of operations and bytes a second, with one thread and with two."""
    program = ROOT / ".build" / "bench-numerics-probe"
    program.parent.mkdir(exist_ok=True)
    if not program.exists() or program.stat().st_mtime < (HERE / "probe.c").stat().st_mtime:
        subprocess.run(["clang", "-O2", "-pthread", "-o", program, HERE / "probe.c"], check=True)
    return json.loads(subprocess.run([program], check=True, capture_output=True).stdout)


def median(values: list[float | None]) -> float | None:
    """The median of what there is."""
    there = [value for value in values if value is not None]
    return statistics.median(there) if there else None


def busy_seconds() -> float:
    """What all processors have worked so far."""
    fields = [int(word) for word in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def wait_for_quiet() -> None:
    """Returns when others take less than a tenth of one processor, or patience ends."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        before = busy_seconds()
        time.sleep(0.2)
        if busy_seconds() - before < 0.02:
            return


@contextlib.contextmanager
def other_process(runs: bool):
    """Another process that takes all it can of one processor meanwhile."""
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if runs else None
    try:
        yield
    finally:
        if other:
            other.kill()
            other.wait()


def measure(task: Task, ours: Side, peer: Side | None) -> tuple[float, float | None]:
    """Medians over rounds, ours and the peer's."""
    mine, theirs = [], []
    for _ in range(ROUNDS):
        wait_for_quiet()
        with other_process(task.loaded):
            mine.append(ours.seconds(task.ours))
        if peer and task.peer:
            theirs.append(peer.seconds(task.peer))
    return median(mine), median(theirs)


def row(task: Task, seconds: tuple[float, float | None], limits: dict) -> dict:
    """A line of the results: rates where the task has an amount, else times."""
    ours, peer = (task.figure(value) if value else None for value in seconds)
    result = {"name": task.name, "unit": task.unit, "ours": ours}
    if peer:
        result |= {"peer": peer, "ratio": ours / peer}
    if task.limit:
        result["share"] = ours / limits[task.limit]
    return result


def machine() -> str:
    """What the figures were measured on."""
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                  if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} x {model}"


def main() -> None:
    limits = [{name: values[1] for name, values in probe().items()}]
    ours = Side(build_ours())
    python = ROOT / ".venv-bench" / "bin" / "python"
    peer = None if SMOKE or not python.exists() else Side(str(python), str(HERE / "peer.py"))
    tasks = smoke_tasks() if SMOKE else all_tasks()
    words = sys.argv[1:] or [""]
    tasks = [task for task in tasks if any(word in task.name for word in words)]
    found = []
    for task in tasks:
        found.append((task, measure(task, ours, peer)))
        print(f"  {task.name}", file=sys.stderr, flush=True)
        write(found, limits[0])
    for side in (ours, peer):
        if side:
            side.close()
    limits.append({name: values[1] for name, values in probe().items()})
    best = {name: max(each[name] for each in limits) for name in limits[0]}
    print("limits (2 threads):", ", ".join(f"{n} {v:.0f} G/s" for n, v in best.items()))
    write(found, best)


def write(found: list[tuple[Task, tuple]], limits: dict) -> None:
    """Leaves what was found so far in bench-results."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, check=True,
                            capture_output=True, text=True).stdout.strip()
    results = ROOT / "bench-results"
    results.mkdir(exist_ok=True)
    rows = [row(task, seconds, limits) for task, seconds in found]
    (results / "numerics.json").write_text(json.dumps(
        {"part": "numerics", "machine": machine(), "commit": commit, "limits": limits,
         "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
