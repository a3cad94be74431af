"""HTTP/2 by hand: connections that may break every rule."""

import select
import socket
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = range(5)
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(5, 10)
END_STREAM, ACK, END_HEADERS, PADDED = 0x1, 0x1, 0x4, 0x8
HEADER_TABLE_SIZE, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = 1, 3, 4, 5

PROTOCOL_ERROR, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR = 1, 3, 6
CANCEL, ENHANCE_YOUR_CALM = 8, 11

UNARY = "/fovea.testing.v1.Echo/Unary"
SERVER_STREAM = "/fovea.testing.v1.Echo/ServerStream"
CLIENT_STREAM = "/fovea.testing.v1.Echo/ClientStream"
BIDIRECTIONAL = "/fovea.testing.v1.Echo/Bidirectional"

Headers = list[tuple[str, str]]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame: 24 bits of length, type, flags, stream, payload."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(values: dict[int, int]) -> bytes:
    """A SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *pair) for pair in values.items()))


def window_update(stream: int, increment: int) -> bytes:
    """A WINDOW_UPDATE frame."""
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def reset(stream: int, code: int = CANCEL) -> bytes:
    """A RST_STREAM frame."""
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def literal(name: bytes, value: bytes) -> bytes:
    """One header field without indexing or Huffman code: no state on either side."""
    return b"\0" + _prefixed(name) + _prefixed(value)


def _prefixed(text: bytes) -> bytes:
    """HPACK's integer with a prefix of 7 bits, then the text."""
    length = len(text)
    if length < 127:
        return bytes([length]) + text
    encoded, rest = bytearray([127]), length - 127
    while rest >= 128:
        encoded.append(rest & 127 | 128)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded) + text


def block(headers: Iterable[tuple[str, str]]) -> bytes:
    """A header block of literals."""
    return b"".join(literal(name.encode(), value.encode("latin-1")) for name, value in headers)


def call_headers(path: str, extra: Headers = [], without: Iterable[str] = ()) -> Headers:
    """The headers of a gRPC call; `extra` replaces those of the same name."""
    usual = {
        ":method": "POST", ":scheme": "http", ":path": path, ":authority": "localhost",
        "content-type": "application/grpc", "te": "trailers"}
    replaced = {name for name, _ in extra}.union(without)
    pseudo = [pair for pair in extra if pair[0].startswith(":")]
    rest = [pair for pair in extra if not pair[0].startswith(":")]
    kept = [(name, value) for name, value in usual.items() if name not in replaced]
    return pseudo + kept + rest


def message(payload: bytes = b"", flag: int = 0, length: int | None = None) -> bytes:
    """A gRPC message: flag, length, payload."""
    return struct.pack(">BI", flag, len(payload) if length is None else length) + payload


@dataclass
class Frame:
    """A frame as received."""

    kind: int
    flags: int
    stream: int
    payload: bytes


@dataclass
class Outcome:
    """What became of a stream, or of the connection while waiting for it."""

    headers: dict[str, str] = field(default_factory=dict)
    data: bytes = b""
    reset_code: int | None = None
    goaway_code: int | None = None
    is_closed: bool = False
    is_ended: bool = False

    @property
    def http_status(self) -> int | None:
        """`:status`."""
        return int(self.headers[":status"]) if ":status" in self.headers else None

    @property
    def grpc_status(self) -> int | None:
        """`grpc-status`."""
        return int(self.headers["grpc-status"]) if "grpc-status" in self.headers else None

    @property
    def is_refused(self) -> bool:
        """Whether the server answered with anything but a good response."""
        is_bad = self.http_status not in (None, 200) or self.grpc_status not in (None, 0)
        return is_bad or self.is_connection_over or self.reset_code is not None

    @property
    def is_connection_over(self) -> bool:
        """Whether the connection was closed, or is about to be."""
        return self.is_closed or self.goaway_code not in (None, 0)


def connect(address: str, timeout: float = 10) -> socket.socket:
    """A socket to `tcp:HOST:PORT`, `tcp:[HOST]:PORT` or `unix:PATH`."""
    if address.startswith("unix:"):
        plain = socket.socket(socket.AF_UNIX)
        plain.settimeout(timeout)
        plain.connect(address.removeprefix("unix:"))
        return plain
    host, _, port = address.removeprefix("tcp:").rpartition(":")
    opened = socket.create_connection((host.strip("[]"), int(port)), timeout)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


