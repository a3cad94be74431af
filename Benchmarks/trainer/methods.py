#!/usr/bin/env python3
"""Compares ways of tuning one model on one frozen version: accuracy, memory and time of each.

A trainer of its own, on a folder of its own, reads the rows of a dataset service that is running.
The model is measured first, then each method is trained, and its best checkpoint is measured on the
test split and held against the base by the paired tests of `fovea-trainer compare`. The service is
started anew for each method, so that the memory of one does not count for the next.

    Benchmarks/trainer/methods.py --model models/llava-7b --dataset cells/3 \\
        --dataset-server unix:/run/fovea/dataset.sock --output methods.json
    Benchmarks/trainer/methods.py ... --methods lora:4 lora:64 qlora:16 full --epochs 1 --rows 200

A method is full, or lora or qlora with a rank; without any, full and both adapters at ranks 4, 8,
16, 32 and 64 are compared. FOVEA_BIN names the folder of built executables; without it a release
build is made. Passing --folder keeps what was done: a run that broke off goes on from there.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RANKS = [4, 8, 16, 32, 64]
STANDARD = ["full", *(f"{kind}:{rank}" for kind in ("lora", "qlora") for rank in RANKS)]
# Rates that each kind starts with in the service.
RATES = {"full": 1e-5, "lora": 1e-4, "qlora": 1e-4}


def arguments() -> argparse.Namespace:
    """What to compare, refused before anything starts."""
    parser = argparse.ArgumentParser(description="Compare ways of tuning on one data set.")
    parser.add_argument("--model", type=Path, required=True, help="folder of the base model")
    parser.add_argument("--dataset", required=True, help="DATASET/VERSION")
    parser.add_argument("--dataset-server", required=True, help="unix:PATH or HOST:PORT")
    parser.add_argument("--methods", nargs="+", default=STANDARD, metavar="METHOD[:RANK]")
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--learning-rate", type=float, help="for all; default: the service's")
    parser.add_argument("--rows-per-step", type=int, default=8)
    parser.add_argument("--rows", type=int, default=0, help="most test rows; default: all")
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="bfloat16")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the trainer keeps what it did")
    parser.add_argument("--output", type=Path, help="write the table as JSON")
    options = parser.parse_args()
    if not (options.model / "config.json").is_file():
        parser.error(f"--model: there is no config.json in {options.model}")
    if "/" not in options.dataset:
        parser.error(f"--dataset: {options.dataset} is given; DATASET/VERSION is allowed")
    for method in options.methods:
        kind, _, rank = method.partition(":")
        is_known = kind in RATES and (kind == "full") == (rank == "")
        if not is_known or (rank and not (rank.isdigit() and 1 <= int(rank) <= 4096)):
            parser.error(f"--methods: {method} is given; full, lora:R and qlora:R are allowed, "
                         "with R from 1 to 4096")
    return options


def programs() -> Path:
    """The folder of our executables, built if need be."""
    if folder := os.environ.get("FOVEA_BIN"):
        return Path(folder)
    build = ["swift", "build", "-c", "release"]
    subprocess.run([*build, "--product", "fovea-trainer"], cwd=ROOT, check=True,
                   stdout=sys.stderr)
    return Path(subprocess.run([*build, "--show-bin-path"], cwd=ROOT, check=True,
                               capture_output=True, text=True).stdout.strip())


class Trainer:
    """The service on a folder of its own, called by its verbs."""

    def __init__(self, binary: Path, folder: Path, dataset_server: str) -> None:
        self.binary, self.folder = str(binary), folder
        self.dataset_server = dataset_server
        self.socket = folder / "t.sock"
        # Our executables refuse variables that they do not know.
        self.environment = {key: value for key, value in os.environ.items()
                            if key != "FOVEA_BIN"} | {"XDG_RUNTIME_DIR": str(folder)}

    def __enter__(self) -> "Trainer":
        self.socket.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [self.binary, "serve", "--listen", f"unix:{self.socket}", "--data",
             str(self.folder / "data"), "--models", str(self.folder / "models"),
             "--dataset-server", self.dataset_server, "--metrics", "off"],
            env=self.environment, stdout=subprocess.DEVNULL,
            stderr=open(self.folder / "log.txt", "ab"))
        while not self.socket.exists():
            if self.process.poll() is not None:
                sys.exit(f"methods: fovea-trainer did not start; see {self.folder}/log.txt")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()

    def call(self, *words: str) -> list[dict]:
        """The objects that a verb prints; ends the program with what it says if it fails."""
        command = [self.binary, *words, "--server", f"unix:{self.socket}", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment)
        if done.returncode != 0:
            sys.exit(f"methods: {' '.join(words)} failed: {done.stderr.strip()}")
        return [json.loads(line) for line in done.stdout.splitlines() if line]

    def knows(self, kind: str, name: str) -> bool:
        """Whether a model or a job of this name is there already."""
        return any(item["name"] == f"{kind}/{name}" for item in self.call(kind))

    def finish(self, job: str) -> dict:
        """Waits for a job's end and gives what it used."""
        while True:
            found = self.call("jobs", job)[0]
            if found["state"] == "succeeded":
                return found
            if found["state"] in ("failed", "cancelled", "paused"):
                sys.exit(f"methods: {job} is {found['state']}: {found['problem']}")
            time.sleep(0.2)

    def job(self, job: str, *words: str) -> dict:
        """Creates a job, unless an earlier run has, and waits for its end."""
        if not self.knows("jobs", job):
            self.call(words[0], "--id", job, *words[1:])
        return self.finish(job)


