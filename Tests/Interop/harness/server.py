"""Echo servers as child processes: ours, or the grpcio one that proves the tests."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

from . import stubs
from .paths import INTEROP, binary
from .waiting import PATIENCE_SECONDS, eventually

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

# FOVEA_INTEROP_SERVER=grpcio runs the suite against the grpcio echo server instead of ours.
IS_FOREIGN = os.environ.get("FOVEA_INTEROP_SERVER", "fovea") == "grpcio"


def foreign_command(verb: str) -> list[str]:
    """The command line of the grpcio echo server."""
    return [sys.executable, "-m", "harness.grpcio_echo", verb]


def command_under_test(verb: str) -> list[str]:
    """The command line of the echo server that this run tests."""
    if IS_FOREIGN:
        return foreign_command(verb)
    path = binary("fovea-echo")
    if path is None:
        raise FileNotFoundError("fovea-echo is not built: run `swift build`, or set FOVEA_BIN")
    return [str(path), verb]


def environment() -> dict[str, str]:
    """The environment of a child: it finds the stubs and this package."""
    paths = [str(stubs.install()), str(INTEROP)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}


class Server:
    """A server process. As a context manager it is stopped at the end."""

    def __init__(self, command: list[str], log: Path) -> None:
        """Starts `command`; its standard error goes to the file `log`."""
        self.log = log
        self.lines: list[str] = []
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment())
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait_until_listening(self, count: int) -> Self:
        """Waits until the server has named `count` listeners."""
        eventually(
            lambda: len(self.addresses) >= count or self.process.poll() is not None,
            f"{count} listeners")
        if len(self.addresses) < count:
            self.stop()
            raise AssertionError(f"the server ended early: {self.log.read_text()[-2000:]}")
        return self

    @property
    def addresses(self) -> list[str]:
        """The listeners that are ready: echo servers print them, services log them."""
        printed = [line for line in list(self.lines) if line.startswith("listening ")]
        if printed:
            return [line.split(" ", 1)[1] for line in printed]
        for line in self.log.read_text().splitlines():
            if line.startswith("{") and line.endswith("}"):
                record = json.loads(line)
                if record.get("message") == "ready":
                    return str(record["listen"]).split(",")
        return []

    @property
    def address(self) -> str:
        """The first listener."""
        return self.addresses[0]

    @property
    def resident_bytes(self) -> int:
        """Memory that the process holds now."""
        statm = Path(f"/proc/{self.process.pid}/statm").read_text()
        return int(statm.split()[1]) * PAGE_BYTES

    @property
    def cpu_seconds(self) -> float:
        """Processor time that the process used so far."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / TICKS_PER_SECOND

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self.process.send_signal(number)

    def exit_code(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Waits for the process to end by itself."""
        code = self.process.wait(seconds)
        self._reader.join(PATIENCE_SECONDS)
        return code

    def stop(self) -> None:
        """Ends the process: kindly, then not."""
        if self.is_running:
            self.send(signal.SIGTERM)
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self._reader.join(PATIENCE_SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
