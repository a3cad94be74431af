"""The largest message is exact, and the error names both numbers."""

from collections.abc import Callable

import grpc
import pytest

from fovea.testing.v1 import echo_pb2, echo_pb2_grpc
from harness import client
from harness.server import Server

Request = echo_pb2.EchoRequest
MESSAGE_BYTES_MAX = 64 << 20


def request_of(message_bytes: int) -> echo_pb2.EchoRequest:
    """A request whose encoding has exactly that size, and whose response is empty."""
    empty = Request(response_bytes=0, response_count=0)
    request = Request(response_bytes=0, response_count=0)
    request.payload = bytes(message_bytes - empty.ByteSize() - 5)
    request.payload += bytes(message_bytes - request.ByteSize())
    assert request.ByteSize() == message_bytes
    return request


def assert_refused_with_both_numbers(
    call: Callable[[], object], message_bytes: int, limit: int
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert str(message_bytes) in caught.value.details()
    assert str(limit) in caught.value.details()


def test_a_message_of_the_largest_size_passes(echo_everywhere: echo_pb2_grpc.EchoStub) -> None:
    request = request_of(MESSAGE_BYTES_MAX)
    response = echo_everywhere.Unary(request, timeout=30)
    assert response.received_bytes == len(request.payload)


def test_a_message_one_byte_larger_is_refused(echo: echo_pb2_grpc.EchoStub) -> None:
    request = request_of(MESSAGE_BYTES_MAX + 1)
    assert_refused_with_both_numbers(
        lambda: echo.Unary(request, timeout=30), MESSAGE_BYTES_MAX + 1, MESSAGE_BYTES_MAX)
    assert echo.Unary(Request(payload=b"on"), timeout=10).payload == b"on"


@pytest.mark.parametrize("limit", [100, 100_000])
def test_the_limit_is_configurable_and_exact(
    start: Callable[..., Server], limit: int
) -> None:
    with client.plain(start("--message-bytes-max", str(limit)).address) as channel:
        send = channel.unary_unary("/fovea.testing.v1.Echo/RoundTrip")
        assert send(b"", timeout=10) == b""
        assert len(send(_round_trip(limit), timeout=10)) == limit
        assert_refused_with_both_numbers(
            lambda: send(_round_trip(limit + 1), timeout=10), limit + 1, limit)


def _round_trip(message_bytes: int) -> bytes:
    """An `Everything` of exactly that many bytes."""
    message = echo_pb2.Everything()
    while message.ByteSize() != message_bytes:
        message.bytes_value += bytes(max(1, message_bytes - message.ByteSize() - 6))
    return message.SerializeToString()


def test_the_limit_holds_for_every_message_of_a_stream(start: Callable[..., Server]) -> None:
    with client.plain(start("--message-bytes-max", "1000").address) as channel:
        stub = echo_pb2_grpc.EchoStub(channel)
        requests = [request_of(1000), request_of(1000), request_of(1001)]
        assert_refused_with_both_numbers(
            lambda: stub.ClientStream(iter(requests), timeout=10), 1001, 1000)
        small = [request_of(1000)] * 5
        assert stub.ClientStream(iter(small), timeout=10).request_count == 5


@pytest.mark.ours
def test_a_refused_message_is_explained_for_programs(start: Callable[..., Server]) -> None:
    with client.plain(start("--message-bytes-max", "1000").address) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            echo_pb2_grpc.EchoStub(channel).Unary(request_of(1001), timeout=10)
    info = client.error_info(caught.value)
    assert info.domain == "fovea"
    assert {"1000", "1001"} <= set(info.metadata.values())


@pytest.mark.ours
def test_metadata_beyond_the_limit_is_refused_and_the_connection_lives(
    echo: echo_pb2_grpc.EchoStub,
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        echo.Unary(Request(), metadata=[("large", "x" * 1_000_000)], timeout=10)
    refusals = {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL,
                grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN}
    assert caught.value.code() in refusals
    assert echo.Unary(Request(payload=b"on"), timeout=10).payload == b"on"
