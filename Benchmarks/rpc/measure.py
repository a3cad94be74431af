"""Runs the load and reads the clocks."""

import os
import re
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

PAYLOAD_BYTES = 128
STREAM_MESSAGE_BYTES = 1 << 20
SOCKET_CHUNK_BYTES = 256 << 10
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
METHOD = "/fovea.testing.v1.Echo/Unary"
START_SECONDS_MAX = 10


@dataclass(frozen=True)
class Setting:
    """A shape of load: connections, and calls in flight on each."""

    transport: str
    connections: int
    streams: int

    @property
    def name(self) -> str:
        """For the table."""
        shown = "TCP" if self.transport == "tcp" else "Unix"
        return f"{shown} {self.connections}x{self.streams}"


@dataclass(frozen=True)
class Sizes:
    """How long each measurement takes, about."""

    unary_seconds: float
    stream_seconds: float


@dataclass(frozen=True)
class Unary:
    """One measurement of unary calls."""

    calls_per_second: float
    cpu_microseconds: float
    p50_microseconds: float
    p99_microseconds: float


@dataclass(frozen=True)
class Found:
    """The medians of both servers, and what the machine allows."""

    unary: dict[tuple[str, Setting], Unary]
    stream: dict[tuple[str, str], float]
    stream_limit: dict[str, float]


