"""Every call kind over every transport, with small, empty and large messages."""

import asyncio
import time
from collections.abc import Iterator

import grpc
import grpc.aio
import pytest

from fovea.testing.v1 import echo_pb2, echo_pb2_grpc
from harness import client
from harness.server import Server

Request = echo_pb2.EchoRequest
MIB = 1 << 20


def pattern(count: int) -> bytes:
    """What the server answers to `response_bytes`."""
    return (bytes(range(251)) * (count // 251 + 1))[:count]


def test_a_unary_call_returns_what_was_sent(echo_everywhere: echo_pb2_grpc.EchoStub) -> None:
    response = echo_everywhere.Unary(Request(payload=b"one", sequence_number=7), timeout=10)
    assert (response.payload, response.sequence_number) == (b"one", 7)
    assert (response.request_count, response.received_bytes) == (1, 3)


def test_a_client_stream_is_counted(echo_everywhere: echo_pb2_grpc.EchoStub) -> None:
    requests = (Request(payload=b"x" * n, sequence_number=n) for n in range(100))
    response = echo_everywhere.ClientStream(requests, timeout=10)
    assert (response.request_count, response.received_bytes) == (100, sum(range(100)))
    assert response.sequence_number == 99


def test_a_client_stream_may_be_empty(echo: echo_pb2_grpc.EchoStub) -> None:
    response = echo.ClientStream(iter(()), timeout=10)
    assert (response.request_count, response.payload) == (0, b"")


def test_a_server_stream_keeps_its_order(echo_everywhere: echo_pb2_grpc.EchoStub) -> None:
    responses = echo_everywhere.ServerStream(
        Request(payload=b"again", response_count=100), timeout=10)
    assert [(item.response_index, item.payload) for item in responses] == [
        (index, b"again") for index in range(100)]


def test_a_server_stream_may_be_empty(echo: echo_pb2_grpc.EchoStub) -> None:
    assert list(echo.ServerStream(Request(response_count=0), timeout=10)) == []


def test_a_bidirectional_stream_answers_each_request_as_it_comes(
    echo_everywhere: echo_pb2_grpc.EchoStub,
) -> None:
    """The second request is sent only after the first one's answers: nothing may wait."""
    seen: list[int] = []
    end = time.monotonic() + 10

    def requests() -> Iterator[Request]:
        # Runs on a thread of grpcio's, perhaps before the call below has a name.
        for number in range(20):
            yield Request(sequence_number=number, response_count=2)
            while len(seen) < 2 * (number + 1) and time.monotonic() < end:
                time.sleep(0.001)

    call = echo_everywhere.Bidirectional(requests(), timeout=10)
    for response in call:
        seen.append(response.sequence_number)
    assert seen == [number for number in range(20) for _ in range(2)]


@pytest.mark.parametrize("size", [0, 1, 4 * MIB, 64 * MIB - 64], ids=["0", "1", "4M", "64M"])
def test_a_payload_survives_both_ways(
    echo_everywhere: echo_pb2_grpc.EchoStub, size: int
) -> None:
    payload = pattern(size)
    response = echo_everywhere.Unary(Request(payload=payload), timeout=30)
    assert response.payload == payload


def test_an_empty_message_is_a_message(echo: echo_pb2_grpc.EchoStub) -> None:
    assert echo.Unary(Request(), timeout=10).request_count == 1


def test_every_field_kind_survives(echo: echo_pb2_grpc.EchoStub) -> None:
    message = echo_pb2.Everything(
        double_value=2.5, float_value=1.5, int32_value=-(2**31), uint64_value=2**64 - 1,
        sint64_value=-(2**63), bool_value=True, string_value="höhe π", bytes_value=b"\0\xff",
        shade=echo_pb2.SHADE_NEGATIVE, optional_int32=0, optional_string="",
        repeated_double=[0.0, 1e308], repeated_string=["", "a"], unpacked_int32=[1, -1],
        choice_bool=False, labels={"k": "v", "": ""}, far="far")
    message.recursive.recursive.nested.number = 5
    message.repeated_nested.add()
    message.nested_by_number[-1].text = "below"
    answer = echo.RoundTrip(message, timeout=10)
    assert answer == message
    assert answer.HasField("optional_string") and answer.WhichOneof("choice") == "choice_bool"


def test_unknown_enum_values_survive(echo: echo_pb2_grpc.EchoStub) -> None:
    message = echo_pb2.Everything()
    message.MergeFromString(b"\x80\x01\x2a")  # shade = 42
    assert echo.RoundTrip(message, timeout=10).shade == 42


def test_a_large_stream_flows_in_both_directions(
    echo_everywhere: echo_pb2_grpc.EchoStub,
) -> None:
    """32 MiB each way: far beyond every window."""
    requests = (Request(payload=pattern(MIB), sequence_number=n) for n in range(32))
    responses = echo_everywhere.Bidirectional(requests, timeout=30)
    assert [(len(item.payload), item.sequence_number) for item in responses] == [
        (MIB, number) for number in range(32)]


def test_a_thousand_streams_are_open_at_once(plain_server: Server) -> None:
    """Each stream says something, then waits until all the others have."""

    async def one(stub: echo_pb2_grpc.EchoStub, ready: asyncio.Barrier, number: int) -> int:
        call = stub.Bidirectional(timeout=60)
        for step in (number, number + 10_000):
            await call.write(Request(sequence_number=step))
            response = await call.read()
            assert response.sequence_number == step
            await ready.wait()
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        return (await call.code()).value[0]

    async def all_of_them() -> list[int]:
        ready = asyncio.Barrier(1000)
        address = client.target(plain_server.address)
        async with grpc.aio.insecure_channel(address, client.options()) as channel:
            stub = echo_pb2_grpc.EchoStub(channel)
            return await asyncio.gather(*(one(stub, ready, number) for number in range(1000)))

    assert asyncio.run(all_of_them()) == [0] * 1000


def test_a_thousand_unary_calls_in_flight_get_their_own_answers(
    echo: echo_pb2_grpc.EchoStub,
) -> None:
    futures = [
        echo.Unary.future(Request(sequence_number=n, delay_milliseconds=50), timeout=60)
        for n in range(1000)]
    assert [future.result().sequence_number for future in futures] == list(range(1000))
