"""An innocent client on a connection of its own: it must be served while others misbehave."""

import json
import statistics
import subprocess
import sys
import threading
import time
from typing import Self

from .server import environment

# Generous for a busy machine, and far from what a blocked loop would show.
CALL_SECONDS_MAX = 5.0
MEDIAN_SECONDS_MAX = 0.25


class Bystander:
    """Calls the server from a process of its own, every few milliseconds, until the end."""

    def __init__(self, address: str) -> None:
        """Starts the client and waits for its first answer."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.bystander", address], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment())
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "served\n", "the bystander was not served"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        output, _ = self._process.communicate("", timeout=30)
        if kind is None:
            self._judge(json.loads(output))

    def _judge(self, report: dict[str, list[float] | str]) -> None:
        assert report["error"] == "", f"a bystander's call failed: {report['error']}"
        latencies = report["seconds"]
        assert isinstance(latencies, list) and latencies
        assert max(latencies) < CALL_SECONDS_MAX, f"{max(latencies)} s for a bystander"
        median = statistics.median(latencies)
        assert median < MEDIAN_SECONDS_MAX, f"median {median} s for a bystander"


def main(address: str) -> None:
    """Calls until standard input closes, then reports."""
    import grpc
    from fovea.testing.v1 import echo_pb2, echo_pb2_grpc

    from . import client

    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    latencies, error = [], ""
    request = echo_pb2.EchoRequest(payload=bytes(100))
    with client.plain(address) as channel:
        stub = echo_pb2_grpc.EchoStub(channel)
        while not error and (not ended.is_set() or len(latencies) < 5):
            began = time.monotonic()
            try:
                stub.Unary(request, timeout=CALL_SECONDS_MAX)
            except grpc.RpcError as caught:
                error = str(caught)
            latencies.append(time.monotonic() - began)
            if len(latencies) == 1 and not error:
                print("served", flush=True)
            ended.wait(0.005)
    print(json.dumps({"seconds": latencies, "error": error}))


if __name__ == "__main__":
    main(sys.argv[1])
