"""A receiver of OTLP over gRPC that keeps every request, and that can be made to fail as receivers do."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

import grpc
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ignis_server.telemetry.model import Signal
from ignis_server.telemetry.otlp import EXPORT_METHODS

__all__ = ["Receiver", "Refusal", "Rule", "Taken", "accept", "receiver"]

MAX_REQUEST_BYTES = 64 << 20
REQUESTS: dict[Signal, type[Message]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
}
Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status that a request is answered with instead of being taken, and when to try again, where that is said."""

    code: grpc.StatusCode
    retry_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """A request that arrived: an Export(Trace|Metrics|Logs)ServiceRequest, and when, in nanoseconds since the epoch."""

    signal: Signal
    request: Any
    received_ns: int


# Tells how to answer the n-th request of a signal (from 1); None: it is taken.
Rule: TypeAlias = Callable[[Signal, int], Refusal | None]


def accept(_signal: Signal, _number: int) -> Refusal | None:
    """Take every request."""
    return None


class Receiver:
    """Keeps what it takes for as long as it lives, also while it is away.

    Attributes:
        port: Where it is, and where it is again after it was away.
        rule: How requests are answered.
        taken: Those that were taken, in the order in which they came.
        rejected: Those that were answered with INVALID_ARGUMENT: whoever sent them must not send them again.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.rule: Rule = accept
        self.taken: list[Taken] = []
        self.rejected: list[Taken] = []
        self._numbers = dict.fromkeys(Signal, 0)
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Receive."""
        options = (("grpc.max_receive_message_length", MAX_REQUEST_BYTES), ("grpc.so_reuseport", 0))
        self._server = grpc.aio.server(options=options)
        for signal, method in EXPORT_METHODS.items():
            service, _, name = method.lstrip("/").partition("/")
            handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
                name: grpc.unary_unary_rpc_method_handler(self._export(signal))
            }
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        """Go away, with all connections."""
        if self._server is not None:
            await self._server.stop(None)
            self._server = None

    def _export(self, signal: Signal) -> Callable[[bytes, Context], Awaitable[bytes]]:
        async def export(body: bytes, context: Context) -> bytes:
            taken = Taken(signal, REQUESTS[signal].FromString(body), time.time_ns())
            self._numbers[signal] += 1
            refusal = self.rule(signal, self._numbers[signal])
            if refusal is None:
                self.taken.append(taken)
                # An Export(Trace|Metrics|Logs)ServiceResponse without a partial success.
                return b""
            if refusal.code is grpc.StatusCode.INVALID_ARGUMENT:
                self.rejected.append(taken)
            return await _refuse(context, refusal)

        return export


async def _refuse(context: Context, refusal: Refusal) -> NoReturn:
    trailer: tuple[tuple[str, bytes], ...] = ()
    if refusal.retry_seconds is not None:
        status = Status(code=refusal.code.value[0])
        retry = RetryInfo()
        retry.retry_delay.FromNanoseconds(int(refusal.retry_seconds * 1e9))
        status.details.add().Pack(retry)
        trailer = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(refusal.code, "as the script has it", trailer)


@asynccontextmanager
async def receiver(*, is_away: bool = False) -> AsyncIterator[Receiver]:
    """Receive on a free port until the block ends.

    Args:
        is_away: Only find the port at first; `start` has it receive there.
    """
    found = Receiver()
    await found.start()
    if is_away:
        await found.stop()
    try:
        yield found
    finally:
        await found.stop()