class Comparison:
    """One model and version, and what each method makes of them."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.binary = programs() / "fovea-trainer"
        models = folder / "models"
        models.mkdir(exist_ok=True)
        if not (models / "base").exists():
            copy_model(options.model, models / "base")

    def trainer(self) -> Trainer:
        return Trainer(self.binary, self.folder, self.options.dataset_server)

    def measuring(self) -> list[str]:
        """The options that all measurements have in common."""
        words = ["--dataset", self.options.dataset, "--max-tokens",
                 str(self.options.max_tokens), "--seed", str(self.options.seed)]
        return words + (["--rows", str(self.options.rows)] if self.options.rows else [])

    def base(self) -> None:
        """Measures the model as it is, with its own prompt: what all is compared with."""
        with self.trainer() as trainer:
            if not trainer.knows("models", "base"):
                trainer.call("models", str(self.folder / "models" / "base"), "--id", "base")
            # What is compared with comes from the same kind of job as what is compared.
            trainer.job("base", "evaluate", "--model", "base", *self.measuring())

    def method(self, method: str) -> dict:
        """Trains and measures one; gives its line of the table."""
        kind, _, rank = method.partition(":")
        name = method.replace(":", "-")
        words = ["--model", "base", "--dataset", self.options.dataset, "--method", kind,
                 "--epochs", str(self.options.epochs), "--rows-per-step",
                 str(self.options.rows_per_step), "--precision", self.options.precision,
                 "--seed", str(self.options.seed), "--force", "comparing methods"]
        words += ["--rank", rank] if rank else []
        rate = self.options.learning_rate
        words += ["--learning-rate", str(rate)] if rate else []
        with self.trainer() as trainer:
            trained = trainer.job(name, "train", *words)
        with self.trainer() as trainer:
            measured = trainer.job(f"{name}-measured", "evaluate", *self.measuring(),
                                   *self.target(trainer, kind, name))
            compared = trainer.call("compare", "base", f"{name}-measured")
        main = compared[0]
        return {
            "method": kind, "rank": int(rank or 0), "metric": main["metric"],
            "score": float(main["after"]), "base": float(main["before"]),
            "change": float(main["change"]), "p": float(main["p_value"]),
            "train_seconds": float(trained["running_seconds"]),
            "peak_bytes": int(trained["peak_bytes"]), "steps": int(trained["steps"]),
            "learning_rate": rate or RATES[kind],
            "measure_seconds": float(measured["running_seconds"]),
        }

    def target(self, trainer: Trainer, kind: str, name: str) -> list[str]:
        """The options that name what a method left: an adapter, or a model of its own."""
        if kind != "full":
            words = ["--model", "base", "--adapter", f"{name}/best"]
            return words + (["--base-format", "nf4"] if kind == "qlora" else [])
        model = self.folder / "models" / name
        if not model.exists():
            weights = self.folder / f"{name}-weights"
            shutil.rmtree(weights, ignore_errors=True)
            trainer.call("export", name, str(weights))
            copy_model(self.options.model, model, weights)
            shutil.rmtree(weights)
        if not trainer.knows("models", name):
            trainer.call("models", str(model), "--id", name)
        return ["--model", name]


def copy_model(source: Path, target: Path, weights: Path | None = None) -> None:
    """A folder with the files of a model, or with other weights in place of its own."""
    target.mkdir()
    for file in source.iterdir():
        is_weights = ".safetensors" in file.name or file.suffix == ".bin"
        if file.is_file() and not (weights and is_weights):
            shutil.copy(file, target / file.name)
    for file in weights.iterdir() if weights else []:
        if ".safetensors" in file.name:
            shutil.copy(file, target / file.name)


def table(lines: list[dict]) -> str:
    """The lines for people."""
    text = ["| method | rank | score | change | p | peak MiB | training s | steps |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for line in lines:
        text.append(
            f"| {line['method']} | {line['rank'] or ''} | {line['score']:.4f} "
            f"| {line['change']:+.4f} | {line['p']:.3g} | {line['peak_bytes'] / 2**20:,.1f} "
            f"| {line['train_seconds']:,.1f} | {line['steps']} |")
    return "\n".join(text)


def main() -> None:
    options = arguments()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="fovea-methods-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        comparison = Comparison(options, folder.resolve())
        comparison.base()
        lines = []
        for method in options.methods:
            lines.append(comparison.method(method))
            print(f"{method}: {lines[-1]['metric']} {lines[-1]['score']:.4f}, "
                  f"{lines[-1]['train_seconds']:,.1f} s", file=sys.stderr, flush=True)
            if options.output:
                options.output.write_text(json.dumps(lines, indent=1) + "\n")
        print(table(lines))
    finally:
        if not options.folder:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
