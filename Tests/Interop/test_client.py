"""Our client (`fovea-echo client`) against a grpcio server."""

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Credentials
from harness.paths import binary
from harness.server import IS_FOREIGN, Server, foreign_command
from harness.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.ours

CASES = [
    "unary", "client-stream", "server-stream", "bidirectional", "empty", "big4m", "big64m",
    "deadline", "cancel", "metadata", "gzip", "concurrent", "status-codes", "retry",
]
TRANSPORTS = ["tcp", "unix", "tls", "mtls"]


class Foreign:
    """grpcio servers on every transport, and the flags with which our client reaches each."""

    def __init__(self, folder: Path, credentials: Credentials) -> None:
        server, known = credentials.server, credentials.authority.certificate
        own = ["--tls-certificate", str(server.certificate), "--tls-key", str(server.key)]
        listen = ["--listen", "tcp:127.0.0.1:0"]
        # A little room above 64 MiB, for the fields beside the payload.
        serve = [*foreign_command("serve"), "--message-bytes-max", str(65 << 20), *listen]
        plain = [*serve, "--listen", f"unix:{folder}/echo.sock"]
        log = folder / "server.log"
        self.servers = [Server(plain, log), Server([*serve, *own], log)]
        self.servers.append(Server([*serve, *own, "--tls-client-ca", str(known)], log))
        for server_process, count in zip(self.servers, [2, 1, 1]):
            server_process.wait_until_listening(count)
        trust = ["--tls-ca", str(known)]
        mine = credentials.client
        identity = ["--tls-certificate", str(mine.certificate), "--tls-key", str(mine.key)]
        self.flags = {
            "tcp": ["--server", self.servers[0].addresses[0]],
            "unix": ["--server", self.servers[0].addresses[1]],
            "tls": ["--server", self.servers[1].address, *trust],
            "mtls": ["--server", self.servers[2].address, *trust, *identity],
        }


@pytest.fixture(scope="module")
def foreign(
    tmp_path_factory: pytest.TempPathFactory, credentials: Credentials
) -> Iterator[Foreign]:
    """The servers, for the tests of this file."""
    if IS_FOREIGN:
        pytest.skip("the client is ours")
    running = Foreign(tmp_path_factory.mktemp("foreign"), credentials)
    yield running
    for server in running.servers:
        server.stop()


def run_client(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs our client to its end."""
    path = binary("fovea-echo")
    assert path is not None, "fovea-echo is not built"
    return subprocess.run(
        [str(path), "client", *arguments], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_every_case_succeeds(foreign: Foreign, transport: str) -> None:
    result = run_client(*foreign.flags[transport], *CASES)
    assert result.stdout.splitlines() == [f"ok {case}" for case in CASES], result.stderr
    assert result.returncode == 0


def test_a_failed_case_is_named_and_changes_the_exit_code(foreign: Foreign) -> None:
    """A plain client at a TLS server cannot succeed."""
    result = run_client("--server", foreign.servers[1].address, "unary")
    assert result.stdout.startswith("FAILED unary: ")
    assert result.returncode == 1


def test_a_server_name_that_the_certificate_lacks_is_refused(foreign: Foreign) -> None:
    result = run_client(*foreign.flags["tls"], "--tls-server-name", "example.org", "unary")
    assert (result.stdout.startswith("FAILED unary: "), result.returncode) == (True, 1)
    allowed = run_client(*foreign.flags["tls"], "--tls-server-name", "localhost", "unary")
    assert allowed.stdout == "ok unary\n"


def test_an_unknown_authority_is_refused(foreign: Foreign, credentials: Credentials) -> None:
    stranger = str(credentials.stranger.certificate)
    result = run_client("--server", foreign.servers[1].address, "--tls-ca", stranger, "unary")
    assert (result.stdout.startswith("FAILED unary: "), result.returncode) == (True, 1)


def test_wait_for_ready_waits_for_a_server_that_comes_later(
    foreign: Foreign, tmp_path: Path
) -> None:
    """The server starts once the client runs: its first connections are refused."""
    address = f"unix:{tmp_path}/late.sock"
    results: list[subprocess.CompletedProcess[str]] = []
    client = threading.Thread(
        target=lambda: results.append(run_client("--server", address, "wait-for-ready")))
    client.start()
    with Server([*foreign_command("serve"), "--listen", address], tmp_path / "log") as late:
        late.wait_until_listening(1)
        client.join(PATIENCE_SECONDS)
    assert [result.stdout for result in results] == ["ok wait-for-ready\n"]


def test_without_a_server_a_call_is_unavailable(foreign: Foreign, tmp_path: Path) -> None:
    result = run_client("--server", f"unix:{tmp_path}/none.sock", "unary")
    assert "UNAVAILABLE" in result.stdout and result.returncode == 1
