"""The receiver as a server: OTLP over gRPC, and what it has for whoever wants to compare."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

import grpc

from ignis.telemetry.v1 import delivery_audit_pb2 as pb
from ignis.telemetry.v1.delivery_audit_pb2_grpc import (
    DeliveryAuditServiceServicer,
    add_DeliveryAuditServiceServicer_to_server,
)
from ignis_server.errors import AddressUnusable
from ignis_server.rpc.chain import chained
from ignis_server.telemetry.model import Signal
from ignis_server.telemetry.otlp import DIGEST_HEADER, EXPORT_METHODS
from ignis_server.telemetry.sink import wire
from ignis_server.telemetry.sink.received import BatchCorrupt, Received

__all__ = ["Sink", "otlp_sink"]

# What OTLP recommends that receivers accept.
MAX_REQUEST_BYTES = 64 << 20
STOP_SECONDS = 1.0

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"


@dataclass(frozen=True, slots=True)
class Sink:
    """A receiver that runs: where, and what it has."""

    port: int
    received: Received


class _Audit(DeliveryAuditServiceServicer):
    def __init__(self, received: Received) -> None:
        self._received = received

    async def ListReceivedBatches(
        self, request: pb.ListReceivedBatchesRequest, context: object
    ) -> pb.ListReceivedBatchesResponse:
        page = wire.to_batch_page(request)
        return wire.from_batch_page(page, self._received.batches.get(page.outbox_id, {}))


@asynccontextmanager
async def otlp_sink(listen: str = "127.0.0.1:0", received: Received | None = None) -> AsyncIterator[Sink]:
    """Receive traces, metrics and logs over OTLP/gRPC until the block ends.

    A batch that is not what its digest says is refused with DATA_LOSS, on which OTLP wants it to be sent again.

    Args:
        listen: Host and port; port 0 takes a free one.
        received: Goes on with what another receiver had, as one does that was away.

    Raises:
        AddressUnusable: The address cannot be listened on.
    """
    received = Received() if received is None else received
    server = grpc.aio.server(options=(("grpc.max_receive_message_length", MAX_REQUEST_BYTES), ("grpc.so_reuseport", 0)))
    for signal, method in EXPORT_METHODS.items():
        service, _, name = method.lstrip("/").partition("/")
        handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            name: grpc.unary_unary_rpc_method_handler(_export(signal, received))
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    add_DeliveryAuditServiceServicer_to_server(_Audit(received), chained(server, ()))
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError as error:
        raise AddressUnusable(listen) from error
    await server.start()
    try:
        yield Sink(port, received)
    finally:
        await server.stop(STOP_SECONDS)


def _export(signal: Signal, received: Received) -> Callable[[bytes, Context], Awaitable[bytes]]:
    async def export(request: bytes, context: Context) -> bytes:
        try:
            # A header does not pass a collector, which makes requests of its own.
            is_direct = any(name == DIGEST_HEADER for name, _ in context.invocation_metadata() or ())
            received.take(signal, request, is_direct=is_direct)
        except BatchCorrupt as error:
            await context.abort(grpc.StatusCode.DATA_LOSS, str(error))
        except ValueError as error:
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, f"the request is no OTLP request of {signal}: {error}"
            )
        # An Export(Trace|Metrics|Logs)ServiceResponse without a partial success.
        return b""

    return export
