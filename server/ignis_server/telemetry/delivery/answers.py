"""What a receiver answers to a request that it took: nothing, or how many items it did not take, and why."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from ignis_server.telemetry.delivery.transport import Accepted
from ignis_server.telemetry.model import Signal

__all__ = ["MAX_ANSWER_BYTES", "accepted"]

# OTLP obliges us to a limit, and names this one.
MAX_ANSWER_BYTES = 4 << 20

RESPONSES: Mapping[Signal, tuple[Any, str]] = {
    Signal.TRACES: (ExportTraceServiceResponse, "rejected_spans"),
    Signal.METRICS: (ExportMetricsServiceResponse, "rejected_data_points"),
    Signal.LOGS: (ExportLogsServiceResponse, "rejected_log_records"),
}


def accepted(signal: Signal, body: bytes) -> Accepted:
    """Return what an Export(Trace|Metrics|Logs)ServiceResponse says; the request was taken, whatever the body is."""
    response_type, rejected = RESPONSES[signal]
    try:
        partial = response_type.FromString(body).partial_success
    except DecodeError:
        return Accepted(0, "the answer is no response of OTLP's")
    return Accepted(int(getattr(partial, rejected)), str(partial.error_message))
