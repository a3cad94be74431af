#!/usr/bin/env python3
"""Measures our RPC library beside C++ gRPC, in turn, on loopback.

Each server has one core to itself (our one loop, its one completion queue) and the load has
another. Unary calls come from h2load with a gRPC-framed body of 128 bytes payload; 1 MiB message
streams from stream.cpp, which is the same client for both. Medians of several rounds.

    Benchmarks/rpc/run.py            writes bench-results/rpc.json and prints the ratios
    Benchmarks/rpc/run.py --smoke    a few seconds, to see that it works (also SMOKE=1)

FOVEA_BIN names the folder of a built fovea-echo; without it a release build is made.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from measure import Pair, Server, Setting, Sizes, median_of_rounds  # noqa: E402
from report import Row, print_table, rows_of  # noqa: E402

ROOT = HERE.parents[1]
BUILD = ROOT / ".build" / "bench-rpc"
SERVER_CORE, LOAD_CORE = 0, 1
ALL_SETTINGS = [
    Setting(transport, connections, streams)
    for transport in ("tcp", "unix")
    for connections, streams in ((1, 1), (1, 32), (1, 100), (8, 32))]
SMOKE_SETTINGS = [setting for setting in ALL_SETTINGS if setting.connections == 1][:2]


def build_peer() -> None:
    """Compiles peer.cpp and stream.cpp, unless they are newer than their sources."""
    protos = ["fovea/testing/v1/echo.proto", "google/rpc/status.proto"]
    sources = [ROOT / "proto" / name for name in protos]
    sources += [HERE / "peer.cpp", HERE / "stream.cpp"]
    newest = max(path.stat().st_mtime for path in sources)
    programs = [BUILD / "peer", BUILD / "stream"]
    if all(path.exists() and path.stat().st_mtime > newest for path in programs):
        return
    print("building the C++ peer ...", flush=True)
    generated = BUILD / "generated"
    generated.mkdir(parents=True, exist_ok=True)
    plugin = shutil.which("grpc_cpp_plugin") or sys.exit("bench: no grpc_cpp_plugin; make setup")
    run("protoc", f"-I{ROOT / 'proto'}", f"--cpp_out={generated}", f"--grpc_out={generated}",
        f"--plugin=protoc-gen-grpc={plugin}", *protos)
    flags = run("pkg-config", "--cflags", "--libs", "grpc++", "protobuf").split()
    messages = [str(path) for path in generated.glob("**/*.cc")]
    for program in programs:
        source = HERE / f"{program.name}.cpp"
        run("g++", "-O2", "-std=c++17", f"-I{generated}", str(source), *messages,
            "-o", str(program), *flags)


def our_binary() -> Path:
    """The release build of fovea-echo."""
    folder = os.environ.get("FOVEA_BIN")
    if folder is None:
        print("building fovea-echo ...", flush=True)
        # As services are shipped, so that one build serves benchmarks and containers.
        command = [
            "swift", "build", "--configuration", "release", "--static-swift-stdlib",
            "--package-path", str(ROOT)]
        run(*command, "--product", "fovea-echo")
        folder = run(*command, "--show-bin-path").strip()
    return Path(folder) / "fovea-echo"


def run(*command: str) -> str:
    """The output of a command; a failure ends the benchmark with its words."""
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        said = (result.stderr or result.stdout).strip()[-2000:]
        sys.exit(f"bench: {' '.join(command[:4])} ... failed:\n{said}")
    return result.stdout


@dataclass(frozen=True)
class Options:
    """What to run."""

    is_smoke: bool
    rounds: int
    peer_only: bool
    is_immediate: bool


def options() -> Options:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="a few seconds only")
    parser.add_argument("--rounds", type=int, help="rounds to take medians of (default 5)")
    parser.add_argument(
        "--peer-only", action="store_true", help="run the peer in both places: what noise is")
    parser.add_argument(
        "--immediate", action="store_true", help="answer our unary calls without a task")
    given = parser.parse_args()
    is_smoke = given.smoke or bool(os.environ.get("SMOKE"))
    rounds = given.rounds or (1 if is_smoke else 5)
    return Options(is_smoke, rounds, given.peer_only, given.immediate)


def start(folder: Path, chosen: Options) -> Pair:
    """Starts both servers on the same core, each on TCP and a Unix socket."""

    def peer(name: str) -> Server:
        addresses = ["127.0.0.1:0", f"unix:{folder}/{name}.sock"]
        return Server([str(BUILD / "peer"), *addresses], SERVER_CORE)

    if chosen.peer_only:
        return Pair(ours=peer("second"), peer=peer("peer"))
    ours = [str(our_binary()), "serve", "--threads", "1", "--listen", "tcp:127.0.0.1:0"]
    ours += ["--listen", f"unix:{folder}/ours.sock"]
    ours += ["--immediate"] if chosen.is_immediate else []
    return Pair(ours=Server(ours, SERVER_CORE), peer=peer("peer"))


def machine() -> str:
    """The processor and its number of cores."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return f"{line.split(':', 1)[1].strip()}, {os.cpu_count()} cores"
    return f"{platform.machine()}, {os.cpu_count()} cores"


def commit() -> str:
    """The commit that is measured."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip() or "-"


def write(rows: list[Row]) -> None:
    """Writes bench-results/rpc.json."""
    target = ROOT / "bench-results" / "rpc.json"
    target.parent.mkdir(exist_ok=True)
    result = {
        "part": "rpc", "machine": machine(), "commit": commit(),
        "rows": [row.as_json() for row in rows]}
    target.write_text(json.dumps(result, indent=2) + "\n")


def main() -> None:
    """Builds, measures, reports."""
    chosen = options()
    if not {SERVER_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        sys.exit("bench: needs cores 0 and 1, one for the server and one for the load")
    build_peer()
    settings = SMOKE_SETTINGS if chosen.is_smoke else ALL_SETTINGS
    sizes = Sizes(0.2, 0.2) if chosen.is_smoke else Sizes(1.5, 1.5)
    with tempfile.TemporaryDirectory(prefix="fovea-bench-") as name:
        with start(Path(name), chosen) as pair:
            found = median_of_rounds(
                pair, settings, sizes, chosen.rounds, BUILD / "stream", LOAD_CORE)
    rows = rows_of(found)
    write(rows)
    print_table(rows)


if __name__ == "__main__":
    main()
