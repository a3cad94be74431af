"""Many small things at once: resets, settings, pings, streams, connections."""

import struct
from collections.abc import Callable

import pytest

from harness import http2
from harness.http2 import Connection, call_headers, frame, message
from harness.server import Server
from harness.siege import MIB, siege

Start = Callable[..., Server]
FLOOD_FRAMES = 100_000


def flood(server: Server, octets: bytes, times: int, drain: bool = False) -> Connection:
    """Sends `octets` again and again, until the server ends the connection or takes no more."""
    connection = Connection(server.address)
    for _ in range(times):
        if not connection.send(octets, 2):
            break
        while drain and connection.receive(0):
            pass
    return connection


FLOODS = {
    "settings": http2.settings({http2.HEADER_TABLE_SIZE: 4096}),
    "empty settings": frame(http2.SETTINGS, 0, 0),
    "settings that resize the table": http2.settings({http2.HEADER_TABLE_SIZE: 0})
    + http2.settings({http2.HEADER_TABLE_SIZE: 4096}),
    "pings": frame(http2.PING, 0, 0, bytes(8)),
    "ping answers": frame(http2.PING, http2.ACK, 0, bytes(8)),
    "priorities": b"".join(
        frame(http2.PRIORITY, 0, stream, struct.pack(">IB", 0, 16))
        for stream in range(1, 201, 2)),
    "window updates": http2.window_update(0, 1),
    "unknown frames": frame(0xee, 0, 0, bytes(8)),
}


@pytest.mark.parametrize("drain", [False, True], ids=["deaf", "reading"])
@pytest.mark.parametrize("octets", FLOODS.values(), ids=FLOODS.keys())
def test_a_flood_of_control_frames_does_no_harm(
    start: Start, octets: bytes, drain: bool
) -> None:
    """A client that never reads the answers must not fill the server's memory with them."""
    frames = octets * 100
    with siege(start(), 32 * MIB) as server:
        times = FLOOD_FRAMES // 100 if len(octets) < 100 else 20
        with flood(server, frames, times, drain):
            pass


@pytest.mark.parametrize("with_body", [False, True], ids=["headers", "calls"])
@pytest.mark.ours
def test_rapid_reset_does_no_harm(start: Start, with_body: bool) -> None:
    """20,000 calls, each reset at once: the handler may have begun, or not."""
    opening = http2.block(call_headers(http2.UNARY))
    body = message(b"\x20\x90\x4e") if with_body else b""  # delay_milliseconds = 10,000
    with siege(start(), 64 * MIB) as server:
        with Connection(server.address) as connection:
            for first in range(1, 40_001, 200):
                octets = b""
                for stream in range(first, first + 200, 2):
                    octets += frame(http2.HEADERS, http2.END_HEADERS, stream, opening)
                    if with_body:
                        octets += frame(http2.DATA, http2.END_STREAM, stream, body)
                    octets += http2.reset(stream)
                if not connection.send(octets, 2):
                    break
                connection.receive(0)


@pytest.mark.ours
def test_resets_provoked_from_the_server_do_no_harm(start: Start) -> None:
    """Each call breaks a rule, so that the server itself resets it (the "made you reset" way)."""
    opening = http2.block(call_headers(http2.UNARY))
    with siege(start(), 64 * MIB) as server:
        with Connection(server.address) as connection:
            for first in range(1, 20_001, 200):
                octets = b""
                for stream in range(first, first + 200, 2):
                    octets += frame(http2.HEADERS, http2.END_HEADERS, stream, opening)
                    octets += http2.window_update(stream, 0x7fffffff)
                if not connection.send(octets, 2):
                    break
                connection.receive(0)


@pytest.mark.parametrize("octets", [
    frame(http2.DATA, 0, 1), frame(http2.DATA, http2.PADDED, 1, b"\0"),
    frame(http2.DATA, 0, 1, b"\0\0\0\0\0"),
], ids=["empty", "padding", "empty-messages"])
def test_a_flood_of_empty_data_does_no_harm(start: Start, octets: bytes) -> None:
    with siege(start(), 64 * MIB) as server:
        with Connection(server.address) as connection:
            connection.open(1, call_headers(http2.CLIENT_STREAM))
            for _ in range(500):
                connection.receive(0)
                room = connection.connection_window > 1000
                if not room or not connection.send(octets * 100, 2):
                    break


@pytest.mark.ours
def test_streams_beyond_the_limit_are_refused(start: Start) -> None:
    """20,000 calls that never end their request: those above the limit get REFUSED_STREAM, or
    the connection ends."""
    opening = http2.block(call_headers(http2.CLIENT_STREAM))
    with siege(start()) as server:
        with Connection(server.address) as connection:
            for stream in range(1, 40_000, 2):
                frames = frame(http2.HEADERS, http2.END_HEADERS, stream, opening)
                if not connection.send(frames, 2):
                    break
                connection.receive(0)
            last = connection.outcome(39_999, 5)
            assert last.reset_code == 7 or last.is_connection_over


def test_many_idle_connections_do_no_harm(start: Start) -> None:
    """400 connections: a third says nothing, a third half a preface, a third settings only."""
    with siege(start()) as server:
        opened = [http2.connect(server.address) for _ in range(400)]
        for index, plain in enumerate(opened):
            plain.sendall([b"", http2.PREFACE[:12], http2.PREFACE + http2.settings({})][index % 3])
        with Connection(server.address) as connection:
            connection.call(1, http2.UNARY, message())
            assert connection.outcome(1).grpc_status == 0
        for plain in opened:
            plain.close()


def test_connections_that_come_and_go_leave_nothing(start: Start) -> None:
    """2,000 connections in a row, each with one call or none."""
    with siege(start(), 32 * MIB) as server:
        for index in range(2000):
            with Connection(server.address) as connection:
                if index % 2:
                    connection.call(1, http2.UNARY, message())
                    if index % 4 == 1:
                        assert connection.outcome(1).grpc_status == 0