class Server:
    """A server process on a core of its own."""

    def __init__(self, command: list[str], core: int) -> None:
        """Starts it and reads which addresses it listens on."""
        pinned = ["taskset", "--cpu-list", str(core), *command]
        self.process = subprocess.Popen(pinned, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        watchdog = threading.Timer(START_SECONDS_MAX, self.process.kill)
        watchdog.start()
        lines = [self.process.stdout.readline().strip() for _ in range(2)]
        watchdog.cancel()
        if not all(line.startswith("listening ") for line in lines):
            sys.exit(f"bench: {command[0]} did not start; it said: {' / '.join(lines)}")
        tcp, unix = (line.removeprefix("listening ") for line in lines)
        self.addresses = {"tcp": tcp.removeprefix("tcp:"), "unix": unix}

    @property
    def cpu_seconds(self) -> float:
        """Processor time used so far."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / TICKS_PER_SECOND

    def stop(self) -> None:
        """Ends the process."""
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass(frozen=True)
class Pair:
    """The two servers; as a context manager they end with it."""

    ours: Server
    peer: Server

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ours.stop()
        self.peer.stop()

    @property
    def named(self) -> list[tuple[str, Server]]:
        """Peer first, then ours."""
        return [("peer", self.peer), ("ours", self.ours)]


class Load:
    """The programs that call a server, on a core of their own."""

    def __init__(self, stream_program: Path, core: int, folder: Path) -> None:
        self._prefix = ["taskset", "--cpu-list", str(core)]
        self._stream_program = stream_program
        self._body, self._log = folder / "body", folder / "log"
        request = b"\x0a" + _varint(PAYLOAD_BYTES) + b"x" * PAYLOAD_BYTES
        self._body.write_bytes(struct.pack(">BI", 0, len(request)) + request)
        # The response repeats the payload and adds request_count and received_bytes.
        self._response_bytes = 5 + len(request) + 2 + 1 + len(_varint(PAYLOAD_BYTES))

    def check(self, server: Server) -> None:
        """Ends the benchmark unless the server answers rightly on all its addresses."""
        for address in server.addresses.values():
            self._run([str(self._stream_program), address, "check"])

    def calls(self, server: Server, setting: Setting, count: int, log: bool) -> float:
        """Makes `count` calls, checks every response, and returns calls per second."""
        address = server.addresses[setting.transport]
        is_unix = setting.transport == "unix"
        target = [f"--base-uri={address}"] if is_unix else []
        target.append(f"http://{'localhost' if is_unix else address}{METHOD}")
        self._log.unlink(missing_ok=True)
        output = self._run([
            "h2load", "-t1", f"-n{count}", f"-c{setting.connections}", f"-m{setting.streams}",
            "-d", str(self._body), "-H", "content-type: application/grpc", "-H", "te: trailers",
            *([f"--log-file={self._log}"] if log else []), *target])
        self._verify(output, count)
        return float(_search(r"finished in .*?, ([\d.]+) req/s", output))

    def _verify(self, output: str, count: int) -> None:
        """Every status is 2xx, and every body has the size of a right answer."""
        succeeded = int(_search(r"(\d+) succeeded", output))
        good = int(_search(r"status codes: (\d+) 2xx", output))
        octets = int(_search(r"\((\d+)\) data", output))
        expected = count * self._response_bytes
        if (succeeded, good, octets) != (count, count, expected):
            sys.exit(
                f"bench: of {count} calls {succeeded} succeeded, {good} with 2xx; {octets}"
                f" bytes of data instead of {expected}: not every answer was right")

    def latencies(self) -> list[int]:
        """Microseconds of each call of the last logged run, in ascending order."""
        lines = self._log.read_text().splitlines()
        return sorted(int(line.rsplit("\t", 1)[1]) for line in lines)

    def stream(self, address: str, seconds: float) -> float:
        """Megabytes per second of a stream of 1 MiB messages."""
        output = self._run(
            [str(self._stream_program), address, str(seconds), str(STREAM_MESSAGE_BYTES)])
        messages, passed = output.split()
        return int(messages) * STREAM_MESSAGE_BYTES / float(passed) / 1e6

    def _run(self, command: list[str]) -> str:
        result = subprocess.run(
            [*self._prefix, *command], capture_output=True, text=True, timeout=120)
        if result.returncode != 0:
            said = (result.stderr + result.stdout).strip()[-1000:]
            sys.exit(f"bench: {Path(command[0]).name} failed: {said}")
        return result.stdout


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 128:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])


def _search(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        sys.exit(f"bench: h2load's output has no {pattern!r}:\n{text[-1000:]}")
    return match.group(1)


def measure_unary(load: Load, server: Server, setting: Setting, seconds: float) -> Unary:
    """Throughput and processor time without a log, then latencies with one."""
    in_flight = setting.connections * setting.streams
    warm_calls = max(500, 20 * in_flight)
    rate = load.calls(server, setting, warm_calls, log=False)
    count = max(warm_calls, int(rate * seconds))
    before = server.cpu_seconds
    rate = load.calls(server, setting, count, log=False)
    cpu = (server.cpu_seconds - before) / count
    load.calls(server, setting, max(warm_calls, count // 2), log=True)
    ordered = load.latencies()
    return Unary(
        rate, cpu * 1e6, ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100])


def socket_limit(transport: str, core: int, seconds: float) -> float:
    """Megabytes per second that a plain socket carries between the two cores."""
    family = socket.AF_INET if transport == "tcp" else socket.AF_UNIX
    with tempfile.TemporaryDirectory() as folder, socket.socket(family) as listener:
        listener.bind(("127.0.0.1", 0) if transport == "tcp" else f"{folder}/limit.sock")
        listener.listen()
        child = os.fork()
        if child == 0:
            _write_until_closed(listener, core)
        reader = socket.socket(family)
        reader.connect(listener.getsockname())
        buffer = bytearray(SOCKET_CHUNK_BYTES)
        octets, began = 0, time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            octets += reader.recv_into(buffer)
        reader.close()
        os.waitpid(child, 0)
    return octets / passed / 1e6


def _write_until_closed(listener: socket.socket, core: int) -> None:
    """The child's whole life."""
    try:
        os.sched_setaffinity(0, {core})
        writer, _ = listener.accept()
        octets = bytes(SOCKET_CHUNK_BYTES)
        while True:
            writer.sendall(octets)
    except OSError:
        pass
    finally:
        os._exit(0)


def median_of_rounds(
    pair: Pair, settings: list[Setting], sizes: Sizes, rounds: int, stream_program: Path,
    load_core: int,
) -> Found:
    """Measures both servers in turn, every setting in every round."""
    unary: dict[tuple[str, Setting], list[Unary]] = {}
    stream: dict[tuple[str, str], list[float]] = {}
    limit: dict[str, list[float]] = {}
    os.sched_setaffinity(0, {load_core})
    with tempfile.TemporaryDirectory() as folder:
        load = Load(stream_program, load_core, Path(folder))
        for _, server in pair.named:
            load.check(server)
        for number in range(rounds):
            print(f"round {number + 1} of {rounds} ...", flush=True)
            for setting in settings:
                for name, server in pair.named:
                    found = measure_unary(load, server, setting, sizes.unary_seconds)
                    unary.setdefault((name, setting), []).append(found)
            for transport in ("tcp", "unix"):
                limit.setdefault(transport, []).append(
                    socket_limit(transport, 1 - load_core, sizes.stream_seconds / 3))
                for name, server in pair.named:
                    speed = load.stream(server.addresses[transport], sizes.stream_seconds)
                    stream.setdefault((name, transport), []).append(speed)
    return Found(
        {key: _medians(values) for key, values in unary.items()},
        {key: statistics.median(values) for key, values in stream.items()},
        {key: max(values) for key, values in limit.items()})


def _medians(values: list[Unary]) -> Unary:
    return Unary(
        statistics.median(value.calls_per_second for value in values),
        statistics.median(value.cpu_microseconds for value in values),
        statistics.median(value.p50_microseconds for value in values),
        statistics.median(value.p99_microseconds for value in values))
