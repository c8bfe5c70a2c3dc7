"""An OTLP receiver over gRPC and HTTP/1.1 that does as it is told for each request, and keeps what it got."""

import asyncio
import gzip
import hashlib
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

import grpc
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as logs_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as traces_grpc

from ignis_server.telemetry.model import Signal

__all__ = [
    "Accept",
    "Answer",
    "Arrived",
    "Cut",
    "Got",
    "GrpcAnswer",
    "HttpAnswer",
    "OtlpReceiver",
    "ServerTls",
    "otlp_receiver",
]

PROTOBUF = "application/x-protobuf"
REQUESTS: Mapping[Signal, tuple[Any, Any]] = {
    Signal.TRACES: (traces.ExportTraceServiceRequest, traces.ExportTraceServiceResponse),
    Signal.METRICS: (metrics.ExportMetricsServiceRequest, metrics.ExportMetricsServiceResponse),
    Signal.LOGS: (logs.ExportLogsServiceRequest, logs.ExportLogsServiceResponse),
}
# They have no types.
ADDERS: Mapping[Signal, Callable[[Any, Any], None]] = {
    Signal.TRACES: traces_grpc.add_TraceServiceServicer_to_server,
    Signal.METRICS: metrics_grpc.add_MetricsServiceServicer_to_server,
    Signal.LOGS: logs_grpc.add_LogsServiceServicer_to_server,
}


@dataclass(frozen=True, slots=True)
class Accept:
    """Take a request, after a while, but for some items."""

    rejected: int = 0
    message: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class GrpcAnswer:
    """Answer with a status of gRPC's."""

    code: grpc.StatusCode
    text: str = ""
    retry_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Answer with a status of HTTP's."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Cut:
    """Cut the connection without an answer (HTTP), after the first bytes of one if there are any."""

    first: bytes = b""


Answer: TypeAlias = Accept | GrpcAnswer | HttpAnswer | Cut


@dataclass(frozen=True, slots=True)
class Arrived:
    """How a request came: its headers, its path (HTTP), its size without compression, and when."""

    signal: Signal
    headers: Mapping[str, str]
    path: str
    size_bytes: int
    at: float


@dataclass(frozen=True, slots=True)
class Got:
    """A request that arrived: what it holds, whatever the answer was."""

    arrived: Arrived
    names: tuple[str, ...]
    resource: Mapping[str, object]
    digest: str

    @property
    def signal(self) -> Signal:
        """What its items are."""
        return self.arrived.signal

    @property
    def headers(self) -> Mapping[str, str]:
        """What came along."""
        return self.arrived.headers

    @property
    def sequence(self) -> int:
        """The batch that it belongs to."""
        return int(str(self.resource["ignis.batch.sequence"]))


@dataclass(frozen=True, slots=True)
class ServerTls:
    """The certificate of a receiver, in PEM, and the authority that clients must have theirs from, if any."""

    key: bytes
    chain: bytes
    client_ca: bytes | None = None
    context: ssl.SSLContext | None = None


