"""The three real services, called by stock clients generated from our proto files."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from harness import client
from harness.paths import PROTO, binary
from harness.server import IS_FOREIGN, Server

pytestmark = pytest.mark.ours

SERVICES = {
    "dataset": "fovea.dataset.v1.Datasets",
    "trainer": "fovea.trainer.v1.Training",
    "inference": "fovea.inference.v1.Inference",
}
# RPCs that do more than say UNIMPLEMENTED; their own tests check them.
IMPLEMENTED: set[str] = {
    f"fovea.dataset.v1.Datasets.{method}"
    for method in (
        "CreateDataset", "GetDataset", "ListDatasets", "UpdateDataset", "DeleteDataset",
        "IngestExamples", "GetExample", "ListExamples", "DeleteExample", "InspectDataset",
        "SetAugmentationPolicy", "PreviewAugmentation", "FreezeVersion",
        "GetVersion", "ListVersions", "DiffVersions", "ExportVersion", "StreamExamples",
        "PutGuidelines", "ListAnnotationTasks", "SubmitAnnotation", "GetAgreement",
        "ListDisagreements", "Adjudicate")
} | {
    f"fovea.inference.v1.Inference.{method}"
    for method in (
        "Generate", "GenerateStream", "ScoreChoices", "GetModelInfo", "LoadAdapter",
        "UnloadAdapter", "ListAdapters", "SetAlias")
} | {
    f"fovea.trainer.v1.Training.{method}"
    for method in (
        "RegisterModel", "GetModel", "ListModels", "EstimateJob", "PreviewExample", "CreateJob",
        "GetJob", "ListJobs", "WatchJob", "CancelJob", "PauseJob", "ResumeJob", "ListCheckpoints",
        "GetEvaluation", "CompareEvaluations", "AdviseTuning", "FetchArtifact")
}


@dataclass(frozen=True)
class Running:
    """A service and a channel to it."""

    name: str
    server: Server
    channel: grpc.Channel


@pytest.fixture(scope="module", params=SERVICES)
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """Each service in turn, on TCP and a Unix socket."""
    if IS_FOREIGN:
        pytest.skip("the services are ours")
    path = binary(f"fovea-{request.param}")
    assert path is not None, f"fovea-{request.param} is not built"
    folder = tmp_path_factory.mktemp(request.param)
    command = [
        str(path), "serve", "--listen", "tcp:127.0.0.1:0", "--listen", f"unix:{folder}/s.sock",
        "--data", str(folder / "data"), "--metrics", "127.0.0.1:0"]
    with Server(command, folder / "server.log").wait_until_listening(2) as server:
        with client.plain(server.address) as channel:
            yield Running(request.param, server, channel)


def contract(full_name: str) -> ServiceDescriptor:
    """The service as our proto files declare it."""
    package, _, short = full_name.rpartition(".")
    for path in sorted(PROTO.glob(f"{package.replace('.', '/')}/*.proto")):
        module: ModuleType = importlib.import_module(f"{package}.{path.stem}_pb2")
        if short in module.DESCRIPTOR.services_by_name:
            return module.DESCRIPTOR.services_by_name[short]
    raise AssertionError(f"no proto file declares {full_name}")


def failure(channel: grpc.Channel, method: MethodDescriptor) -> grpc.RpcError:
    """The error of a call with an empty request."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    request = GetMessageClass(method.input_type)()
    call = channel.stream_stream(
        path, request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=GetMessageClass(method.output_type).FromString)
    with pytest.raises(grpc.RpcError) as caught:
        list(call(iter([request]), timeout=10))
    return caught.value


def test_every_rpc_of_the_contract_is_known(service: Running) -> None:
    methods = contract(SERVICES[service.name]).methods
    assert methods
    for method in methods:
        if method.full_name in IMPLEMENTED:
            continue
        error = failure(service.channel, method)
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED, method.full_name
        assert method.name in error.details()
        assert client.error_info(error).domain == "fovea"


def test_a_generated_stub_finds_its_service(service: Running) -> None:
    full_name = SERVICES[service.name]
    package, _, short = full_name.rpartition(".")
    stem = contract(full_name).file.name.rpartition("/")[2].removesuffix(".proto")
    stubs = importlib.import_module(f"{package}.{stem}_pb2_grpc")
    stub = getattr(stubs, f"{short}Stub")(service.channel)
    assert {method.name for method in contract(full_name).methods} <= set(vars(stub))


@pytest.mark.parametrize("listener", [0, 1], ids=["tcp", "unix"])
def test_each_listener_is_healthy(service: Running, listener: int) -> None:
    with client.plain(service.server.addresses[listener]) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for name in ["", SERVICES[service.name]]:
            answer = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_lists_the_service_and_no_test_service(service: Running) -> None:
    names = set(ProtoReflectionDescriptorDatabase(service.channel).get_services())
    assert {
        SERVICES[service.name], "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
    } <= names
    assert not any("testing" in name for name in names)
