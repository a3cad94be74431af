#!/usr/bin/env python3
"""Takes 2,624 pictures of solar cells through the dataset service, from a CSV file to an export.

    check_elpv.py BINARY    with the path of fovea-dataset

The pictures come with the package elpv-dataset (Buerhop-Lutz et al. 2018; CC BY-NC-SA 4.0: not for
commercial use, and never to be committed). FOVEA_ELPV_KEEP names a folder in which the page of the
inspection and the contact sheet of the preview are kept.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

ROWS = 2624
CLASSES = ("functional", "possibly defective", "probably defective", "defective")
# Rows of each class and kind of cell, as the paper states them.
COUNTS = {"functional": 1508, "possibly defective": 295, "probably defective": 106,
          "defective": 715, "kind=mono": 1074, "kind=poly": 1550}


# The service refuses variables of its own that it does not know.
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("FOVEA_")}


class Service:
    """A running service and its command line."""

    def __init__(self, binary: str, folder: Path) -> None:
        self.binary, self.socket = binary, folder / "s.sock"
        self.process = subprocess.Popen(
            [binary, "serve", "--listen", f"unix:{self.socket}", "--data", str(folder / "data"),
             "--metrics", "127.0.0.1:0"], stderr=subprocess.DEVNULL, env=ENVIRONMENT)

    def wait(self) -> None:
        """Until it answers."""
        for _ in range(1_200):
            if self.socket.exists() and self.run("health").returncode == 0:
                return
            time.sleep(0.05)
        raise SystemExit("elpv: the service does not start")

    def run(self, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run([self.binary, *words, "--server", f"unix:{self.socket}"],
                              capture_output=True, text=True, env=ENVIRONMENT)

    def call(self, *words: str) -> dict:
        """The JSON object that a verb prints."""
        start = time.perf_counter()
        done = self.run(*words, "--json")
        if done.returncode != 0:
            raise SystemExit(f"elpv: {words[0]} failed: {done.stderr}")
        print(f"elpv: {words[0]} took {time.perf_counter() - start:.1f} s", flush=True)
        return json.loads(done.stdout.splitlines()[0])

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def expect(seen: object, wanted: object, what: str) -> None:
    if seen != wanted:
        raise SystemExit(f"elpv: {what}: {seen} was seen, {wanted} is right")


def write_table(package: Path, path: Path) -> None:
    """The labels with a header: path, class, probability of a defect, kind of cell."""
    with open(package / "data/labels.csv", encoding="utf-8") as labels, \
            open(path, "w", newline="", encoding="utf-8") as table:
        writer = csv.writer(table)
        writer.writerow(["file", "state", "probability", "kind"])
        for line in labels:
            file, probability, kind = line.split()
            state = CLASSES[round(float(probability) * 3)]
            writer.writerow([file, state, probability, kind])


def take_in(service: Service, table: Path, images: Path) -> None:
    service.call("create", "cells", "--task", "classification", "--domain", "defect",
                 "--prompt", "In which state is this solar cell?",
                 *(word for name in CLASSES for word in ("--class", name)))
    words = ("import", "cells", str(table), "--format", "csv", "--images", str(images),
             "--image-column", "file", "--answer-column", "state",
             "--licence", "CC-BY-NC-SA-4.0", "--source", "elpv-dataset")
    first = service.call(*words)
    expect((first["accepted"], first["rejected"]), (ROWS, 0), "rows accepted and rejected")
    again = service.call(*words)
    expect((again["accepted"], again["duplicate"]), (0, ROWS), "rows of a second import")


def inspect(service: Service, kept: Path) -> None:
    page = kept / "elpv.html"
    words = ("inspect", "cells", "--scenario", "kind")
    report = service.call(*words, "--html", str(page))
    expect((report["rows"], report["images"]), (ROWS, ROWS), "rows and images")
    balance = {row["key"]: row["rows"] for row in report["balance"]}
    expect(balance, COUNTS, "rows of each class and kind")
    expect(report["answer_findings"], 0, "answers that break rules")
    text = page.read_text(encoding="utf-8")
    expect("<script" in text or "http://" in text or "https://" in text, False,
           "whether the page needs anything else")
    expect(service.call(*words), report, "the second inspection")
    seen = {name: report[name] for name in (
        "distinct_images", "duplicate_clusters", "dark", "blurry", "imbalance_ratio", "size")
        if name in report}
    print(f"elpv: inspection {seen}")


def augment(service: Service, kept: Path) -> None:
    sheet = kept / "elpv.png"
    service.call("augment", "cells", "--preset")
    service.call("preview", "cells", "--to", str(sheet), "--seed", "7")
    expect(sheet.read_bytes()[:4], b"\x89PNG", "the sheet")


def freeze_and_export(service: Service, folder: Path) -> None:
    version = service.call("freeze", "cells", "--seed", "7")
    expect((version["rows"], version["leaks"]), (ROWS, 0), "rows and leaks of the version")
    splits = [version[name] for name in ("train", "validation", "test")]
    expect(sum(splits), ROWS, f"rows of all splits {splits}")
    print(f"elpv: splits {splits}")
    done = service.call("export", "cells", "1", "--format", "llava", "--to", str(folder / "llava"))
    expect(done["rows"], ROWS, "rows exported")
    files = [path for path in (folder / "llava").rglob("*.png")]
    expect(len(files), ROWS, "images exported")


def main() -> None:
    package = Path(find_spec("elpv_dataset").origin).parent
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kept = Path(os.environ.get("FOVEA_ELPV_KEEP", name))
        service = Service(sys.argv[1], folder)
        try:
            service.wait()
            write_table(package, folder / "labels.csv")
            take_in(service, folder / "labels.csv", package / "data")
            inspect(service, kept)
            augment(service, kept)
            freeze_and_export(service, folder)
        finally:
            service.stop()
            shutil.rmtree(folder / "data", ignore_errors=True)
    print("elpv: all of it is right")


if __name__ == "__main__":
    main()
