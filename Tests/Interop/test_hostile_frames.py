"""Truncated, oversized, random and forbidden frames."""

import random
import socket
from collections.abc import Callable

import pytest

from harness import http2
from harness.http2 import Connection, call_headers, frame, message
from harness.server import Server
from harness.siege import MIB, siege

Start = Callable[..., Server]
SEED = 20_240_501


def valid_exchange() -> bytes:
    """A whole unary call as bytes, without preface and settings."""
    payload = message(b"\x0a\x04echo")
    opening = frame(
        http2.HEADERS, http2.END_HEADERS, 1, http2.block(call_headers(http2.UNARY)))
    return opening + frame(http2.DATA, http2.END_STREAM, 1, payload)


def test_the_hand_made_call_is_right(plain_server: Server) -> None:
    """Everything below differs from this by one wrong thing."""
    for address in plain_server.addresses:
        with Connection(address) as connection:
            connection.send(valid_exchange())
            outcome = connection.outcome(1)
        assert (outcome.http_status, outcome.grpc_status) == (200, 0)
        assert outcome.data[:1] == b"\0" and b"echo" in outcome.data


def test_a_call_cut_off_anywhere_does_no_harm(start: Start) -> None:
    """The connection ends after each possible number of bytes."""
    exchange = valid_exchange()
    with siege(start(), 32 * MIB) as server:
        for count in range(len(exchange)):
            with Connection(server.address) as connection:
                connection.send(exchange[:count])


def test_half_a_preface_does_no_harm(start: Start) -> None:
    with siege(start(), 32 * MIB) as server:
        for count in range(len(http2.PREFACE)):
            with http2.connect(server.address) as plain:
                plain.sendall(http2.PREFACE[:count])


@pytest.mark.parametrize("opening", [
    b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    bytes(1000),
    b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + bytes(1000),
], ids=["http1", "tls", "zeros", "wrong-preface"])
def test_what_is_not_http2_is_closed(start: Start, opening: bytes) -> None:
    with siege(start(), 32 * MIB) as server:
        with http2.connect(server.address) as plain:
            plain.sendall(opening)
            while octets := receive(plain):
                assert len(octets) < MIB


def receive(plain: socket.socket) -> bytes:
    """The next bytes; none if the server closed or reset the connection."""
    try:
        return plain.recv(65536)
    except ConnectionError:
        return b""


def test_random_bytes_do_no_harm(start: Start) -> None:
    """200 connections of random bytes after the preface; SEED repeats them."""
    generator = random.Random(SEED)
    with siege(start(), 64 * MIB) as server:
        for _ in range(200):
            with Connection(server.address) as connection:
                connection.send(generator.randbytes(generator.randrange(1, 4000)))


def test_random_frames_do_no_harm(start: Start) -> None:
    """200 connections of well-formed frames with random types, flags, streams and payloads."""
    generator = random.Random(SEED)
    with siege(start(), 64 * MIB) as server:
        for _ in range(200):
            with Connection(server.address) as connection:
                connection.send(b"".join(random_frame(generator) for _ in range(30)))


def random_frame(generator: random.Random) -> bytes:
    """A frame of known type, mostly; on a likely stream."""
    kind = generator.choice([*range(10), generator.randrange(256)])
    stream = generator.choice([0, 1, 1, 3, 5, 2, generator.randrange(1 << 31)])
    payload = generator.randbytes(generator.choice([0, 4, 5, 6, 8, generator.randrange(300)]))
    if kind == http2.HEADERS and generator.random() < 0.7:
        path = generator.choice([http2.UNARY, "/x", http2.CLIENT_STREAM])
        payload = http2.block(call_headers(path))
    return frame(kind, generator.randrange(256), stream, payload)


@pytest.mark.ours
def test_mutated_calls_do_no_harm(start: Start) -> None:
    """A valid call in which a few bytes are changed. (grpcio ends at a path that is not UTF-8.)
    """
    generator = random.Random(SEED)
    exchange = valid_exchange()
    with siege(start(), 64 * MIB) as server:
        for _ in range(300):
            octets = bytearray(exchange)
            for _ in range(generator.randrange(1, 6)):
                octets[generator.randrange(len(octets))] = generator.randrange(256)
            with Connection(server.address) as connection:
                connection.send(bytes(octets))


