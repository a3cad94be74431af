#!/usr/bin/env python3
"""Measures the dataset service: taking images in, freezing, streaming, memory, many clients.

A server of its own, called through a Unix socket by a client on the same machine. The disk's limit
is what a program that only writes, syncs and names files of that size reaches, so many at a time
as the service. There is no peer: nothing else keeps rows, images and versions in one service.

    Benchmarks/dataset/run.py               writes bench-results/dataset.json
    SMOKE=1 Benchmarks/dataset/run.py       a few seconds, to see that it works
    SIZE=1000000 Benchmarks/dataset/run.py  also a million rows, which takes half an hour

FOVEA_BIN names the folder of built executables; without it a release build is made.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SMOKE = bool(os.environ.get("SMOKE"))
SIZES = [100] if SMOKE else [1_000, 10_000, 100_000]
PHOTOS = [200] if SMOKE else [1_000, 10_000]
if os.environ.get("SIZE"):
    SIZES = [size for size in [1_000, 10_000, 100_000, 1_000_000]
             if size <= int(os.environ["SIZE"])]
PHOTO_BYTES = 34_000


def programs() -> Path:
    """The folder of our executables, built if need be."""
    if folder := os.environ.get("FOVEA_BIN"):
        return Path(folder)
    build = ["swift", "build", "-c", "release"]
    for product in ("fovea-dataset", "fovea-dataset-bench"):
        subprocess.run([*build, "--product", product], cwd=ROOT, check=True, stdout=sys.stderr)
    return Path(subprocess.run([*build, "--show-bin-path"], cwd=ROOT, check=True,
                               capture_output=True, text=True).stdout.strip())


class Service:
    """A server on a folder of its own, and what it costs."""

    def __init__(self, binaries: Path, folder: str) -> None:
        self.bench = str(binaries / "fovea-dataset-bench")
        self.address = f"unix:{folder}/s.sock"
        # Our executables refuse variables that they do not know.
        environment = {key: value for key, value in os.environ.items() if key != "FOVEA_BIN"}
        self.process = subprocess.Popen(
            [str(binaries / "fovea-dataset"), "serve", "--listen", self.address, "--data",
             f"{folder}/data", "--metrics", "off"],
            env=environment | {"XDG_RUNTIME_DIR": folder}, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        while not os.path.exists(f"{folder}/s.sock"):
            if self.process.poll() is not None:
                sys.exit("bench: fovea-dataset did not start")
            time.sleep(0.05)

    def run(self, task: str, **options: object) -> dict:
        """Figures of one task, with the processor seconds that it cost the server."""
        before = self.processor_seconds()
        request = {"task": task, "address": self.address} | options
        done = subprocess.run([self.bench, json.dumps(request)], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"bench: {task} failed: {done.stderr.strip()}")
        return json.loads(done.stdout) | {"processor": self.processor_seconds() - before}

    def processor_seconds(self) -> float:
        """What the server has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mebibytes(self) -> float:
        """The most memory that the server has held."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def stop(self) -> None:
        """Ends the server."""
        self.process.terminate()
        self.process.wait()


def row(name: str, unit: str, ours: float, limit: float | None = None) -> dict:
    """A line of the results; the share is of the machine's limit."""
    result = {"name": name, "unit": unit, "ours": ours, "peer": None, "limit": limit}
    if limit:
        result["share"] = ours / limit
    # A run takes minutes, and longer where others use the machine.
    print(f"{name}: {ours:,.4g} {unit}", file=sys.stderr, flush=True)
    return result


def photos(service: Service, folder: str) -> list[dict]:
    """Images of some 30 kB: taking them in beside the disk's limit, and sending them."""
    rows = []
    for count in PHOTOS:
        scratch = tempfile.mkdtemp(dir=folder)
        disk = service.run("disk", folder=scratch, rows=count, bytes=PHOTO_BYTES)["perSecond"]
        shutil.rmtree(scratch)
        dataset = f"photos-{count}"
        service.run("create", dataset=dataset)
        # Other rows than before, since images that are known cost less.
        ingest = service.run("ingest", dataset=dataset, images="photos", rows=count,
                             first=count * 10)
        service.run("freeze", dataset=dataset)
        stream = max((service.run("stream", dataset=dataset) for _ in range(3)),
                     key=lambda figures: figures["mebibytesPerSecond"])
        name = f"{count:,} images of {ingest['bytesEach'] / 1000:.0f} kB"
        rows += [
            row(f"ingest, {name}", "images/s", ingest["perSecond"], disk),
            row(f"ingest, {name}", "CPU us/image", ingest["processor"] / count * 1e6),
            row(f"stream, {name}", "MiB/s", stream["mebibytesPerSecond"]),
            row(f"stream, {name}", "CPU us/image", stream["processor"] / stream["rows"] * 1e6),
        ]
    return rows


def growth(service: Service) -> list[dict]:
    """Rows with tiny images, ten times as many each time."""
    rows = []
    for count in SIZES:
        dataset = f"tiny-{count}"
        service.run("create", dataset=dataset)
        # Each dataset has images of its own.
        ingest = service.run("ingest", dataset=dataset, images="tiny", rows=count, first=count)
        freeze = service.run("freeze", dataset=dataset)
        duplicates = service.run("duplicates", rows=count)
        stream = service.run("stream", dataset=dataset)
        rows += [
            row(f"ingest, {count:,} tiny rows", "rows/s", ingest["perSecond"]),
            row(f"freeze, {count:,} rows", "s", freeze["seconds"]),
            row(f"near duplicates, {count:,} hashes", "s", duplicates["seconds"]),
            row(f"stream, {count:,} tiny rows", "rows/s", stream["rowsPerSecond"]),
            row(f"memory after {count:,} rows, at most", "MiB", service.peak_mebibytes()),
        ]
    return rows


def crowd(service: Service) -> list[dict]:
    """Fifty clients that upload, list and stream while a version is frozen."""
    dataset = f"tiny-{SIZES[-1] if SMOKE else 10_000}"
    figures = service.run("clients", dataset=dataset, images="tiny", clients=5 if SMOKE else 50)
    rows = [row(f"50 clients and a freeze, {name}", "ms", figures[name])
            for kind in ("ingest", "list", "stream") for name in (f"{kind} p50", f"{kind} p99")]
    return rows + [row("memory after 50 clients, at most", "MiB", service.peak_mebibytes())]


def main() -> None:
    binaries = programs()
    with tempfile.TemporaryDirectory() as folder:
        service = Service(binaries, folder)
        try:
            rows = photos(service, folder) + growth(service) + crowd(service)
        finally:
            service.stop()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True,
                            capture_output=True).stdout.strip()
    result = {"part": "dataset", "machine": platform.machine(), "commit": commit, "rows": rows}
    os.makedirs(ROOT / "bench-results", exist_ok=True)
    (ROOT / "bench-results" / "dataset.json").write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
