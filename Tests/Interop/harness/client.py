"""Opening channels to a server under test."""

from collections.abc import Sequence
from pathlib import Path

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from .certificates import Identity

UNLIMITED = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]
Option = tuple[str, int | str]

DETAILS = {
    f"type.googleapis.com/{kind.DESCRIPTOR.full_name}": kind
    for kind in (
        error_details_pb2.ErrorInfo, error_details_pb2.BadRequest,
        error_details_pb2.RetryInfo, error_details_pb2.QuotaFailure,
        error_details_pb2.ResourceInfo, error_details_pb2.PreconditionFailure)
}


def target(address: str) -> str:
    """The address as grpcio writes it."""
    return address.removeprefix("tcp:")


def options(extra: Sequence[Option] = ()) -> list[Option]:
    """Options of a channel that shares its connection with no other."""
    return [*UNLIMITED, ("grpc.use_local_subchannel_pool", 1), *extra]


def plain(address: str, *extra: Option) -> grpc.Channel:
    """A channel without TLS and with a connection of its own."""
    return grpc.insecure_channel(target(address), options(extra))


def secure(
    address: str, authority: Path, identity: Identity | None = None, *extra: Option
) -> grpc.Channel:
    """A channel over TLS, with a client certificate if there is an identity."""
    key, chain = identity.pem if identity else (None, None)
    credentials = grpc.ssl_channel_credentials(authority.read_bytes(), key, chain)
    return grpc.secure_channel(target(address), credentials, options(extra))


def rich_status(error: grpc.RpcError) -> status_pb2.Status:
    """The status of `grpc-status-details-bin`; empty where there is none."""
    status = status_pb2.Status()
    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin":
            status.ParseFromString(value)
    return status


def details(error: grpc.RpcError) -> list[Message]:
    """The unpacked google.rpc details of an error."""
    found = []
    for packed in rich_status(error).details:
        message = DETAILS[packed.type_url]()
        packed.Unpack(message)
        found.append(message)
    return found


def error_info(error: grpc.RpcError) -> error_details_pb2.ErrorInfo:
    """The ErrorInfo that every error of ours carries."""
    infos = [item for item in details(error) if isinstance(item, error_details_pb2.ErrorInfo)]
    assert len(infos) == 1, f"{len(infos)} ErrorInfo in {error}"
    return infos[0]
