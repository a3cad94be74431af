"""Header blocks that are too large, too many, without end, or wrong."""

import time
from collections.abc import Callable

import pytest

from harness import http2
from harness.http2 import Connection, Headers, call_headers, frame, literal, message
from harness.server import Server
from harness.siege import MIB, siege

Start = Callable[..., Server]


def is_served(address: str) -> bool:
    """Whether a good call succeeds now."""
    with Connection(address) as connection:
        connection.call(1, http2.UNARY, message())
        return connection.outcome(1).grpc_status == 0


def test_an_hpack_bomb_is_refused(start: Start) -> None:
    """4,000 bytes enter the table once; each further byte on the wire expands to them: 64 MiB
    in a block of 16 KiB. 50 such calls come on one connection."""
    entry = b"\x40" + http2.literal(b"bomb", b"x" * 4000)[1:]
    opening = http2.block(call_headers(http2.UNARY))
    with siege(start(), 64 * MIB) as server:
        with Connection(server.address) as connection:
            for number in range(50):
                stream = 2 * number + 1
                block = opening + (entry if number == 0 else b"") + b"\xbe" * 12_000
                flags = http2.END_HEADERS | http2.END_STREAM
                if not connection.send(frame(http2.HEADERS, flags, stream, block)):
                    break
            assert connection.outcome(1).is_refused


@pytest.mark.parametrize("size", [MIB, 16 * MIB], ids=["1M", "16M"])
@pytest.mark.ours
def test_one_huge_header_is_refused(start: Start, size: int) -> None:
    block = http2.block(call_headers(http2.UNARY)) + literal(b"huge", b"x" * size)
    with siege(start(), 64 * MIB) as server:
        with Connection(server.address) as connection:
            send_block(connection, block)
            assert connection.outcome(1).is_refused
        assert is_served(server.address)


def send_block(connection: Connection, block: bytes) -> None:
    """Sends a header block in as many frames as it takes, as long as the server reads."""
    connection.send(frame(http2.HEADERS, 0, 1, block[:16384]))
    for start in range(16384, len(block), 16384):
        piece = block[start:start + 16384]
        flags = http2.END_HEADERS if start + 16384 >= len(block) else 0
        if not connection.send(frame(http2.CONTINUATION, flags, 1, piece)):
            return


@pytest.mark.ours
def test_a_hundred_thousand_small_headers_are_refused(start: Start) -> None:
    block = http2.block(call_headers(http2.UNARY)) + literal(b"a", b"b") * 100_000
    with siege(start(), 64 * MIB) as server:
        with Connection(server.address) as connection:
            send_block(connection, block)
            assert connection.outcome(1).is_refused


@pytest.mark.parametrize("piece", [b"", b"x", b"x" * 1000], ids=["empty", "1", "1000"])
@pytest.mark.ours
def test_a_continuation_flood_ends_the_connection(start: Start, piece: bytes) -> None:
    """Header blocks that never end, as fast as the server reads them: up to 100,000 frames."""
    flood = frame(http2.CONTINUATION, 0, 1, literal(b"a", piece) if piece else b"") * 100
    with siege(start(), 64 * MIB) as server:
        with Connection(server.address) as connection:
            connection.send(frame(http2.HEADERS, 0, 1, http2.block(call_headers(http2.UNARY))))
            for _ in range(1000):
                if not connection.send(flood):
                    break
            assert connection.is_over()


def test_headers_that_drip_do_not_hold_up_others(start: Start) -> None:
    """50 connections send one byte of a header block at a time and never end it."""
    block = http2.block(call_headers(http2.UNARY))
    with siege(start(), 64 * MIB) as server:
        connections = [Connection(server.address) for _ in range(50)]
        for connection in connections:
            connection.send(frame(http2.HEADERS, 0, 1, b""))
        for index in range(5):
            piece = frame(http2.CONTINUATION, 0, 1, block[index:index + 1])
            for connection in connections:
                connection.send(piece)
        assert is_served(server.address)
        for connection in connections:
            connection.socket.close()


WRONG: dict[str, Headers] = {
    "upper-case name": [("X-Upper", "a")],
    "space in name": [("a b", "c")],
    "line break in value": [("a", "b\r\nc: d")],
    "nul in value": [("a", "b\0c")],
    "unknown pseudo-header": [(":wrong", "a")],
    "response pseudo-header": [(":status", "200")],
    "connection header": [("connection", "close")],
    "transfer encoding": [("transfer-encoding", "chunked")],
    "te without trailers": [("te", "gzip")],
    "empty path": [(":path", "")],
    "empty name": [("", "a")],
}


@pytest.mark.parametrize("extra", WRONG.values(), ids=WRONG.keys())
@pytest.mark.ours
def test_a_malformed_header_is_refused(plain_server: Server, extra: Headers) -> None:
    with Connection(plain_server.address) as connection:
        connection.call(1, http2.UNARY, message(), extra=extra)
        assert connection.outcome(1).is_refused
    assert is_served(plain_server.address)


@pytest.mark.parametrize("missing", [
    ":method", ":path", ":scheme", pytest.param("content-type", marks=pytest.mark.ours)])
def test_a_missing_header_is_refused(plain_server: Server, missing: str) -> None:
    with Connection(plain_server.address) as connection:
        connection.open(1, call_headers(http2.UNARY, without=[missing]))
        connection.send(frame(http2.DATA, http2.END_STREAM, 1, message()))
        assert connection.outcome(1).is_refused
    assert is_served(plain_server.address)


@pytest.mark.ours
def test_a_repeated_or_late_pseudo_header_is_refused(plain_server: Server) -> None:
    usual = call_headers(http2.UNARY)
    for headers in [[usual[0], *usual], [*usual, (":path", "/x")], [("a", "b"), *usual]]:
        with Connection(plain_server.address) as connection:
            connection.open(1, headers)
            connection.send(frame(http2.DATA, http2.END_STREAM, 1, message()))
            assert connection.outcome(1).is_refused


@pytest.mark.parametrize("extra", [
    [("custom-bin", "!!! not base64")],
    [("custom-bin", "AAA")],
    [("grpc-timeout", "soon")],
    [("grpc-timeout", "")],
    [("grpc-timeout", "99999999999999999999H")],
    [("grpc-timeout", "-1S")],
    [("grpc-timeout", "1")],
    [("grpc-encoding", "")],
    [("grpc-accept-encoding", ",,,gzip,,")],
    [("content-type", "application/grpc+proto")],
    [("user-agent", "\x7f\xff")],
], ids=lambda extra: f"{extra[0][0]}:{extra[0][1]}".encode("unicode_escape").decode())
def test_an_odd_header_gets_a_status_or_a_reset(plain_server: Server, extra: Headers) -> None:
    """No answer at all would be wrong; a dead server too."""
    with Connection(plain_server.address) as connection:
        connection.call(1, http2.UNARY, message(), extra=extra)
        outcome = connection.outcome(1)
    assert outcome.is_ended or outcome.is_connection_over
    assert is_served(plain_server.address)


def test_a_deadline_is_enforced_by_the_server_itself(plain_server: Server) -> None:
    """This client never cancels; the answer must come from the server's own timer."""
    delay = b"\x20" + b"\xe0\xd4\x03"  # delay_milliseconds = 60,000
    began = time.monotonic()
    with Connection(plain_server.address) as connection:
        connection.call(1, http2.UNARY, message(delay), extra=[("grpc-timeout", "50m")])
        outcome = connection.outcome(1)
    assert outcome.grpc_status == 4
    assert 0.04 < time.monotonic() - began < 10
