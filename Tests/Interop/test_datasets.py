"""The dataset service, called by a stock client: ingest, versions, streams, exports, errors."""

import hashlib
import struct
import uuid
import zlib
from collections.abc import Iterator

import grpc
import pytest
from google.rpc import error_details_pb2

from harness import client, stubs
from harness.paths import binary
from harness.server import IS_FOREIGN, Server

stubs.install()

from fovea.common.v1 import conversation_pb2  # noqa: E402
from fovea.dataset.v1 import (  # noqa: E402
    dataset_pb2, datasets_pb2_grpc, example_pb2, ingest_pb2, stream_pb2, version_pb2)

pytestmark = pytest.mark.ours

PETS = "datasets/pets"
ROWS = 60


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[grpc.Channel]:
    """A channel to a service with data of its own."""
    if IS_FOREIGN:
        pytest.skip("the service is ours")
    path = binary("fovea-dataset")
    assert path is not None, "fovea-dataset is not built"
    folder = tmp_path_factory.mktemp("datasets")
    command = [
        str(path), "serve", "--listen", "tcp:127.0.0.1:0", "--data", str(folder / "data"),
        "--metrics", "off"]
    with Server(command, folder / "server.log").wait_until_listening(1) as server:
        with client.plain(server.address) as opened:
            yield opened


@pytest.fixture(scope="module")
def datasets(channel: grpc.Channel) -> datasets_pb2_grpc.DatasetsStub:
    """A stub of a service that has a dataset of 60 rows."""
    stub = datasets_pb2_grpc.DatasetsStub(channel)
    schema = dataset_pb2.AnswerSchema(
        classes=[dataset_pb2.AnswerClass(name=name) for name in ("cat", "dog")])
    stub.CreateDataset(dataset_pb2.CreateDatasetRequest(
        dataset_id="pets", request_id=str(uuid.uuid4()),
        dataset=dataset_pb2.Dataset(
            task=dataset_pb2.ANSWER_TASK_CLASSIFICATION, answer_schema=schema,
            group_keys=["litter"])), timeout=10)
    answer = stub.IngestExamples(upload([row(number) for number in range(ROWS)]), timeout=20)
    assert answer.accepted_count == ROWS
    return stub


def picture(seed: int, side: int = 16) -> bytes:
    """A PNG of noise, made here and not by our own encoder."""
    noise = b"".join(
        hashlib.sha256(f"{seed} {line} {part}".encode()).digest()
        for line in range(side) for part in range(2))
    lines = b"".join(
        b"\0" + noise[line * 64:line * 64 + side * 3] for line in range(side))

    def chunk(name: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + body))
        return struct.pack(">I", len(body)) + name + body + check

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join([
        chunk(b"IHDR", header), chunk(b"tEXt", b"Comment\0made by hand"),
        chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b"")])


