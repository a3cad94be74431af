"""TLS, client certificates, and new certificates without a restart."""

import signal
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from cryptography import x509

from conftest import Credentials
from fovea.testing.v1 import echo_pb2, echo_pb2_grpc
from harness import client
from harness.certificates import Authority, Identity
from harness.server import Server
from harness.waiting import eventually

Request = echo_pb2.EchoRequest


def refusal(channel: grpc.Channel) -> grpc.StatusCode:
    """The code with which a call ends that must not succeed."""
    with channel, pytest.raises(grpc.RpcError) as caught:
        echo_pb2_grpc.EchoStub(channel).Unary(Request(), timeout=5)
    return caught.value.code()


def handshake(server: Server, context: ssl.SSLContext) -> ssl.SSLSocket:
    """A raw TLS connection."""
    host, _, port = client.target(server.address).rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    return context.wrap_socket(connection, server_hostname="localhost")


def context_for(authority: Authority) -> ssl.SSLContext:
    """Trusts that authority and offers HTTP/2."""
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.set_alpn_protocols(["h2"])
    return context


def serial(server: Server, authority: Authority) -> int:
    """The serial number of the certificate that the server shows now."""
    with handshake(server, context_for(authority)) as connection:
        encoded = connection.getpeercert(binary_form=True)
    assert encoded is not None
    return x509.load_der_x509_certificate(encoded).serial_number


def test_http2_and_tls_1_3_are_negotiated(
    tls_server: Server, credentials: Credentials
) -> None:
    with handshake(tls_server, context_for(credentials.authority)) as connection:
        assert connection.selected_alpn_protocol() == "h2"
        assert connection.version() == "TLSv1.3"


@pytest.mark.ours
def test_older_tls_is_refused(tls_server: Server, credentials: Credentials) -> None:
    context = context_for(credentials.authority)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(tls_server, context).close()


def test_a_client_that_does_not_speak_http2_is_refused(
    tls_server: Server, credentials: Credentials
) -> None:
    context = ssl.create_default_context(cafile=str(credentials.authority.certificate))
    context.set_alpn_protocols(["http/1.1"])
    with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
        with handshake(tls_server, context) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
            if not connection.recv(1):
                raise EOFError


def test_a_client_does_not_trust_a_foreign_authority(
    tls_server: Server, credentials: Credentials
) -> None:
    stranger = credentials.stranger.certificate
    assert refusal(client.secure(tls_server.address, stranger)) == grpc.StatusCode.UNAVAILABLE


def test_a_plain_client_is_refused_and_others_go_on(
    tls_server: Server, credentials: Credentials
) -> None:
    assert refusal(client.plain(tls_server.address)) == grpc.StatusCode.UNAVAILABLE
    with client.secure(tls_server.address, credentials.authority.certificate) as channel:
        assert echo_pb2_grpc.EchoStub(channel).Unary(Request(payload=b"on")).payload == b"on"


def test_a_known_client_certificate_is_accepted(
    mtls_server: Server, credentials: Credentials
) -> None:
    authority = credentials.authority.certificate
    with client.secure(mtls_server.address, authority, credentials.client) as channel:
        assert echo_pb2_grpc.EchoStub(channel).Unary(Request(payload=b"a")).payload == b"a"


def test_a_missing_expired_or_foreign_client_certificate_is_refused(
    mtls_server: Server, credentials: Credentials
) -> None:
    identities = {
        "missing": None,
        "expired": credentials.authority.client("expired", expired=True),
        "foreign": credentials.stranger.client("foreign"),
        "a server's": credentials.server,
    }
    for name, identity in identities.items():
        channel = client.secure(
            mtls_server.address, credentials.authority.certificate, identity)
        assert refusal(channel) == grpc.StatusCode.UNAVAILABLE, name
    test_a_known_client_certificate_is_accepted(mtls_server, credentials)


def copy(identity: Identity, folder: Path) -> list[str]:
    """Puts an identity where the server reads its own; returns the flags."""
    certificate, key = folder / "current.pem", folder / "current.key"
    certificate.write_bytes(identity.certificate.read_bytes())
    key.write_bytes(identity.key.read_bytes())
    return ["--tls-certificate", str(certificate), "--tls-key", str(key)]


def test_sighup_brings_the_new_certificate_and_keeps_connections(
    start: Callable[..., Server], credentials: Credentials, tmp_path: Path
) -> None:
    authority = credentials.authority
    server = start(*copy(credentials.server, tmp_path))
    assert serial(server, authority) == credentials.server.serial
    with client.secure(server.address, authority.certificate) as channel:
        responses = echo_pb2_grpc.EchoStub(channel).ServerStream(
            Request(response_count=20, delay_milliseconds=20), timeout=20)
        next(responses)
        renewed = authority.server("renewed")
        copy(renewed, tmp_path)
        server.send(signal.SIGHUP)
        eventually(lambda: serial(server, authority) == renewed.serial, "the new certificate")
        assert len(list(responses)) == 19


@pytest.mark.ours
def test_an_unreadable_new_certificate_leaves_the_old_one(
    start: Callable[..., Server], credentials: Credentials, tmp_path: Path
) -> None:
    server = start(*copy(credentials.server, tmp_path))
    (tmp_path / "current.pem").write_text("not a certificate")
    server.send(signal.SIGHUP)
    eventually(lambda: "current.pem" in server.log.read_text(), "a log line that names the file")
    assert serial(server, credentials.authority) == credentials.server.serial
