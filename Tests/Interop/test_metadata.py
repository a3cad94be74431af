"""Metadata in both directions, and compression."""

import grpc
import pytest

from fovea.testing.v1 import echo_pb2, echo_pb2_grpc
from harness.server import Server

Request = echo_pb2.EchoRequest
Pairs = list[tuple[str, str | bytes]]

PAIRS: Pairs = [
    ("echo-initial-text", "plain ASCII: ~!@#$%^&*()"),
    ("echo-initial-many", "first"),
    ("echo-initial-many", "second"),
    ("echo-initial-empty", ""),
    ("echo-initial-all-bin", bytes(range(256))),
    ("echo-initial-none-bin", b""),
    ("echo-trailing-text", "after the last message"),
    ("echo-trailing-one-bin", b"\0"),
    ("echo-trailing-two-bin", b"\xff\xfe"),
    ("unrelated", "stays"),
]


def beginning(prefix: str, pairs: object) -> Pairs:
    """The pairs whose name begins so, in order."""
    return [tuple(pair) for pair in pairs if pair[0].startswith(prefix)]


@pytest.mark.parametrize("method", ["Unary", "ServerStream", "ClientStream", "Bidirectional"])
def test_metadata_returns_unchanged(
    echo_everywhere: echo_pb2_grpc.EchoStub, method: str
) -> None:
    request = Request(echo_metadata=True)
    match method:
        case "Unary":
            _, call = echo_everywhere.Unary.with_call(request, metadata=PAIRS, timeout=10)
        case "ClientStream":
            _, call = echo_everywhere.ClientStream.with_call(
                iter([request]), metadata=PAIRS, timeout=10)
        case "ServerStream":
            call = echo_everywhere.ServerStream(request, metadata=PAIRS, timeout=10)
            assert len(list(call)) == 1
        case _:
            call = echo_everywhere.Bidirectional(iter([request]), metadata=PAIRS, timeout=10)
            assert len(list(call)) == 1
    assert beginning("echo-", call.initial_metadata()) == beginning("echo-initial-", PAIRS)
    assert beginning("echo-", call.trailing_metadata()) == beginning("echo-trailing-", PAIRS)


def test_trailing_metadata_comes_with_an_error_too(echo: echo_pb2_grpc.EchoStub) -> None:
    request = Request(echo_metadata=True)
    request.failure.code = grpc.StatusCode.ABORTED.value[0]
    with pytest.raises(grpc.RpcError) as caught:
        echo.Unary(request, metadata=PAIRS, timeout=10)
    assert caught.value.code() == grpc.StatusCode.ABORTED
    assert beginning("echo-trailing-", caught.value.trailing_metadata()) == beginning(
        "echo-trailing-", PAIRS)


def test_four_kilobytes_of_metadata_pass(echo: echo_pb2_grpc.EchoStub) -> None:
    pairs = [(f"echo-initial-{index}", "v" * 100) for index in range(32)]
    _, call = echo.Unary.with_call(Request(echo_metadata=True), metadata=pairs, timeout=10)
    assert beginning("echo-", call.initial_metadata()) == pairs


@pytest.mark.parametrize("payload", [b"", b"short", bytes(3 << 20)], ids=["0", "5", "3M"])
def test_gzip_travels_both_ways(
    echo_everywhere: echo_pb2_grpc.EchoStub, payload: bytes
) -> None:
    response = echo_everywhere.Unary(
        Request(payload=payload), compression=grpc.Compression.Gzip,
        metadata=[("echo-compression", "gzip")], timeout=20)
    assert response.payload == payload


def test_gzip_travels_both_ways_in_streams(echo: echo_pb2_grpc.EchoStub) -> None:
    requests = (Request(payload=bytes(n * 1000), sequence_number=n) for n in range(50))
    responses = echo.Bidirectional(
        requests, compression=grpc.Compression.Gzip,
        metadata=[("echo-compression", "gzip")], timeout=20)
    assert [len(item.payload) for item in responses] == [n * 1000 for n in range(50)]


@pytest.mark.ours
def test_an_unknown_compression_is_refused_by_name(
    echo: echo_pb2_grpc.EchoStub, plain_server: Server
) -> None:
    """deflate is known to grpcio; our server offers identity and gzip."""
    with pytest.raises(grpc.RpcError) as caught:
        echo.Unary(
            Request(payload=bytes(10_000)), compression=grpc.Compression.Deflate, timeout=10)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "deflate" in caught.value.details() and "gzip" in caught.value.details()
    assert plain_server.is_running
