"""grpc.health.v1 with the stubs of grpcio-health-checking."""

import signal
from collections.abc import Callable

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from harness import client
from harness.server import Server

Check = health_pb2.HealthCheckRequest
Status = health_pb2.HealthCheckResponse
ECHO = "fovea.testing.v1.Echo"


@pytest.mark.parametrize("name", ["", ECHO])
def test_a_serving_service_says_so(channel: grpc.Channel, name: str) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    assert stub.Check(Check(service=name), timeout=10).status == Status.SERVING


def test_an_unknown_service_is_not_found(tcp_channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        health_pb2_grpc.HealthStub(tcp_channel).Check(Check(service="no.such"), timeout=10)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


@pytest.mark.ours
def test_all_services_are_listed(tcp_channel: grpc.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(tcp_channel)
    answer = stub.List(health_pb2.HealthListRequest(), timeout=10)
    statuses = {name: response.status for name, response in answer.statuses.items()}
    assert statuses[""] == statuses[ECHO] == Status.SERVING


def test_a_watcher_of_an_unknown_service_is_told_and_stays(tcp_channel: grpc.Channel) -> None:
    watch = health_pb2_grpc.HealthStub(tcp_channel).Watch(Check(service="no.such"), timeout=20)
    assert next(watch).status == Status.SERVICE_UNKNOWN
    assert watch.is_active()
    watch.cancel()


def test_a_watcher_learns_that_the_server_drains(start: Callable[..., Server]) -> None:
    server = start()
    with client.plain(server.address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(Check(service=ECHO), timeout=20)
        assert next(watch).status == Status.SERVING
        server.send(signal.SIGTERM)
        assert next(watch).status == Status.NOT_SERVING
        watch.cancel()
    assert server.exit_code() == 0
