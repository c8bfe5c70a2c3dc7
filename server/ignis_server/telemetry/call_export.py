"""Sending the spans of calls, in batches, beside the calls."""

import asyncio
from collections.abc import Sequence
from typing import cast

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.sdk.resources import Resource as SdkResource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from ignis_server.telemetry.call_spans import FinishedCall, encode_calls
from ignis_server.telemetry.rpc_hook import RpcTelemetry

__all__ = ["CallExporter", "encode_resource", "send_calls", "send_rest"]

# Some 200 bytes a span: far below what receivers accept in one message.
BATCH = 2_000


class CallExporter(OTLPSpanExporter):
    """The SDK's exporter, with its ways to connect, encrypt, authenticate and repeat, for calls instead of its spans."""

    def __init__(
        self, resource: Resource, scope: InstrumentationScope, *, endpoint: str, insecure: bool, timeout: float
    ) -> None:
        super().__init__(endpoint=endpoint, insecure=insecure, timeout=timeout)
        self._resource = resource
        self._scope = scope

    def send(self, calls: Sequence[FinishedCall]) -> bool:
        """Send calls, and tell whether they have arrived."""
        return self.export(cast("Sequence[ReadableSpan]", calls)) is SpanExportResult.SUCCESS

    def _translate_data(self, data: Sequence[ReadableSpan]) -> ExportTraceServiceRequest:
        calls = cast("Sequence[FinishedCall]", data)
        return ExportTraceServiceRequest.FromString(encode_calls(calls, self._resource, self._scope))


def encode_resource(resource: SdkResource) -> Resource:
    """Return what the SDK found out about this process as OTLP has it."""
    return Resource(
        attributes=[
            KeyValue(key=key, value=AnyValue(string_value=str(value))) for key, value in resource.attributes.items()
        ]
    )


async def send_calls(recorder: RpcTelemetry, exporter: CallExporter, every_seconds: float) -> None:
    """Send what waits every so often; never ends."""
    while True:
        await asyncio.sleep(every_seconds)
        await send_rest(recorder, exporter)


async def send_rest(recorder: RpcTelemetry, exporter: CallExporter) -> None:
    """Send what waits; what does not arrive waits on."""
    waiting = recorder.take()
    for start in range(0, len(waiting), BATCH):
        if not await asyncio.to_thread(exporter.send, waiting[start : start + BATCH]):
            recorder.put_back(waiting[start:])
            return
