"""The echo service on grpcio: proves the tests, and is the foreign server for our client.

Takes the arguments of `fovea-echo serve` and prints the same lines: `listening ADDRESS` when
ready, and `cancelled METHOD` when a handler sees that its call was cancelled.
"""

import argparse
import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NoReturn

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from fovea.testing.v1 import echo_pb2, echo_pb2_grpc
from harness import roles

MESSAGE_BYTES_MAX = 64 << 20
SERVICE = "fovea.testing.v1.Echo"


def error_info(reason: str) -> Any:
    """The detail that every error carries."""
    packed = Any()
    packed.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="fovea"))
    return packed


class Call:
    """The state of one call: what it read and sent so far."""

    def __init__(self, context: grpc.aio.ServicerContext, method: str) -> None:
        self.context = context
        self.method = method
        remaining = context.time_remaining()
        self.milliseconds = None if remaining is None else int(remaining * 1000)
        self.requests = 0
        self.received_bytes = 0
        self.responses = 0
        metadata = dict(context.invocation_metadata() or ())
        if metadata.get("echo-compression") == "gzip":
            context.set_compression(grpc.Compression.Gzip)

    async def accept(self, request: echo_pb2.EchoRequest) -> None:
        """Counts a request and takes its wishes about metadata."""
        self.requests += 1
        self.received_bytes += len(request.payload)
        if request.echo_metadata and self.requests == 1:
            received = list(self.context.invocation_metadata() or ())
            trailing = [pair for pair in received if pair[0].startswith("echo-trailing-")]
            self.context.set_trailing_metadata(trailing)
            await self.context.send_initial_metadata(
                [pair for pair in received if pair[0].startswith("echo-initial-")])

    async def pause(self, request: echo_pb2.EchoRequest) -> None:
        """Waits as asked; a cancelled call is reported, and ends the wait unless told not to."""
        seconds = request.delay_milliseconds / 1000
        if seconds == 0:
            return
        waiting = asyncio.ensure_future(asyncio.sleep(seconds))
        try:
            await asyncio.shield(waiting)
        except asyncio.CancelledError:
            print(f"cancelled {self.method}", flush=True)
            if request.ignore_cancellation:
                await waiting
            raise

    async def fail(self, request: echo_pb2.EchoRequest) -> NoReturn:
        """Ends the call with the failure asked for."""
        failure = status_pb2.Status()
        failure.CopyFrom(request.failure)
        if not failure.details:
            failure.details.append(error_info(grpc_code(failure.code).name))
        self.context.set_trailing_metadata([
            *self.context.trailing_metadata(),
            ("grpc-status-details-bin", failure.SerializeToString())])
        await self.context.abort(grpc_code(failure.code), failure.message)
        raise AssertionError("abort returned")

    def response(self, request: echo_pb2.EchoRequest) -> echo_pb2.EchoResponse:
        """The next response."""
        response = echo_pb2.EchoResponse(
            payload=request.payload, sequence_number=request.sequence_number,
            response_index=self.responses, request_count=self.requests,
            received_bytes=self.received_bytes, deadline_milliseconds=self.milliseconds)
        if request.HasField("response_bytes"):
            pattern = bytes(range(251))
            count = request.response_bytes
            response.payload = (pattern * (count // 251 + 1))[:count]
        self.responses += 1
        return response

    async def stream(
        self, request: echo_pb2.EchoRequest
    ) -> AsyncIterator[echo_pb2.EchoResponse]:
        """The responses to one request of a streaming call."""
        count = request.response_count if request.HasField("response_count") else 1
        for _ in range(count):
            await self.fail_if_due(request)
            await self.pause(request)
            yield self.response(request)
        await self.fail_if_due(request)

    async def fail_if_due(self, request: echo_pb2.EchoRequest) -> None:
        """Fails once enough responses were sent."""
        if request.failure.code != 0 and self.responses >= request.failure_after_count:
            await self.fail(request)


def grpc_code(number: int) -> grpc.StatusCode:
    """The code of that number."""
    return next(code for code in grpc.StatusCode if code.value[0] == number)


class Echo(echo_pb2_grpc.EchoServicer):
    """Answers what it is told to answer."""

    def __init__(self) -> None:
        self._refusals: Counter[str] = Counter()

    async def _refuse_first(self, context: grpc.aio.ServicerContext) -> None:
        """`echo-unavailable-first: KEY:COUNT` refuses the first COUNT calls with that KEY."""
        wish = dict(context.invocation_metadata() or ()).get("echo-unavailable-first")
        if wish is None:
            return
        count = int(str(wish).rpartition(":")[2])
        self._refusals[str(wish)] += 1
        if self._refusals[str(wish)] <= count:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "refused as asked")

    async def Unary(
        self, request: echo_pb2.EchoRequest, context: grpc.aio.ServicerContext
    ) -> echo_pb2.EchoResponse:
        await self._refuse_first(context)
        call = Call(context, f"/{SERVICE}/Unary")
        await call.accept(request)
        await call.pause(request)
        if request.failure.code != 0:
            await call.fail(request)
        return call.response(request)

    async def ClientStream(
        self, requests: AsyncIterator[echo_pb2.EchoRequest], context: grpc.aio.ServicerContext
    ) -> echo_pb2.EchoResponse:
        call = Call(context, f"/{SERVICE}/ClientStream")
        last = echo_pb2.EchoRequest()
        async for last in requests:
            await call.accept(last)
            await asyncio.sleep(last.read_delay_milliseconds / 1000)
            if last.failure.code != 0:
                await call.fail(last)
        await call.pause(last)
        return call.response(last)

    async def ServerStream(
        self, request: echo_pb2.EchoRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[echo_pb2.EchoResponse]:
        call = Call(context, f"/{SERVICE}/ServerStream")
        await call.accept(request)
        async for response in call.stream(request):
            yield response

    async def Bidirectional(
        self, requests: AsyncIterator[echo_pb2.EchoRequest], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[echo_pb2.EchoResponse]:
        call = Call(context, f"/{SERVICE}/Bidirectional")
        async for request in requests:
            await call.accept(request)
            async for response in call.stream(request):
                yield response
            await asyncio.sleep(request.read_delay_milliseconds / 1000)

    async def RoundTrip(
        self, request: echo_pb2.Everything, context: grpc.aio.ServicerContext
    ) -> echo_pb2.Everything:
        return request


class Tokens(grpc.aio.ServerInterceptor):
    """Lets calls of the echo service pass that carry a token with the role they need."""

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        handler = await continuation(details)
        service, _, method = details.method.lstrip("/").partition("/")
        if service != SERVICE:
            return handler
        header = dict(details.invocation_metadata).get("authorization", "")
        known = {f"Bearer {roles.token(role)}": role for role in roles.ROLES}
        if header not in known:
            return refusal(handler, grpc.StatusCode.UNAUTHENTICATED, "no known token")
        if not roles.may(known[header], method):
            return refusal(handler, grpc.StatusCode.PERMISSION_DENIED, "the role is too low")
        return handler


def refusal(
    handler: grpc.RpcMethodHandler, code: grpc.StatusCode, message: str
) -> grpc.RpcMethodHandler:
    """A handler of the same kind that only refuses."""

    async def refuse(_: object, context: grpc.aio.ServicerContext) -> None:
        status = status_pb2.Status(code=code.value[0], message=message)
        status.details.append(error_info(code.name))
        context.set_trailing_metadata(
            [("grpc-status-details-bin", status.SerializeToString())])
        await context.abort(code, message)

    async def refuse_stream(_: object, context: grpc.aio.ServicerContext) -> AsyncIterator[None]:
        await refuse(_, context)
        yield None

    if handler.request_streaming and handler.response_streaming:
        return grpc.stream_stream_rpc_method_handler(refuse_stream)
    if handler.request_streaming:
        return grpc.stream_unary_rpc_method_handler(refuse)
    if handler.response_streaming:
        return grpc.unary_stream_rpc_method_handler(refuse_stream)
    return grpc.unary_unary_rpc_method_handler(refuse)


class Certificates:
    """TLS credentials from files, read again after SIGHUP."""

    def __init__(self, certificate: Path, key: Path, authority: Path | None) -> None:
        self._files = (certificate, key, authority)
        self.are_stale = False

    def credentials(self) -> grpc.ServerCredentials:
        """Credentials that ask for the certificate at each handshake."""
        is_mutual = self._files[2] is not None
        return grpc.dynamic_ssl_server_credentials(self._read(), self._reread, is_mutual)

    def _reread(self) -> grpc.ServerCertificateConfiguration | None:
        if not self.are_stale:
            return None
        self.are_stale = False
        return self._read()

    def _read(self) -> grpc.ServerCertificateConfiguration:
        certificate, key, authority = self._files
        roots = authority.read_bytes() if authority else None
        return grpc.ssl_server_certificate_configuration(
            [(key.read_bytes(), certificate.read_bytes())], roots)


def arguments() -> argparse.Namespace:
    """The arguments of `fovea-echo serve`."""
    parser = argparse.ArgumentParser(prog="grpcio_echo")
    parser.add_argument("verb", choices=["serve"])
    parser.add_argument("--listen", action="append", required=True)
    parser.add_argument("--tls-certificate", type=Path)
    parser.add_argument("--tls-key", type=Path)
    parser.add_argument("--tls-client-ca", type=Path)
    parser.add_argument("--tokens", action="store_true")
    parser.add_argument("--message-bytes-max", type=int, default=MESSAGE_BYTES_MAX)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--drain-seconds", type=float, default=10)
    return parser.parse_args()


def build(options: argparse.Namespace) -> tuple[grpc.aio.Server, health_aio.HealthServicer]:
    """A server with all its services, not listening yet."""
    server = grpc.aio.server(
        interceptors=[Tokens()] if options.tokens else [],
        options=[
            ("grpc.max_receive_message_length", options.message_bytes_max),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", 10),
            ("grpc.http2.max_ping_strikes", 0),
        ])
    echo_pb2_grpc.add_EchoServicer_to_server(Echo(), server)
    health = health_aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    names = [SERVICE, "grpc.health.v1.Health", reflection.SERVICE_NAME]
    reflection.enable_server_reflection(names, server)
    return server, health


async def serve(options: argparse.Namespace) -> None:
    """Serves until SIGTERM, then drains."""
    server, health = build(options)
    serving = health_pb2.HealthCheckResponse.SERVING
    for name in ["", SERVICE]:
        await health.set(name, serving)
    certificates = None
    if options.tls_certificate:
        certificates = Certificates(
            options.tls_certificate, options.tls_key, options.tls_client_ca)
    lines = [listen(server, address, certificates) for address in options.listen]
    await server.start()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    if certificates is not None:
        loop.add_signal_handler(
            signal.SIGHUP, lambda: setattr(certificates, "are_stale", True))
    print("\n".join(lines), flush=True)
    await stopping.wait()
    await health.enter_graceful_shutdown()
    await server.stop(options.drain_seconds)


def listen(
    server: grpc.aio.Server, address: str, certificates: Certificates | None
) -> str:
    """Adds a listener, and returns the line that announces it."""
    host = address.removeprefix("tcp:")
    if certificates is None:
        port = server.add_insecure_port(host)
    else:
        port = server.add_secure_port(host, certificates.credentials())
    if address.startswith("unix:"):
        return f"listening {address}"
    return f"listening tcp:{host.rpartition(':')[0]}:{port}"


if __name__ == "__main__":
    asyncio.run(serve(arguments()))