FORBIDDEN = {
    "frame larger than allowed": frame(http2.DATA, 0, 1, bytes(2 * MIB)),
    "length of 16 MiB announced": b"\xff\xff\xff" + bytes([http2.HEADERS, 4, 0, 0, 0, 1]),
    "data on the connection": frame(http2.DATA, 0, 0, b"x"),
    "data on an idle stream": frame(http2.DATA, 0, 99, b"x"),
    "headers on the connection": frame(http2.HEADERS, 4, 0, http2.block(call_headers("/x"))),
    "headers on an even stream": frame(http2.HEADERS, 4, 2, http2.block(call_headers("/x"))),
    "reset of an idle stream": http2.reset(99),
    "reset on the connection": http2.reset(0),
    "reset of the wrong size": frame(http2.RST_STREAM, 0, 1, b"abc"),
    "settings of the wrong size": frame(http2.SETTINGS, 0, 0, b"abcde"),
    "settings on a stream": frame(http2.SETTINGS, 0, 1, b""),
    "settings acknowledged with content": frame(http2.SETTINGS, http2.ACK, 0, bytes(6)),
    "initial window too large": http2.settings({http2.INITIAL_WINDOW_SIZE: 1 << 31}),
    "largest frame too small": http2.settings({http2.MAX_FRAME_SIZE: 1}),
    "ping of the wrong size": frame(http2.PING, 0, 0, b"abc"),
    "ping on a stream": frame(http2.PING, 0, 1, bytes(8)),
    "goaway too short": frame(http2.GOAWAY, 0, 0, b"abc"),
    "push from a client": frame(
        http2.PUSH_PROMISE, 4, 1, bytes([0, 0, 0, 2]) + http2.block(call_headers("/x"))),
    "continuation of nothing": frame(http2.CONTINUATION, 4, 1, b""),
    "window update of the wrong size": frame(http2.WINDOW_UPDATE, 0, 0, b"abc"),
    "window update by zero": http2.window_update(0, 0),
    "window update beyond the largest": http2.window_update(0, 0x7fffffff) * 2,
    "padding longer than the frame": frame(http2.HEADERS, 4 | http2.PADDED, 1, b"\xffabc"),
    "another frame inside a header block": frame(http2.HEADERS, 0, 1, b"") + frame(
        http2.PING, 0, 0, bytes(8)),
    "continuation of another stream": frame(http2.HEADERS, 0, 1, b"") + frame(
        http2.CONTINUATION, 4, 3, b""),
    "header index beyond the table": frame(http2.HEADERS, 4, 1, b"\xff\xff\xff\xff\x0f"),
    "header index zero": frame(http2.HEADERS, 4, 1, b"\x80"),
    "header string longer than the block": frame(http2.HEADERS, 4, 1, b"\0\x7fabc"),
    "bad huffman code": frame(http2.HEADERS, 4, 1, b"\0\x84\xff\xff\xff\xff\x01a"),
    "table size update too large": frame(http2.HEADERS, 4, 1, b"\x3f\xff\xff\xff\x7f"),
}


@pytest.mark.parametrize("octets", FORBIDDEN.values(), ids=FORBIDDEN.keys())
@pytest.mark.ours
def test_a_forbidden_frame_ends_the_connection(plain_server: Server, octets: bytes) -> None:
    with Connection(plain_server.address) as connection:
        connection.send(octets)
        assert connection.is_over()
    with Connection(plain_server.address) as other:
        other.send(valid_exchange())
        assert other.outcome(1).grpc_status == 0


def test_a_ping_is_answered_with_its_content(plain_server: Server) -> None:
    with Connection(plain_server.address) as connection:
        connection.send(frame(http2.PING, 0, 0, b"8 octets"))
        answers: list[http2.Frame] = []
        while not answers:
            received = connection.receive()
            assert received, "no answer"
            answers = [item for item in received if item.kind == http2.PING]
    assert (answers[0].flags, answers[0].payload) == (http2.ACK, b"8 octets")


def test_unknown_frames_and_settings_are_ignored(plain_server: Server) -> None:
    with Connection(plain_server.address, {0xabcd: 1}) as connection:
        connection.send(frame(0xee, 0xff, 0, b"new") + frame(0xef, 0, 77, b"newer"))
        connection.send(valid_exchange())
        assert connection.outcome(1).grpc_status == 0
