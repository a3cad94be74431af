"""Peers that read or write too slowly, or too fast, or cheat with windows."""

from collections.abc import Callable

import pytest

from fovea.testing.v1 import echo_pb2
from harness import http2
from harness.http2 import Connection, call_headers, frame, message
from harness.server import Server
from harness.siege import GROWTH_BYTES_MAX, MIB, siege
from harness.waiting import eventually

Start = Callable[..., Server]
WINDOW_MAX = 0x7fffffff


def request(**fields: int | bytes) -> bytes:
    """An echo request, framed."""
    return message(echo_pb2.EchoRequest(**fields).SerializeToString())


BIG_STREAM = request(response_bytes=MIB, response_count=4000)


def settled(server: Server) -> None:
    """Waits until the server works no more for the attackers: it uses little processor time."""
    seen: list[float] = []

    def is_still() -> bool:
        seen.append(server.cpu_seconds)
        # The bystander's calls cost a little all the time.
        return len(seen) > 30 and seen[-1] - seen[-30] <= 0.03

    eventually(is_still, "the server rests")


def test_a_client_that_reads_nothing_does_not_fill_memory(start: Start) -> None:
    """A 4 GiB stream to a client with the largest windows that never reads its socket."""
    with siege(start(), 64 * MIB) as server:
        with Connection(server.address, {http2.INITIAL_WINDOW_SIZE: WINDOW_MAX}) as connection:
            connection.send(http2.window_update(0, WINDOW_MAX - 65535))
            connection.call(1, http2.SERVER_STREAM, BIG_STREAM)
            settled(server)


def test_a_zero_window_stalls_only_its_own_streams(start: Start) -> None:
    """100 streams with a window of zero: the server may hold 1 MiB of each at most."""
    with siege(start(), GROWTH_BYTES_MAX) as server:
        with Connection(server.address, {http2.INITIAL_WINDOW_SIZE: 0}) as connection:
            for stream in range(1, 201, 2):
                small = request(response_bytes=64 << 10, response_count=100_000)
                connection.call(stream, http2.SERVER_STREAM, small)
            settled(server)
            connection.call(201, http2.UNARY, message())
            connection.send(http2.window_update(201, 1000))
            assert connection.outcome(201).grpc_status == 0


def test_a_window_opened_byte_by_byte_still_delivers(start: Start) -> None:
    with siege(start(), 64 * MIB) as server:
        with Connection(server.address, {http2.INITIAL_WINDOW_SIZE: 0}) as connection:
            connection.call(1, http2.UNARY, request(payload=b"slow but sure"))
            while not connection.outcomes.get(1, http2.Outcome()).is_ended:
                connection.send(http2.window_update(1, 1))
                connection.receive(0.05)
            assert connection.outcome(1).grpc_status == 0
            assert b"slow but sure" in connection.outcome(1).data


def test_a_request_that_comes_byte_by_byte_is_answered(start: Start) -> None:
    body = request(payload=b"every byte in a frame of its own")
    with siege(start(), 32 * MIB) as server:
        with Connection(server.address) as connection:
            connection.open(1, call_headers(http2.UNARY))
            for index in range(len(body)):
                connection.send(frame(http2.DATA, 0, 1, body[index:index + 1]))
            connection.send(frame(http2.DATA, http2.END_STREAM, 1))
            assert connection.outcome(1).grpc_status == 0


@pytest.mark.parametrize("megabytes", [1, 8, 32])
def test_a_fast_uploader_waits_for_a_slow_handler(start: Start, megabytes: int) -> None:
    """The handler pauses for a minute after the first message; the rest must stay outside.

    The server may take its windows (16 MiB) and 64 MiB of messages at most. 256 MiB are
    offered.
    """
    first = request(read_delay_milliseconds=60_000)
    large = request(payload=bytes(megabytes * MIB))
    offered = first + large * (256 // megabytes)
    with siege(start(), 160 * MIB) as server:
        with Connection(server.address) as connection:
            connection.open(1, call_headers(http2.CLIENT_STREAM))
            sent = connection.upload(1, offered, stalled_seconds=0.7)
            assert not connection.outcome(1, 0.1).is_refused
            assert sent <= 96 * MIB, f"the server took {sent / MIB:.1f} MiB"


def test_many_fast_uploaders_share_one_bound(start: Start) -> None:
    """20 connections offer 32 MiB each to handlers that do not read."""
    offered = request(read_delay_milliseconds=60_000) + request(payload=bytes(MIB)) * 32
    with siege(start(), 640 * MIB) as server:
        connections = [Connection(server.address) for _ in range(20)]
        for connection in connections:
            connection.open(1, call_headers(http2.CLIENT_STREAM))
            connection.upload(1, offered, stalled_seconds=0.1)
        settled(server)
        for connection in connections:
            connection.socket.close()


@pytest.mark.ours
def test_data_beyond_the_window_ends_stream_or_connection(start: Start) -> None:
    """64 MiB to a handler that does not read, without regard for windows."""
    first = request(read_delay_milliseconds=60_000)
    with siege(start(), 64 * MIB) as server:
        with Connection(server.address) as connection:
            connection.open(1, call_headers(http2.CLIENT_STREAM))
            connection.send(frame(http2.DATA, 0, 1, first + message(b"", length=60 * MIB)))
            for _ in range(4096):
                if not connection.send(frame(http2.DATA, 0, 1, bytes(16384)), 2):
                    break
            outcome = connection.outcome(1, 5)
            assert outcome.is_connection_over or outcome.reset_code == http2.FLOW_CONTROL_ERROR


@pytest.mark.ours
def test_a_stream_window_beyond_the_largest_ends_the_stream(plain_server: Server) -> None:
    with Connection(plain_server.address) as connection:
        connection.open(1, call_headers(http2.CLIENT_STREAM))
        connection.send(http2.window_update(1, WINDOW_MAX) * 2)
        outcome = connection.outcome(1)
        assert outcome.reset_code == http2.FLOW_CONTROL_ERROR or outcome.is_connection_over


@pytest.mark.ours
def test_a_window_update_by_zero_ends_the_stream(plain_server: Server) -> None:
    with Connection(plain_server.address) as connection:
        connection.open(1, call_headers(http2.CLIENT_STREAM))
        connection.send(http2.window_update(1, 0))
        outcome = connection.outcome(1)
        assert outcome.reset_code == http2.PROTOCOL_ERROR or outcome.is_connection_over


@pytest.mark.ours
def test_a_new_initial_window_that_overflows_ends_the_stream(plain_server: Server) -> None:
    with Connection(plain_server.address) as connection:
        connection.open(1, call_headers(http2.CLIENT_STREAM))
        connection.send(http2.window_update(1, WINDOW_MAX - 65535))
        connection.send(http2.settings({http2.INITIAL_WINDOW_SIZE: WINDOW_MAX}))
        outcome = connection.outcome(1)
        assert outcome.reset_code == http2.FLOW_CONTROL_ERROR or outcome.is_connection_over
