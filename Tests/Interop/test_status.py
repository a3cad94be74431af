"""Every status code, with its message and its details."""

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as rpc

from fovea.testing.v1 import echo_pb2, echo_pb2_grpc
from harness import client

Request = echo_pb2.EchoRequest
CODES = [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]
MESSAGES = {
    "empty": "",
    "ascii": "seen 70 bytes, allowed are 64",
    "percent": "100% of %41 and %",
    "lines": "first\nsecond\r\n\tthird",
    "utf8": "größer als erlaubt: π ≈ 3,14 🙂",
    "control": "\x01\x7f",
    "long": "much " * 190,
}


def failing(code: grpc.StatusCode, message: str, *details: Message) -> echo_pb2.EchoRequest:
    """A request that fails so."""
    request = Request()
    request.failure.code = code.value[0]
    request.failure.message = message
    for detail in details:
        packed = Any()
        packed.Pack(detail)
        request.failure.details.append(packed)
    return request


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_every_code_arrives(
    echo_everywhere: echo_pb2_grpc.EchoStub, code: grpc.StatusCode
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        echo_everywhere.Unary(failing(code, f"as asked: {code.name}"), timeout=10)
    assert (caught.value.code(), caught.value.details()) == (code, f"as asked: {code.name}")
    assert client.rich_status(caught.value).code == code.value[0]
    info = client.error_info(caught.value)
    assert info.domain == "fovea" and info.reason


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES.keys())
def test_every_message_arrives_unchanged(
    echo_everywhere: echo_pb2_grpc.EchoStub, message: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        echo_everywhere.Unary(failing(grpc.StatusCode.NOT_FOUND, message), timeout=10)
    assert caught.value.details() == message
    assert client.rich_status(caught.value).message == message


def test_all_details_arrive(echo_everywhere: echo_pb2_grpc.EchoStub) -> None:
    sent = [
        rpc.ErrorInfo(reason="QUEUE_FULL", domain="fovea", metadata={"waitingMax": "8"}),
        rpc.BadRequest(field_violations=[
            rpc.BadRequest.FieldViolation(field="name", description="must not be empty")]),
        rpc.QuotaFailure(violations=[
            rpc.QuotaFailure.Violation(subject="tenant:a", description="9 of 8")]),
        rpc.ResourceInfo(resource_type="dataset", resource_name="datasets/a"),
        rpc.RetryInfo(),
    ]
    sent[-1].retry_delay.FromMilliseconds(1500)
    with pytest.raises(grpc.RpcError) as caught:
        echo_everywhere.Unary(
            failing(grpc.StatusCode.RESOURCE_EXHAUSTED, "full", *sent), timeout=10)
    assert client.details(caught.value) == sent


@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_stream_may_fail_after_some_responses(
    echo_everywhere: echo_pb2_grpc.EchoStub, after: int
) -> None:
    request = failing(grpc.StatusCode.DATA_LOSS, "the disk is gone")
    request.response_count, request.failure_after_count = 10, after
    seen = []
    with pytest.raises(grpc.RpcError) as caught:
        for response in echo_everywhere.ServerStream(request, timeout=10):
            seen.append(response.response_index)
    assert seen == list(range(after))
    assert caught.value.code() == grpc.StatusCode.DATA_LOSS
    assert client.error_info(caught.value).domain == "fovea"


def test_a_client_stream_may_fail_early(echo: echo_pb2_grpc.EchoStub) -> None:
    requests = (failing(grpc.StatusCode.INVALID_ARGUMENT, "row 0") for _ in range(1000))
    with pytest.raises(grpc.RpcError) as caught:
        echo.ClientStream(requests, timeout=10)
    assert caught.value.details() == "row 0"


@pytest.mark.parametrize(
    "path", ["/fovea.testing.v1.Echo/Missing", "/no.such.Service/Method", "/x", "/" + "y" * 2000])
@pytest.mark.ours
def test_an_unknown_method_is_unimplemented(tcp_channel: grpc.Channel, path: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        tcp_channel.unary_unary(path)(b"", timeout=10)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert client.error_info(caught.value).domain == "fovea"


@pytest.mark.ours
def test_a_malformed_message_is_an_invalid_argument(tcp_channel: grpc.Channel) -> None:
    garbage = [b"\xff", b"\x0a\x05ab", b"\x0b", b"\x00\x00", b"\x0a\xff\xff\xff\xff\x0f"]
    for body in garbage:
        with pytest.raises(grpc.RpcError) as caught:
            tcp_channel.unary_unary("/fovea.testing.v1.Echo/Unary")(body, timeout=10)
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert client.error_info(caught.value).reason == "MALFORMED_MESSAGE"


@pytest.mark.ours
def test_a_text_that_is_not_utf8_is_an_invalid_argument(tcp_channel: grpc.Channel) -> None:
    body = b"\x72\x02\xc3\x28"  # string_value
    with pytest.raises(grpc.RpcError) as caught:
        tcp_channel.unary_unary("/fovea.testing.v1.Echo/RoundTrip")(body, timeout=10)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.ours
def test_messages_nested_without_end_are_refused(tcp_channel: grpc.Channel) -> None:
    """10,000 levels: a parser that recurses without limit would overflow its stack."""
    body = b""
    for _ in range(10_000):
        length = len(body)
        varint = bytearray()
        while length > 127:
            varint.append(length & 127 | 128)
            length >>= 7
        varint.append(length)
        body = b"\x9a\x01" + bytes(varint) + body  # recursive
    with pytest.raises(grpc.RpcError) as caught:
        tcp_channel.unary_unary("/fovea.testing.v1.Echo/RoundTrip")(body, timeout=10)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert client.error_info(caught.value).reason == "MESSAGE_TOO_DEEP"
