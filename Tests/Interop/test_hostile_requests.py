"""Well-formed HTTP/2 that is not a proper gRPC call: each gets the right status."""

import gzip
import struct
import zlib
from collections.abc import Callable

import pytest

from harness import http2
from harness.http2 import Connection, Headers, Outcome, call_headers, frame, message
from harness.server import Server
from harness.siege import MIB, siege

Start = Callable[..., Server]
OK, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL = 0, 3, 8, 12, 13
MESSAGE_BYTES_MAX = 64 * MIB
GZIP: Headers = [("grpc-encoding", "gzip"), ("grpc-accept-encoding", "identity,gzip")]


def ask(
    server: Server, *messages: bytes, path: str = http2.UNARY, extra: Headers = []
) -> Outcome:
    """The outcome of one call on a connection of its own."""
    with Connection(server.address) as connection:
        connection.call(1, path, *messages, extra=extra)
        return connection.outcome(1)


@pytest.mark.parametrize("kind", [
    "text/html", "application/json", "application/grpcx", "application/grpc-web", ""])
@pytest.mark.ours
def test_another_content_type_gets_415(plain_server: Server, kind: str) -> None:
    outcome = ask(plain_server, message(), extra=[("content-type", kind)])
    assert outcome.http_status == 415


@pytest.mark.parametrize("kind", ["application/grpc", "application/grpc+proto"])
def test_the_content_types_of_grpc_pass(plain_server: Server, kind: str) -> None:
    outcome = ask(plain_server, message(), extra=[("content-type", kind)])
    assert (outcome.http_status, outcome.grpc_status) == (200, OK)
    assert outcome.headers["content-type"].startswith("application/grpc")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POSTS", "post"])
@pytest.mark.ours
def test_another_method_gets_405(plain_server: Server, method: str) -> None:
    outcome = ask(plain_server, message(), extra=[(":method", method)])
    assert outcome.http_status == 405


@pytest.mark.ours
def test_unknown_paths_are_unimplemented(plain_server: Server) -> None:
    for path in ["/", "//", "/a", "/a/b/c", http2.UNARY + "/", "/fovea.testing.v1.Echo/unary",
                 http2.UNARY + "?a=b", "/" + "%00" * 100]:
        outcome = ask(plain_server, message(), path=path)
        assert (outcome.http_status, outcome.grpc_status) == (200, UNIMPLEMENTED), path


@pytest.mark.parametrize("flag", [2, 3, 128, 255])
@pytest.mark.ours
def test_an_unknown_message_flag_is_an_error(plain_server: Server, flag: int) -> None:
    assert ask(plain_server, message(b"", flag=flag)).grpc_status == INTERNAL


def test_a_length_beyond_the_limit_is_refused_before_it_comes(plain_server: Server) -> None:
    """Only the prefix is sent: a server that waited for 4 GiB would never answer."""
    with Connection(plain_server.address) as connection:
        connection.open(1, call_headers(http2.UNARY))
        connection.send(frame(http2.DATA, 0, 1, message(b"", length=0xffffffff)))
        outcome = connection.outcome(1)
    assert outcome.grpc_status == RESOURCE_EXHAUSTED
    text = outcome.headers["grpc-message"]
    assert str(0xffffffff) in text and str(MESSAGE_BYTES_MAX) in text


def test_an_announced_message_takes_no_memory_before_it_comes(start: Start) -> None:
    """64 calls announce 64 MiB each and send one byte of it."""
    with siege(start(), 64 * MIB) as server:
        with Connection(server.address) as connection:
            for stream in range(1, 129, 2):
                connection.open(stream, call_headers(http2.CLIENT_STREAM))
                announced = message(b"x", length=MESSAGE_BYTES_MAX)
                connection.send(frame(http2.DATA, 0, stream, announced))
            connection.call(129, http2.UNARY, message())
            assert connection.outcome(129).grpc_status == OK


@pytest.mark.parametrize("payload", [
    b"\0", b"\0\0\0\0", message(b"", length=5) + b"abc",
], ids=["flag", "half-length", "half-message"])
@pytest.mark.ours
def test_a_message_cut_short_is_an_error(plain_server: Server, payload: bytes) -> None:
    assert ask(plain_server, payload).grpc_status in {INTERNAL, INVALID_ARGUMENT, UNIMPLEMENTED}


