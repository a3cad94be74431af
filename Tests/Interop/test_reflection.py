"""Reflection, v1 and v1alpha, as grpcurl and grpcio-reflection use it."""

from collections.abc import Iterator

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from fovea.testing.v1 import echo_pb2
from harness.server import IS_FOREIGN

Request = reflection_pb2.ServerReflectionRequest
Response = reflection_pb2.ServerReflectionResponse
ECHO = "fovea.testing.v1.Echo"
OWN = {ECHO, "grpc.health.v1.Health"}

# v1 and v1alpha are the same on the wire but for the service's name.
VERSIONS = [
    "grpc.reflection.v1alpha.ServerReflection",
    pytest.param("grpc.reflection.v1.ServerReflection", marks=pytest.mark.ours),
]


def ask(channel: grpc.Channel, version: str, *requests: Request) -> list[Response]:
    """The answers to `requests` on one stream."""
    call = channel.stream_stream(
        f"/{version}/ServerReflectionInfo",
        request_serializer=Request.SerializeToString,
        response_deserializer=Response.FromString)
    return list(call(iter(requests), timeout=10))


def files(response: Response) -> Iterator[descriptor_pb2.FileDescriptorProto]:
    """The file descriptors of an answer."""
    for encoded in response.file_descriptor_response.file_descriptor_proto:
        yield descriptor_pb2.FileDescriptorProto.FromString(encoded)


def services(channel: grpc.Channel, version: str) -> set[str]:
    """The names that the server lists."""
    answer = ask(channel, version, Request(list_services=""))[0]
    return {service.name for service in answer.list_services_response.service}


def pool_of(channel: grpc.Channel, version: str, symbol: str) -> descriptor_pool.DescriptorPool:
    """All files that `symbol` needs, fetched one by one as grpcurl does."""
    pool = descriptor_pool.DescriptorPool()
    known: dict[str, descriptor_pb2.FileDescriptorProto] = {}
    wanted = [Request(file_containing_symbol=symbol)]
    while wanted:
        for file in files(ask(channel, version, wanted.pop())[0]):
            known[file.name] = file
            missing = [name for name in file.dependency if name not in known]
            wanted += [Request(file_by_filename=name) for name in missing]
    added: set[str] = set()

    def add(file: descriptor_pb2.FileDescriptorProto) -> None:
        for name in file.dependency:
            if name not in added:
                add(known[name])
        if file.name not in added:
            added.add(file.name)
            pool.Add(file)

    for file in known.values():
        add(file)
    return pool


@pytest.mark.parametrize("version", VERSIONS)
def test_every_service_is_listed(channel: grpc.Channel, version: str) -> None:
    assert services(channel, version) >= OWN | {version}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_listed_service_is_described(tcp_channel: grpc.Channel, version: str) -> None:
    for name in services(tcp_channel, version):
        service = pool_of(tcp_channel, version, name).FindServiceByName(name)
        assert service.methods and all(method.input_type for method in service.methods)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_description_is_the_contract(tcp_channel: grpc.Channel, version: str) -> None:
    service = pool_of(tcp_channel, version, ECHO).FindServiceByName(ECHO)
    contract = echo_pb2.DESCRIPTOR.services_by_name["Echo"]
    described, expected = (descriptor_pb2.ServiceDescriptorProto() for _ in range(2))
    service.CopyToProto(described)
    contract.CopyToProto(expected)
    assert described == expected
    fields = {field.name: field.number for field in service.methods[0].input_type.fields}
    assert fields["failure_after_count"] == 6


@pytest.mark.parametrize("version", VERSIONS)
def test_nested_messages_enums_and_methods_are_symbols(
    tcp_channel: grpc.Channel, version: str
) -> None:
    symbols = [ECHO, "fovea.testing.v1.Everything.Nested", "fovea.testing.v1.Shade"]
    symbols += [] if IS_FOREIGN else [f"{ECHO}.Unary"]  # grpcio does not find methods
    answers = ask(
        tcp_channel, version, *(Request(file_containing_symbol=name) for name in symbols))
    for answer in answers:
        assert "fovea/testing/v1/echo.proto" in [file.name for file in files(answer)]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_unknown_is_not_found_and_the_stream_goes_on(
    tcp_channel: grpc.Channel, version: str
) -> None:
    answers = ask(
        tcp_channel, version, Request(file_containing_symbol="no.such.Thing"),
        Request(file_by_filename="none.proto"), Request(list_services=""))
    not_found = grpc.StatusCode.NOT_FOUND.value[0]
    assert [item.error_response.error_code for item in answers[:2]] == [not_found] * 2
    assert answers[2].list_services_response.service
    assert answers[0].original_request.file_containing_symbol == "no.such.Thing"


def test_the_reflection_client_of_grpcio_finds_every_message(tcp_channel: grpc.Channel) -> None:
    database = ProtoReflectionDescriptorDatabase(tcp_channel)
    assert set(database.get_services()) >= OWN
    pool = descriptor_pool.DescriptorPool(database)
    message = pool.FindMessageTypeByName("fovea.testing.v1.Everything")
    assert message.fields_by_name["far"].number == 536870911
