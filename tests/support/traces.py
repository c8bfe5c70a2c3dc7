"""A receiver that keeps the trace of every span, and calls that know theirs."""

import secrets
from collections import Counter
from dataclasses import dataclass, field

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis.agents.v1.agent_loader_pb2_grpc import AgentLoaderServiceStub
from ignis_server.telemetry.model import Signal
from ignis_server.telemetry.sink.received import Received

__all__ = ["TracedCalls", "TracedReceived"]


@dataclass(slots=True)
class TracedReceived(Received):
    """Counts the spans of each trace, by its id, and by the batch that brought them."""

    traces: Counter[str] = field(default_factory=Counter)
    batches_of: dict[str, set[tuple[str, int]]] = field(default_factory=dict)

    def take(self, signal: Signal, request: bytes, *, is_direct: bool = True) -> None:
        """Take in a request."""
        super(TracedReceived, self).take(signal, request, is_direct=is_direct)
        if signal is not Signal.TRACES:
            return
        for resource in ExportTraceServiceRequest.FromString(request).resource_spans:
            said = {each.key: each.value for each in resource.resource.attributes}
            batch = (said["ignis.outbox.id"].string_value, said["ignis.batch.sequence"].int_value)
            for scope in resource.scope_spans:
                for span in scope.spans:
                    trace_id = span.trace_id.hex()
                    self.traces[trace_id] += 1
                    self.batches_of.setdefault(trace_id, set()).add(batch)


class TracedCalls:
    """Calls a server, each time with a trace of its own, and knows which were answered."""

    def __init__(self) -> None:
        self.answered: list[str] = []
        self.failed = 0

    async def call(self, channel: grpc.aio.Channel) -> bool:
        """Make a call, and tell whether it was answered."""
        trace_id = secrets.token_hex(16)
        metadata = (("traceparent", f"00-{trace_id}-{secrets.token_hex(8)}-01"),)
        try:
            await AgentLoaderServiceStub(channel).GetCatalog(pb.GetCatalogRequest(), metadata=metadata, timeout=10)
        except grpc.aio.AioRpcError:
            self.failed += 1
            return False
        self.answered.append(trace_id)
        return True
