#!/usr/bin/env python3
"""Makes very many calls and checks that the server's resident memory stays flat.

    Tests/Interop/soak.py --calls 100000

The first quarter of the calls warms the server up: pools and the allocator fill. After it,
resident memory may rise by 4 MiB at most, whatever the number of calls.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

import grpc
import grpc.aio

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))

from harness import client, stubs
from harness.server import Server, command_under_test

stubs.install()

from fovea.testing.v1 import echo_pb2, echo_pb2_grpc  # noqa: E402

Request = echo_pb2.EchoRequest
MIB = 1 << 20
RISE_BYTES_MAX = 4 * MIB
WARM_SHARE = 0.25
CALLS_PER_CONNECTION = 1000
CALLS_AT_ONCE = 50


async def one(stub: echo_pb2_grpc.EchoStub, number: int) -> None:
    """A call; its kind depends on its number. Most are unary and good."""
    payload = bytes(number * 37 % 3000)
    match number % 50:
        case 0:
            responses = stub.ServerStream(Request(payload=payload, response_count=10))
            assert len([item async for item in responses]) == 10
        case 1:
            requests = (Request(payload=payload) for _ in range(5))
            assert len([item async for item in stub.Bidirectional(requests)]) == 5
        case 2:
            requests = (Request(payload=payload) for _ in range(5))
            assert (await stub.ClientStream(requests)).request_count == 5
        case 3 | 4:
            await failing(stub)
        case 5:
            await cancelled(stub)
        case 6:
            large = await stub.Unary(Request(response_bytes=200_000))
            assert len(large.payload) == 200_000
        case 7:
            packed = await stub.Unary(
                Request(payload=bytes(5000)), compression=grpc.Compression.Gzip)
            assert len(packed.payload) == 5000
        case _:
            assert (await stub.Unary(Request(payload=payload))).payload == payload


async def failing(stub: echo_pb2_grpc.EchoStub) -> None:
    """A call that ends with an error."""
    request = Request()
    request.failure.code, request.failure.message = 5, "as asked"
    try:
        await stub.Unary(request)
    except grpc.aio.AioRpcError as error:
        assert error.code() == grpc.StatusCode.NOT_FOUND


async def cancelled(stub: echo_pb2_grpc.EchoStub) -> None:
    """A stream that the client leaves, and a deadline that passes."""
    stream = stub.ServerStream(Request(response_count=1000, delay_milliseconds=1))
    await stream.read()
    stream.cancel()
    try:
        await stub.Unary(Request(delay_milliseconds=1000), timeout=0.002)
    except grpc.aio.AioRpcError as error:
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED


async def connection(address: str, calls: int) -> None:
    """That many calls on a connection of their own."""
    target = client.target(address)
    async with grpc.aio.insecure_channel(target, client.options()) as channel:
        stub = echo_pb2_grpc.EchoStub(channel)
        for first in range(0, calls, CALLS_AT_ONCE):
            last = min(calls, first + CALLS_AT_ONCE)
            await asyncio.gather(*(one(stub, number) for number in range(first, last)))


async def soak(server: Server, calls: int, per_connection: int) -> list[int]:
    """Makes the calls. Returns resident bytes after each connection."""
    samples = []
    for first in range(0, calls, per_connection):
        await connection(server.address, min(per_connection, calls - first))
        samples.append(server.resident_bytes)
    return samples


def rise(samples: list[int]) -> int:
    """Bytes from the end of the warm-up to the highest later sample."""
    warm = int(len(samples) * WARM_SHARE)
    return max(samples[warm:]) - samples[warm]


def main() -> int:
    """Runs the soak as a script."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [*command_under_test("serve"), "--listen", f"unix:{folder}/echo.sock"]
        with Server(command, Path(folder) / "log").wait_until_listening(1) as server:
            began = time.monotonic()
            samples = asyncio.run(soak(server, options.calls, CALLS_PER_CONNECTION))
            seconds = time.monotonic() - began
    print(f"{options.calls} calls in {seconds:.0f} s; resident MiB after each tenth:",
          " ".join(f"{size / MIB:.1f}" for size in samples[::max(1, len(samples) // 10)]))
    verdict = "flat" if rise(samples) <= RISE_BYTES_MAX else "NOT FLAT"
    print(f"{verdict}: +{rise(samples) / MIB:.2f} MiB after the warm-up,"
          f" {RISE_BYTES_MAX / MIB:.0f} allowed")
    return 0 if verdict == "flat" else 1


if __name__ == "__main__":
    sys.exit(main())