class Connection:
    """A client's end of an HTTP/2 connection. Sends what it is told, and answers only SETTINGS."""

    def __init__(self, address: str, own_settings: dict[int, int] = {}) -> None:
        """Connects and sends the preface and the settings."""
        self.socket = connect(address)
        self.socket.setblocking(False)
        self.is_closed = False
        self.bytes_accepted = 0
        self._received = bytearray()
        self._decoder = hpack.Decoder(max_header_list_size=1 << 20)
        self.goaway_code: int | None = None
        self.outcomes: dict[int, Outcome] = {}
        self.connection_window = 65535
        self.initial_window = 65535
        self.stream_windows: dict[int, int] = {}
        self.send(PREFACE + settings(own_settings))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, octets: bytes, seconds: float = 10) -> bool:
        """Sends all. False if the server closed, or took nothing for that long."""
        rest = memoryview(octets)
        while rest and not self.is_closed:
            _, writable, _ = select.select([], [self.socket], [], seconds)
            if not writable:
                return False
            try:
                count = self.socket.send(rest)
            except BlockingIOError:
                continue
            except OSError:
                self.is_closed = True
                return False
            self.bytes_accepted += count
            rest = rest[count:]
        return not self.is_closed

    def open(self, stream: int, headers: Headers, flags: int = END_HEADERS) -> bool:
        """Sends HEADERS."""
        return self.send(frame(HEADERS, flags, stream, block(headers)))

    def call(self, stream: int, path: str, *messages: bytes, extra: Headers = []) -> bool:
        """Sends a whole call: headers, messages as given, end of stream."""
        data = b"".join(messages)
        opening = frame(HEADERS, END_HEADERS, stream, block(call_headers(path, extra)))
        pieces = [data[start:start + 16384] for start in range(0, len(data), 16384)] or [b""]
        frames = [frame(DATA, 0, stream, piece) for piece in pieces[:-1]]
        return self.send(opening + b"".join(frames) + frame(DATA, END_STREAM, stream, pieces[-1]))

    def outcome(self, stream: int, seconds: float = 10) -> Outcome:
        """Reads until the stream or the connection ends, or the time is over."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            known = self.outcomes.setdefault(stream, Outcome())
            if known.is_ended or self.is_closed:
                break
            self.receive(end - time.monotonic())
        known = self.outcomes.setdefault(stream, Outcome())
        known.is_closed, known.goaway_code = self.is_closed, self.goaway_code
        return known

    def is_over(self, seconds: float = 10) -> bool:
        """Whether the server closes the connection, or says GOAWAY with an error, in time."""
        end = time.monotonic() + seconds
        while not self.is_closed and self.goaway_code in (None, 0):
            if time.monotonic() >= end:
                return False
            self.receive(end - time.monotonic())
        return True

    def receive(self, seconds: float = 10) -> list[Frame]:
        """Waits for bytes and returns the frames they complete."""
        readable, _, _ = select.select([self.socket], [], [], max(0, seconds))
        if not readable:
            return []
        try:
            octets = self.socket.recv(1 << 20)
        except BlockingIOError:
            return []
        except OSError:
            octets = b""
        self.is_closed = self.is_closed or not octets
        self._received += octets
        return self._cut()

    def _cut(self) -> list[Frame]:
        frames = []
        while len(self._received) >= 9:
            length = int.from_bytes(self._received[:3], "big")
            if len(self._received) < 9 + length:
                break
            kind, flags, stream = struct.unpack(">BBI", self._received[3:9])
            frames.append(Frame(kind, flags, stream, bytes(self._received[9:9 + length])))
            del self._received[:9 + length]
            self._note(frames[-1])
        return frames

    def _note(self, received: Frame) -> None:
        outcome = self.outcomes.setdefault(received.stream, Outcome())
        match received.kind:
            case 1:  # HEADERS; our servers fit theirs into one frame
                outcome.headers.update(
                    (str(name), str(value)) for name, value in self._decode(received.payload))
                outcome.is_ended = bool(received.flags & END_STREAM)
            case 0:
                outcome.data += received.payload
                outcome.is_ended = bool(received.flags & END_STREAM)
            case 3:
                outcome.reset_code = int.from_bytes(received.payload, "big")
                outcome.is_ended = True
            case 7:
                self.goaway_code = int.from_bytes(received.payload[4:8], "big")
            case 8 if received.stream == 0:
                self.connection_window += int.from_bytes(received.payload, "big")
            case 8:
                window = self.stream_windows.get(received.stream, 0)
                increment = int.from_bytes(received.payload, "big")
                self.stream_windows[received.stream] = window + increment
            case 4 if not received.flags & ACK:
                self._note_settings(received.payload)
                # Only then do the server's own settings count.
                self.send(frame(SETTINGS, ACK, 0))

    def _note_settings(self, payload: bytes) -> None:
        for start in range(0, len(payload), 6):
            name, value = struct.unpack(">HI", payload[start:start + 6])
            if name == INITIAL_WINDOW_SIZE:
                self.initial_window = value

    def _decode(self, payload: bytes) -> list[tuple[str, str]]:
        return [(str(name), str(value)) for name, value, *_ in self._decoder.decode(payload)]

    def upload(self, stream: int, octets: bytes, stalled_seconds: float) -> int:
        """Sends DATA as fast as the windows allow, until all is sent or no window opens for
        that long. Returns how many bytes the server let us send."""
        sent = 0
        last = time.monotonic()
        while sent < len(octets) and not self.is_closed:
            opened = self.initial_window + self.stream_windows.get(stream, 0) - sent
            room = min(self.connection_window, opened, 16384, len(octets) - sent)
            if room > 0:
                if not self.send(frame(DATA, 0, stream, octets[sent:sent + room]), 5):
                    break
                sent += room
                self.connection_window -= room
                last = time.monotonic()
            elif time.monotonic() - last > stalled_seconds:
                break
            self.receive(0 if room > 0 else 0.05)
        return sent
