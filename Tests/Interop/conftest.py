"""Fixtures: certificates, servers and channels.

FOVEA_BIN names the folder of the built executables. FOVEA_INTEROP_SERVER=grpcio runs the suite
against grpcio's own server: so the tests are proven against the original.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from harness import client, server, stubs
from harness.certificates import Authority, Identity
from harness.server import Server

stubs.install()

from fovea.testing.v1 import echo_pb2_grpc  # noqa: E402

Start = Callable[..., Server]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips what the grpcio server does not promise while it is the one tested."""
    if server.IS_FOREIGN:
        for item in items:
            if item.get_closest_marker("ours"):
                item.add_marker(pytest.mark.skip(reason="only our server promises this"))


@dataclass(frozen=True)
class Credentials:
    """All certificates of a test run."""

    authority: Authority
    stranger: Authority
    server: Identity
    client: Identity


@pytest.fixture(scope="session")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    """A known authority with a server and a client, and an authority nobody knows."""
    folder = tmp_path_factory.mktemp("certificates")
    known, stranger = Authority(folder, "known"), Authority(folder, "stranger")
    return Credentials(known, stranger, known.server("server"), known.client("client"))


@pytest.fixture(scope="session")
def tls_flags(credentials: Credentials) -> list[str]:
    """Flags of a server with TLS."""
    identity = credentials.server
    return ["--tls-certificate", str(identity.certificate), "--tls-key", str(identity.key)]


@pytest.fixture(scope="session")
def mtls_flags(credentials: Credentials, tls_flags: list[str]) -> list[str]:
    """Flags of a server that demands client certificates."""
    return [*tls_flags, "--tls-client-ca", str(credentials.authority.certificate)]


def launch(folder: Path, *flags: str, listen: list[str] | None = None) -> Server:
    """Starts the server under test and waits until it listens."""
    addresses = listen or ["tcp:127.0.0.1:0"]
    command = server.command_under_test("serve")
    for address in addresses:
        command += ["--listen", address]
    return Server([*command, *flags], folder / "server.log").wait_until_listening(len(addresses))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers that end with the test."""
    running: list[Server] = []

    def begin(*flags: str, listen: list[str] | None = None) -> Server:
        running.append(launch(tmp_path, *flags, listen=listen))
        return running[-1]

    yield begin
    for each in running:
        each.stop()


@pytest.fixture(scope="session")
def plain_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on TCP, IPv6 and a Unix socket, shared by tests that leave it as it was."""
    folder = tmp_path_factory.mktemp("plain")
    listen = ["tcp:127.0.0.1:0", "tcp:[::1]:0", f"unix:{folder}/echo.sock"]
    with launch(folder, listen=listen) as running:
        yield running


@pytest.fixture(scope="session")
def tls_server(
    tmp_path_factory: pytest.TempPathFactory, tls_flags: list[str]
) -> Iterator[Server]:
    """A server with TLS."""
    with launch(tmp_path_factory.mktemp("tls"), *tls_flags) as running:
        yield running


@pytest.fixture(scope="session")
def mtls_server(
    tmp_path_factory: pytest.TempPathFactory, mtls_flags: list[str]
) -> Iterator[Server]:
    """A server that demands client certificates."""
    with launch(tmp_path_factory.mktemp("mtls"), *mtls_flags) as running:
        yield running


TRANSPORTS = ["tcp", "ipv6", "unix", "tls", "mtls"]


@pytest.fixture(params=TRANSPORTS)
def channel(request: pytest.FixtureRequest, credentials: Credentials) -> Iterator[grpc.Channel]:
    """A channel over each transport in turn."""
    authority = credentials.authority.certificate
    match request.param:
        case "tls":
            address = request.getfixturevalue("tls_server").address
            opened = client.secure(address, authority)
        case "mtls":
            address = request.getfixturevalue("mtls_server").address
            opened = client.secure(address, authority, credentials.client)
        case name:
            addresses = request.getfixturevalue("plain_server").addresses
            opened = client.plain(addresses[["tcp", "ipv6", "unix"].index(name)])
    with opened:
        yield opened


@pytest.fixture
def echo_everywhere(channel: grpc.Channel) -> echo_pb2_grpc.EchoStub:
    """A stub over each transport in turn."""
    return echo_pb2_grpc.EchoStub(channel)


@pytest.fixture
def tcp_channel(plain_server: Server) -> Iterator[grpc.Channel]:
    """A TCP channel of its own to the shared server."""
    with client.plain(plain_server.address) as opened:
        yield opened


@pytest.fixture
def echo(tcp_channel: grpc.Channel) -> echo_pb2_grpc.EchoStub:
    """A stub over TCP to the shared server."""
    return echo_pb2_grpc.EchoStub(tcp_channel)
