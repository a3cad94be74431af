"""Bearer tokens and their roles: see harness/roles.py."""

from collections.abc import Callable, Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from harness import client, roles
from harness.server import Server

ECHO = "/fovea.testing.v1.Echo"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[grpc.Channel]:
    """A channel to a server that asks for tokens."""
    from conftest import launch

    with launch(tmp_path_factory.mktemp("tokens"), "--tokens") as server:
        with client.plain(server.address) as channel:
            yield channel


def outcome(channel: grpc.Channel, method: str, header: str | None) -> grpc.StatusCode:
    """How a call of `method` ends with that `authorization` header."""
    metadata = [] if header is None else [("authorization", header)]
    call = channel.stream_stream(f"{ECHO}/{method}")
    try:
        list(call(iter([b""]), metadata=metadata, timeout=10))
        return grpc.StatusCode.OK
    except grpc.RpcError as error:
        assert client.error_info(error).reason
        secret = (header or "").removeprefix("Bearer").strip()
        assert not secret or secret not in str(error.details())
        return error.code()


@pytest.mark.parametrize("method", roles.NEEDED)
def test_each_method_asks_for_its_role(guarded: grpc.Channel, method: str) -> None:
    for role in roles.ROLES:
        allowed = roles.may(role, method)
        expected = grpc.StatusCode.OK if allowed else grpc.StatusCode.PERMISSION_DENIED
        assert outcome(guarded, method, f"Bearer {roles.token(role)}") == expected, role


@pytest.mark.parametrize("header", [
    None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic reader-token", "reader-token",
    "Bearer reader-token2", "Bearer reader-toke", "Bearer " + "x" * 5000,
], ids=lambda header: str(header)[:20])
@pytest.mark.parametrize("method", ["Unary", "ServerStream"])
def test_missing_and_wrong_tokens_are_unauthenticated(
    guarded: grpc.Channel, method: str, header: str | None
) -> None:
    assert outcome(guarded, method, header) == grpc.StatusCode.UNAUTHENTICATED


def test_health_needs_no_token(guarded: grpc.Channel) -> None:
    answer = health_pb2_grpc.HealthStub(guarded).Check(
        health_pb2.HealthCheckRequest(), timeout=10)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_without_tokens_everybody_may_call(start: Callable[..., Server]) -> None:
    with client.plain(start().address) as channel:
        assert outcome(channel, "RoundTrip", None) == grpc.StatusCode.OK
