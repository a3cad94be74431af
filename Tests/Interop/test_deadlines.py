"""Deadlines and cancellation, from both sides."""

import threading
import time
from collections.abc import Callable, Iterator

import grpc
import pytest

from fovea.testing.v1 import echo_pb2, echo_pb2_grpc
from harness import client
from harness.server import Server
from harness.waiting import eventually

Request = echo_pb2.EchoRequest
ECHO = "/fovea.testing.v1.Echo"
LONG_MILLISECONDS = 60_000


def observed(server: Server, method: str) -> None:
    """Waits until a handler of `method` saw that its call was cancelled."""
    line = f"cancelled {ECHO}/{method}"
    eventually(lambda: line in server.lines, f"the line '{line}'")


@pytest.fixture
def server(start: Callable[..., Server]) -> Server:
    """A server whose lines no other test causes."""
    return start()


@pytest.fixture
def own_echo(server: Server) -> Iterator[echo_pb2_grpc.EchoStub]:
    """A stub for that server."""
    with client.plain(server.address) as channel:
        yield echo_pb2_grpc.EchoStub(channel)


def test_a_deadline_that_is_met_changes_nothing(
    echo_everywhere: echo_pb2_grpc.EchoStub,
) -> None:
    response = echo_everywhere.Unary(Request(delay_milliseconds=20), timeout=30)
    # grpcio rounds the timeout up by less than a hundredth.
    assert 0 < response.deadline_milliseconds <= 30_300


def test_the_handler_knows_how_much_time_is_left(echo: echo_pb2_grpc.EchoStub) -> None:
    for seconds in (5, 500, 50_000, 5_000_000):
        left = echo.Unary(Request(), timeout=seconds).deadline_milliseconds
        assert 0.8 * seconds * 1000 < left <= 1.01 * seconds * 1000


def test_without_a_deadline_there_is_none(echo: echo_pb2_grpc.EchoStub) -> None:
    assert not echo.Unary(Request()).HasField("deadline_milliseconds")


def test_an_exceeded_deadline_ends_the_call_everywhere(
    echo_everywhere: echo_pb2_grpc.EchoStub,
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        echo_everywhere.Unary(Request(delay_milliseconds=LONG_MILLISECONDS), timeout=0.05)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_an_exceeded_deadline_reaches_the_handler(
    server: Server, own_echo: echo_pb2_grpc.EchoStub
) -> None:
    with pytest.raises(grpc.RpcError):
        own_echo.Unary(Request(delay_milliseconds=LONG_MILLISECONDS), timeout=0.05)
    observed(server, "Unary")


def test_a_deadline_covers_the_whole_stream(echo: echo_pb2_grpc.EchoStub) -> None:
    seen = []
    with pytest.raises(grpc.RpcError) as caught:
        for response in echo.ServerStream(
            Request(response_count=1000, delay_milliseconds=20), timeout=0.5
        ):
            seen.append(response.response_index)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert seen == list(range(len(seen))) and 0 < len(seen) < 30


def test_the_deadline_ends_the_call_although_the_handler_ignores_it(
    echo: echo_pb2_grpc.EchoStub,
) -> None:
    request = Request(delay_milliseconds=2000, ignore_cancellation=True)
    began = time.monotonic()
    with pytest.raises(grpc.RpcError) as caught:
        echo.Unary(request, timeout=0.05)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - began < 1.9
    assert echo.Unary(Request(payload=b"on"), timeout=10).payload == b"on"


@pytest.mark.parametrize("method", ["Unary", "ServerStream", "ClientStream", "Bidirectional"])
def test_a_cancelled_call_reaches_its_handler(
    server: Server, own_echo: echo_pb2_grpc.EchoStub, method: str
) -> None:
    request = Request(delay_milliseconds=LONG_MILLISECONDS)
    call = begin(own_echo, method, request)
    eventually(lambda: own_echo.Unary(Request(), timeout=10), "another call is answered")
    call.cancel()
    assert call.code() == grpc.StatusCode.CANCELLED
    observed(server, method)


def begin(stub: echo_pb2_grpc.EchoStub, method: str, request: Request) -> grpc.Call:
    """Starts a call of any kind without waiting for its answer."""
    match method:
        case "Unary":
            return stub.Unary.future(request)
        case "ClientStream":
            return stub.ClientStream.future(iter([request]))
        case "ServerStream":
            return stub.ServerStream(request)
        case _:
            return stub.Bidirectional(iter([request]))


def test_cancelling_in_the_middle_of_a_stream_stops_it(
    server: Server, own_echo: echo_pb2_grpc.EchoStub
) -> None:
    call = own_echo.ServerStream(Request(response_count=1_000_000, delay_milliseconds=50))
    assert next(call).response_index == 0
    call.cancel()
    observed(server, "ServerStream")


def test_cancelling_a_stream_that_waits_for_a_slow_reader_frees_it(
    server: Server, own_echo: echo_pb2_grpc.EchoStub
) -> None:
    """The writer is suspended by flow control when the cancellation comes."""
    call = own_echo.ServerStream(Request(response_bytes=1 << 20, response_count=4000))
    next(call)
    before = server.resident_bytes
    call.cancel()
    assert own_echo.Unary(Request(payload=b"on"), timeout=10).payload == b"on"
    assert server.resident_bytes < before + (64 << 20)


def test_the_server_may_end_a_call_whose_client_still_sends(
    echo_everywhere: echo_pb2_grpc.EchoStub,
) -> None:
    ended = threading.Event()

    def requests() -> Iterator[Request]:
        yield Request(response_count=2)
        refused = Request(response_count=9, failure_after_count=3)
        refused.failure.code = grpc.StatusCode.CANCELLED.value[0]
        refused.failure.message = "enough"
        yield refused
        ended.wait(20)

    call = echo_everywhere.Bidirectional(requests(), timeout=20)
    seen = []
    with pytest.raises(grpc.RpcError) as caught:
        for response in call:
            seen.append(response.response_index)
    ended.set()
    assert seen == [0, 1, 2]
    assert (caught.value.code(), caught.value.details()) == (
        grpc.StatusCode.CANCELLED, "enough")


def test_a_client_that_vanishes_cancels_its_calls(server: Server) -> None:
    channel = client.plain(server.address)
    request = Request(response_count=1000, delay_milliseconds=200)
    call = echo_pb2_grpc.EchoStub(channel).ServerStream(request)
    next(call)
    channel.close()
    observed(server, "ServerStream")