def row(number: int, answer: str | None = None) -> ingest_pb2.IngestRow:
    """A row with an image, a question and an answer."""
    parts = [
        conversation_pb2.ContentPart(image_index=0),
        conversation_pb2.ContentPart(text="Which animal?")]
    reply = answer or ("cat", "dog")[number % 2]
    return ingest_pb2.IngestRow(
        row_id=f"r{number}", images=[ingest_pb2.RowImage(content=picture(number))],
        turns=[
            conversation_pb2.Turn(role=conversation_pb2.TURN_ROLE_USER, parts=parts),
            conversation_pb2.Turn(
                role=conversation_pb2.TURN_ROLE_ASSISTANT,
                parts=[conversation_pb2.ContentPart(text=reply)])],
        group_values={"litter": str(number // 2)})


def upload(
    rows: list[ingest_pb2.IngestRow], **header: object
) -> Iterator[ingest_pb2.IngestExamplesRequest]:
    """The messages of an upload."""
    yield ingest_pb2.IngestExamplesRequest(
        header=ingest_pb2.IngestHeader(parent=PETS, **header))
    for each in rows:
        yield ingest_pb2.IngestExamplesRequest(row=each)


def freeze(stub: datasets_pb2_grpc.DatasetsStub, **fields: object) -> object:
    """A frozen version."""
    request = version_pb2.FreezeVersionRequest(parent=PETS, **fields)
    return stub.FreezeVersion(request, timeout=20)


def failure(call: object, request: object) -> grpc.RpcError:
    """The error of a call that fails."""
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=10)
    return caught.value


def test_a_repeated_upload_changes_nothing(datasets: datasets_pb2_grpc.DatasetsStub) -> None:
    answer = datasets.IngestExamples(upload([row(number) for number in range(ROWS)]), timeout=20)
    assert (answer.accepted_count, answer.duplicate_count) == (0, ROWS)
    assert datasets.GetDataset(
        dataset_pb2.GetDatasetRequest(name=PETS), timeout=10).example_count == ROWS


def test_each_bad_row_is_refused_with_its_reason(
    datasets: datasets_pb2_grpc.DatasetsStub
) -> None:
    unknown = row(900, answer="cow")
    broken = row(901)
    broken.images[0].content = picture(901)[:60]
    twice = row(902)
    twice.images.add(content=picture(903))
    answer = datasets.IngestExamples(upload([unknown, broken, twice]), timeout=10)
    assert answer.rejected_count == answer.row_count == 3
    reports = [(report.row_id, report.problems[0]) for report in answer.rows]
    assert [name for name, _ in reports] == ["r900", "r901", "r902"]
    (_, wrong), (_, cut), (_, places) = reports
    assert (wrong.field, wrong.seen, wrong.allowed) == ("turns[1]", "cow", "cat, dog")
    assert cut.field == "images[0]" and "PNG" in cut.message
    assert places.field == "turns" and "2 images" in places.seen


def test_rows_are_listed_and_come_back_whole(datasets: datasets_pb2_grpc.DatasetsStub) -> None:
    request = example_pb2.ListExamplesRequest(parent=PETS, page_size=25, filter="answer = dog")
    found: list[str] = []
    while True:
        page = datasets.ListExamples(request, timeout=10)
        assert page.total_count == ROWS / 2
        found += [each.row_id for each in page.examples]
        request.page_token = page.next_page_token
        if not request.page_token:
            break
    assert found == sorted(f"r{number}" for number in range(1, ROWS, 2))
    one = datasets.GetExample(example_pb2.GetExampleRequest(
        name=f"{PETS}/examples/r7", include_content=True), timeout=10)
    assert one.group_values == {"litter": "3"}
    image = one.images[0]
    assert hashlib.sha256(image.content).hexdigest() == image.image_sha256
    # The comment is gone, the picture is not.
    assert b"tEXt" not in image.content and b"IDAT" in image.content


def test_a_version_is_frozen_once_and_streams_every_row(
    datasets: datasets_pb2_grpc.DatasetsStub
) -> None:
    request_id = str(uuid.uuid4())
    first = freeze(datasets, request_id=request_id)
    assert freeze(datasets, request_id=request_id) == first
    assert not first.already_existed and freeze(datasets).already_existed
    version = first.version
    assert sum(split.example_count for split in version.splits) == ROWS
    certificate = version.certificate
    assert certificate.shared_image_count == certificate.shared_group_count == 0
    assert any("200" in warning.allowed for warning in version.warnings)
    streamed: set[str] = set()
    for split in version.splits:
        answers = list(datasets.StreamExamples(stream_pb2.StreamExamplesRequest(
            version=version.name, split=split.split, shuffle=True, seed=5), timeout=20))
        assert answers[0].epoch_start.row_count == split.example_count
        rows = [answer.example for answer in answers[1:]]
        assert len(rows) == split.example_count
        for each in rows:
            image = each.images[0]
            assert hashlib.sha256(image.content).hexdigest() == image.image_sha256
        if len(rows) > 2:
            rest = datasets.StreamExamples(stream_pb2.StreamExamplesRequest(
                version=version.name, split=split.split, shuffle=True, seed=5,
                cursor=answers[2].cursor), timeout=20)
            again = [answer.example for answer in rest if answer.HasField("example")]
            assert again == rows[2:]
        streamed |= {each.example for each in rows}
    assert streamed == {f"{PETS}/examples/r{number}" for number in range(ROWS)}


def test_an_export_is_files_with_their_digests(
    datasets: datasets_pb2_grpc.DatasetsStub
) -> None:
    freeze(datasets)
    files: dict[str, bytes] = {}
    name, summary = "", None
    for answer in datasets.ExportVersion(version_pb2.ExportVersionRequest(
            name=f"{PETS}/versions/latest", format=version_pb2.EXPORT_FORMAT_LLAVA), timeout=20):
        match answer.WhichOneof("part"):
            case "header":
                name = answer.header.path
                files[name] = b""
            case "chunk":
                files[name] += answer.chunk.content
            case "trailer":
                assert hashlib.sha256(files[name]).hexdigest() == answer.trailer.content_sha256
            case "summary":
                summary = answer.summary
    assert summary is not None and summary.example_count == ROWS
    assert len(files) == summary.file_count > ROWS


def test_errors_name_the_resource_and_the_field(
    datasets: datasets_pb2_grpc.DatasetsStub
) -> None:
    missing = failure(datasets.GetDataset, dataset_pb2.GetDatasetRequest(name="datasets/none"))
    assert missing.code() == grpc.StatusCode.NOT_FOUND
    assert client.error_info(missing).reason == "RESOURCE_NOT_FOUND"
    kinds = {type(detail) for detail in client.details(missing)}
    assert error_details_pb2.ResourceInfo in kinds
    bad = failure(datasets.FreezeVersion, version_pb2.FreezeVersionRequest(
        parent=PETS, split_spec=version_pb2.SplitSpec(test_basis_points=9_000)))
    assert bad.code() == grpc.StatusCode.INVALID_ARGUMENT
    fields = [
        violation.field for detail in client.details(bad)
        if isinstance(detail, error_details_pb2.BadRequest)
        for violation in detail.field_violations]
    assert fields == ["split_spec.test_basis_points"]
    early = failure(
        datasets.IngestExamples, iter([ingest_pb2.IngestExamplesRequest(row=row(1))]))
    assert client.error_info(early).reason == "STREAM_OUT_OF_ORDER"


def test_an_erased_row_is_gone_and_old_versions_say_so(
    datasets: datasets_pb2_grpc.DatasetsStub
) -> None:
    datasets.IngestExamples(upload([row(800)]), timeout=10)
    version = freeze(datasets).version
    name = f"{PETS}/examples/r800"
    answer = datasets.DeleteExample(
        example_pb2.DeleteExampleRequest(name=name, reason="asked to"), timeout=10)
    assert list(answer.affected_versions) == [version.name]
    gone = failure(datasets.GetExample, example_pb2.GetExampleRequest(name=name))
    assert client.error_info(gone).reason == "ERASED"
    after = datasets.GetVersion(version_pb2.GetVersionRequest(name=version.name), timeout=10)
    assert (after.erased_count, after.content_sha256) == (1, version.content_sha256)
    again = datasets.IngestExamples(upload([row(800)]), timeout=10)
    assert again.rejected_count == 1