@pytest.mark.ours
@pytest.mark.parametrize("path, count", [
    (http2.UNARY, 0), (http2.UNARY, 2), (http2.SERVER_STREAM, 0)])
def test_a_unary_request_is_exactly_one_message(
    plain_server: Server, path: str, count: int
) -> None:
    outcome = ask(plain_server, *[message()] * count, path=path)
    assert outcome.grpc_status in {INTERNAL, INVALID_ARGUMENT, UNIMPLEMENTED}


@pytest.mark.ours
def test_a_gzip_message_gets_a_gzip_answer(plain_server: Server) -> None:
    body = gzip.compress(b"\x0a\x80\x80\x01" + b"a" * 16384)
    outcome = ask(plain_server, message(body, flag=1), extra=GZIP)
    assert (outcome.grpc_status, outcome.headers["grpc-encoding"]) == (OK, "gzip")
    flag, length = struct.unpack(">BI", outcome.data[:5])
    assert flag == 1 and length == len(outcome.data) - 5 < 1000
    assert b"a" * 16384 in gzip.decompress(outcome.data[5:])


def test_a_client_that_knows_no_gzip_gets_none(plain_server: Server) -> None:
    body = gzip.compress(b"\x0a\x80\x80\x01" + b"a" * 16384)
    extra = [("grpc-encoding", "gzip"), ("grpc-accept-encoding", "identity")]
    outcome = ask(plain_server, message(body, flag=1), extra=extra)
    assert outcome.grpc_status == OK and outcome.data[0] == 0
    assert b"a" * 16384 in outcome.data


def test_a_compressed_message_without_announcement_is_an_error(plain_server: Server) -> None:
    outcome = ask(plain_server, message(gzip.compress(b""), flag=1))
    assert outcome.grpc_status in {INTERNAL, INVALID_ARGUMENT, UNIMPLEMENTED}


@pytest.mark.parametrize("body", [
    b"not gzip", gzip.compress(bytes(5000))[:-12], zlib.compress(bytes(500)),
    gzip.compress(b"")[:10],
], ids=["text", "cut", "zlib", "header"])
def test_what_is_not_gzip_is_an_error(plain_server: Server, body: bytes) -> None:
    outcome = ask(plain_server, message(body, flag=1), extra=GZIP)
    assert outcome.grpc_status in {INTERNAL, INVALID_ARGUMENT}


def bomb(size: int) -> bytes:
    """Zeros of that size as gzip: a thousandth of it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    chunk = bytes(MIB)
    return b"".join(packer.compress(chunk) for _ in range(size // MIB)) + packer.flush()


@pytest.mark.ours
def test_a_gzip_bomb_is_refused(start: Start) -> None:
    """10 calls at once, each 1 MiB that becomes 1 GiB.

    The bound is the largest message and its growing buffer for two at a time: decompression
    may not run in all calls at once without a common budget.
    """
    body = message(bomb(1024 * MIB), flag=1)
    with siege(start(), 512 * MIB) as server:
        connections = [Connection(server.address) for _ in range(10)]
        for connection in connections:
            connection.open(1, call_headers(http2.UNARY, GZIP))
            connection.upload(1, body, stalled_seconds=2)
            connection.send(frame(http2.DATA, http2.END_STREAM, 1))
        for connection in connections:
            with connection:
                assert connection.outcome(1, 20).grpc_status == RESOURCE_EXHAUSTED


@pytest.mark.ours
def test_a_message_of_many_tiny_parts_is_refused_or_small(start: Start) -> None:
    """4 MiB of empty sub-messages: each takes two bytes on the wire and far more in memory."""
    body = message(b"\xda\x02\x00" * (4 * MIB // 3))  # repeated_recursive
    with siege(start(), 256 * MIB) as server:
        with Connection(server.address) as connection:
            connection.open(1, call_headers("/fovea.testing.v1.Echo/RoundTrip"))
            connection.upload(1, body, stalled_seconds=2)
            connection.send(frame(http2.DATA, http2.END_STREAM, 1))
            assert connection.outcome(1, 20).grpc_status in {OK, RESOURCE_EXHAUSTED}