class OtlpReceiver:
    """Receives on a port for gRPC and one for HTTP; keeps them when it is stopped and started again."""

    def __init__(self, *, tls: ServerTls | None, max_bytes: int, now: Callable[[], float]) -> None:
        self.got: list[Got] = []
        self.script: deque[Answer] = deque()
        self.rule: Callable[[Got], Answer] = lambda _: Accept()
        self.most_under_way = 0
        self.grpc_port = 0
        self.http_port = 0
        self.tls = tls
        # Of HTTP; a test that uses others adds them.
        self.paths = {f"/v1/{signal}": signal for signal in Signal}
        self._max_bytes = max_bytes
        self.now = now
        self._grpc: grpc.aio.Server | None = None
        self._http: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self._changed = asyncio.Condition()
        self._under_way = 0

    @property
    def grpc_url(self) -> str:
        """Where it is for gRPC."""
        return f"{'https' if self.tls else 'http'}://localhost:{self.grpc_port}"

    @property
    def http_url(self) -> str:
        """Where it is for HTTP."""
        return f"{'https' if self.tls else 'http'}://localhost:{self.http_port}"

    @property
    def accepted_names(self) -> list[str]:
        """The names of all items that arrived, in the order in which they did."""
        return [name for got in self.got for name in got.names]

    async def start(self) -> None:
        """Receive."""
        self._grpc = grpc.aio.server(
            options=[("grpc.max_receive_message_length", self._max_bytes), ("grpc.so_reuseport", 0)]
        )
        for signal, add_to in ADDERS.items():
            add_to(_Servicer(self, signal), self._grpc)
        address = f"localhost:{self.grpc_port}"
        if self.tls is None:
            self.grpc_port = self._grpc.add_insecure_port(address)
        else:
            pairs = [(self.tls.key, self.tls.chain)]
            credentials = grpc.ssl_server_credentials(
                pairs, self.tls.client_ca, require_client_auth=self.tls.client_ca is not None
            )
            self.grpc_port = self._grpc.add_secure_port(address, credentials)
        await self._grpc.start()
        context = self.tls.context if self.tls else None
        self._http = await asyncio.start_server(self._serve, "localhost", self.http_port, ssl=context)
        self.http_port = self._http.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Go away, with all connections."""
        if self._grpc is not None:
            await self._grpc.stop(None)
        if self._http is not None:
            self._http.close()
            for writer in self._connections:
                writer.transport.abort()
            await self._http.wait_closed()
        self._grpc = self._http = None

    async def until(self, count: int) -> list[Got]:
        """Wait until so many requests have arrived."""
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: len(self.got) >= count)
        return self.got

    async def take(self, request: Message, arrived: "Arrived") -> Answer:
        """Keep a request, and return how to answer it."""
        got = _got(request, arrived)
        async with self._changed:
            self.got.append(got)
            self._changed.notify_all()
        self._under_way += 1
        self.most_under_way = max(self.most_under_way, self._under_way)
        try:
            answer = self.script.popleft() if self.script else self.rule(got)
            if isinstance(answer, Accept) and answer.seconds:
                await asyncio.sleep(answer.seconds)
            return answer
        finally:
            self._under_way -= 1

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while (head := await _head(reader)) is not None:
                await self._respond(head, await reader.readexactly(int(head.headers["content-length"])), writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._connections.discard(writer)
            writer.transport.abort()

    async def _respond(self, head: "_Head", body: bytes, writer: asyncio.StreamWriter) -> None:
        if head.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        if len(body) > self._max_bytes:
            await _write(writer, HttpAnswer(413))
            return
        signal = self.paths[head.path]
        request = REQUESTS[signal][0].FromString(body)
        arrived = Arrived(signal, head.headers, head.path, len(body), self.now())
        answer = await self.take(request, arrived)
        match answer:
            case Accept(rejected, message):
                found = response(signal, rejected, message).SerializeToString()
                await _write(writer, HttpAnswer(200, {"content-type": PROTOBUF}, found))
            case HttpAnswer():
                await _write(writer, answer)
            case Cut(first):
                writer.write(first)
                await writer.drain()
                writer.transport.abort()
            case GrpcAnswer():
                raise AssertionError("that is no answer over HTTP")


class _Servicer:
    """The one method that all three services have."""

    def __init__(self, receiver: OtlpReceiver, signal: Signal) -> None:
        self._receiver = receiver
        self._signal = signal

    async def Export(self, request: Message, context: "grpc.aio.ServicerContext[Any, Any]") -> Message:  # noqa: N802 - gRPC's name
        headers = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        arrived = Arrived(self._signal, headers, "", request.ByteSize(), self._receiver.now())
        answer = await self._receiver.take(request, arrived)
        match answer:
            case Accept(rejected, message):
                return response(self._signal, rejected, message)
            case GrpcAnswer():
                return await _aborted(context, answer)
            case HttpAnswer() | Cut():
                raise AssertionError("that is no answer over gRPC")


async def _aborted(context: "grpc.aio.ServicerContext[Any, Any]", answer: GrpcAnswer) -> NoReturn:
    trailer: tuple[tuple[str, bytes], ...] = ()
    if answer.retry_seconds is not None:
        status = Status(code=answer.code.value[0], message=answer.text)
        retry = RetryInfo()
        retry.retry_delay.FromNanoseconds(int(answer.retry_seconds * 1e9))
        status.details.add().Pack(retry)
        trailer = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(answer.code, answer.text, trailer)


def response(signal: Signal, rejected: int, message: str) -> Message:
    """Return a response as OTLP has it: empty where nothing is to be said."""
    made: Message = REQUESTS[signal][1]()
    if rejected or message:
        partial = made.partial_success  # type: ignore[attr-defined]  # each of the three has one
        partial.error_message = message
        match signal:
            case Signal.TRACES:
                partial.rejected_spans = rejected
            case Signal.METRICS:
                partial.rejected_data_points = rejected
            case Signal.LOGS:
                partial.rejected_log_records = rejected
    return made


def _got(request: Any, arrived: "Arrived") -> Got:  # noqa: ANN401 - OpenTelemetry's messages have no types
    signal = arrived.signal
    names: list[str] = []
    attributes: dict[str, object] = {}
    digest = hashlib.sha256()
    of_resource: Any
    for of_resource in getattr(request, f"resource_{'spans' if signal is Signal.TRACES else signal}"):
        attributes |= {
            each.key: getattr(each.value, each.value.WhichOneof("value")) for each in of_resource.resource.attributes
        }
        for scope in getattr(of_resource, f"scope_{'spans' if signal is Signal.TRACES else signal}"):
            digest.update(scope.SerializeToString())
            match signal:
                case Signal.TRACES:
                    names.extend(span.name for span in scope.spans)
                case Signal.METRICS:
                    names.extend(metric.name for metric in scope.metrics)
                case Signal.LOGS:
                    names.extend(record.event_name for record in scope.log_records)
    return Got(arrived, tuple(names), attributes, f"sha256:{digest.hexdigest()}")


@dataclass(frozen=True, slots=True)
class _Head:
    path: str
    headers: Mapping[str, str]


async def _head(reader: asyncio.StreamReader) -> _Head | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return _Head(first.split(" ")[1], headers)


async def _write(writer: asyncio.StreamWriter, answer: HttpAnswer) -> None:
    headers = {**answer.headers, "content-length": str(len(answer.body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"HTTP/1.1 {answer.status} X\r\n{lines}\r\n".encode() + answer.body)
    await writer.drain()


@asynccontextmanager
async def otlp_receiver(
    *, tls: ServerTls | None = None, max_bytes: int = 64 << 20, now: Callable[[], float] = lambda: 0.0
) -> AsyncIterator[OtlpReceiver]:
    """Receive until the block ends; both ports are free ones of loopback.

    Args:
        tls: A certificate, where it is to speak TLS.
        max_bytes: The largest request that it takes.
        now: The clock of the test, noted with each request.
    """
    receiver = OtlpReceiver(tls=tls, max_bytes=max_bytes, now=now)
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.stop()
