"""OTLP over gRPC.

On threads rather than on the event loop: gRPC compresses in the call that begins a request, and in grpc.aio that is 18 ms in
which no caller is served, for a request of 1 MiB (docs/decisions/0011-delivery.md).
"""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from ignis_server.telemetry.delivery.answers import MAX_ANSWER_BYTES, accepted
from ignis_server.telemetry.delivery.connection import CurrentConnection
from ignis_server.telemetry.delivery.credentials import Credentials, CredentialsUnusable
from ignis_server.telemetry.delivery.destination import Compression, Route
from ignis_server.telemetry.delivery.tls import TlsUnusable, channel_credentials
from ignis_server.telemetry.delivery.transport import (
    USER_AGENT,
    Reason,
    Refused,
    Retry,
    SendOutcome,
    TooLarge,
    tidied,
)
from ignis_server.telemetry.model import Signal

__all__ = ["GrpcTransport", "outcome_of"]

METHODS: Mapping[Signal, str] = MappingProxyType(
    {
        Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal.METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    }
)

# The codes after which OTLP sends again. RESOURCE_EXHAUSTED is one only with advice on when.
RETRYABLE: Mapping[grpc.StatusCode, Reason] = MappingProxyType(
    {
        grpc.StatusCode.CANCELLED: "unavailable",
        grpc.StatusCode.DEADLINE_EXCEEDED: "timeout",
        grpc.StatusCode.ABORTED: "unavailable",
        grpc.StatusCode.OUT_OF_RANGE: "unavailable",
        grpc.StatusCode.UNAVAILABLE: "unavailable",
        grpc.StatusCode.DATA_LOSS: "unavailable",
        # Not by OTLP's table: that is a matter of our credentials, and no reason to throw data away.
        grpc.StatusCode.UNAUTHENTICATED: "auth",
        grpc.StatusCode.PERMISSION_DENIED: "auth",
    }
)

# A message that is too large is RESOURCE_EXHAUSTED, or OUT_OF_RANGE with tonic; only the text tells it from others.
MAYBE_TOO_LARGE = frozenset(
    {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.OUT_OF_RANGE, grpc.StatusCode.INVALID_ARGUMENT}
)
TOO_LARGE = re.compile(
    r"larger than max|too large|too big|exceeds (the )?(max|limit|configured)|message size|payload size", re.IGNORECASE
)
# Said by our own side of an answer that is larger than we read, which is no fault of the request.
ANSWER_TOO_LARGE = re.compile(r"CLIENT: .*larger than max", re.IGNORECASE)
TLS_FAILED = re.compile(r"handshake|certificate|verification|\bssl\b|\btls\b", re.IGNORECASE)
UNREACHABLE = re.compile(
    r"failed to connect|connection (refused|reset|closed)|socket closed|goaway|broken pipe|resol(ving|ution)|reset by peer",
    re.IGNORECASE,
)
# After these a new channel is tried: this one may pause, or lead nowhere.
OF_CONNECTION = frozenset({"unreachable", "tls", "timeout"})
DETAILS_KEY = "grpc-status-details-bin"


class GrpcTransport:
    """Sends requests over one channel, which is replaced when it cannot connect and when its files change.

    gRPC pauses by itself between attempts to connect, for two minutes in the end; a new channel begins at once, and how often that
    is tried is for the lane to say.
    """

    def __init__(self, route: Route, credentials: Credentials) -> None:
        self._route = route
        self._credentials = credentials
        files = route.tls.paths if route.is_secure else ()
        self._current = CurrentConnection(files, lambda: _Channel(route), _Channel.aclose)

    async def send(self, signal: Signal, request: bytes, headers: Mapping[str, str]) -> SendOutcome:
        """Send a request once."""
        try:
            metadata = tuple({**await self._credentials.headers(), **headers}.items())
            connection = await self._current.get()
        except CredentialsUnusable as error:
            return Retry("auth", str(error))
        except TlsUnusable as error:
            return Retry("tls", str(error))
        async with connection.in_use() as channel:
            outcome = await channel.send(signal, request, metadata, self._route.timeout_seconds)
        if isinstance(outcome, Retry):
            if outcome.reason == "auth":
                self._credentials.doubt()
            elif outcome.reason in OF_CONNECTION:
                await self._current.leave(connection)
        return outcome

    async def aclose(self) -> None:
        """Close the channel."""
        await self._current.aclose()


class _Channel:
    """A channel of gRPC's, and the methods of OTLP."""

    def __init__(self, route: Route) -> None:
        self._channel = _opened(route)
        self._exports: Mapping[Signal, grpc.UnaryUnaryMultiCallable[bytes, bytes]] = {
            signal: self._channel.unary_unary(method) for signal, method in METHODS.items()
        }

    async def send(
        self, signal: Signal, request: bytes, metadata: tuple[tuple[str, str], ...], seconds: float
    ) -> SendOutcome:
        export = self._exports[signal].future
        call = await asyncio.to_thread(export, request, metadata=metadata, timeout=seconds)
        try:
            await _done(call)
        finally:
            call.cancel()
        if call.code() is grpc.StatusCode.OK:
            return accepted(signal, call.result())
        return outcome_of(call.code(), call.details() or "", dict(call.trailing_metadata() or ()).get(DETAILS_KEY))

    async def aclose(self) -> None:
        await asyncio.to_thread(self._channel.close)


def outcome_of(code: grpc.StatusCode, message: str, details: str | bytes | None) -> SendOutcome:
    """Return what a status other than OK means for a request."""
    said = tidied(f"{code.name}: {message}")
    advised = _advised_seconds(details)
    if ANSWER_TOO_LARGE.search(message):
        return Refused(said)
    if code in MAYBE_TOO_LARGE and TOO_LARGE.search(message):
        return TooLarge(said)
    if advised is not None and code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}:
        return Retry("throttled", said, advised)
    reason = RETRYABLE.get(code)
    if reason is None:
        return Refused(said)
    return Retry(_of_connection(message) or reason if code is grpc.StatusCode.UNAVAILABLE else reason, said, advised)


async def _done(call: "grpc.Future[bytes]") -> None:
    """Wait until a call has ended, however it did."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def tell(_: object) -> None:
        # Where the loop is gone, so is whoever waited.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(ended.set)

    call.add_done_callback(tell)
    await ended.wait()


def _opened(route: Route) -> grpc.Channel:
    is_gzip = route.compression is Compression.GZIP
    compression = grpc.Compression.Gzip if is_gzip else grpc.Compression.NoCompression
    options = (
        ("grpc.primary_user_agent", USER_AGENT),
        ("grpc.max_receive_message_length", MAX_ANSWER_BYTES),
        ("grpc.max_send_message_length", -1),
        # The lane sends again, by OTLP's rules.
        ("grpc.enable_retries", 0),
        # Otherwise a new channel inherits the pause of the one before.
        ("grpc.use_local_subchannel_pool", 1),
    )
    if not route.is_secure:
        return grpc.insecure_channel(route.endpoint, options, compression)
    return grpc.secure_channel(route.endpoint, channel_credentials(route.tls), options, compression)


def _advised_seconds(details: str | bytes | None) -> float | None:
    """Return the delay in the RetryInfo among the details of a status; None where there is none."""
    if not isinstance(details, bytes):
        return None
    retry = RetryInfo()
    try:
        for each in Status.FromString(details).details:
            if each.Unpack(retry):
                return max(0.0, retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9)
    except DecodeError:
        pass
    return None


def _of_connection(message: str) -> Reason | None:
    """Return what is wrong with the connection, where that is what gRPC itself says by UNAVAILABLE."""
    if TLS_FAILED.search(message):
        return "tls"
    return "unreachable" if UNREACHABLE.search(message) else None
