"""TelemetryService: requests validated; the ledger, comparisons and waiting batches encoded."""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ignis.telemetry.v1 import telemetry_pb2 as pb
from ignis_server.rpc.checks import Checks
from ignis_server.telemetry.model import Batch, LedgerRow, Signal
from ignis_server.telemetry.otlp import export_request
from ignis_server.telemetry.verification import Verification

__all__ = [
    "SIGNALS",
    "Preview",
    "from_batches",
    "from_ledger",
    "from_verification",
    "to_ledger_destination",
    "to_preview",
    "to_verification",
]

MAX_NAME_CHARACTERS: Final = 63
DEFAULT_BATCHES: Final = 1
MAX_BATCHES: Final = 100
SIGNALS: Final = {
    Signal.TRACES: pb.SIGNAL_TRACES,
    Signal.METRICS: pb.SIGNAL_METRICS,
    Signal.LOGS: pb.SIGNAL_LOGS,
}
SIGNALS_OF_NUMBER: Final = {int(number): (signal,) for signal, number in SIGNALS.items()} | {
    int(pb.SIGNAL_UNSPECIFIED): tuple(Signal)
}
REQUESTS: Final[Mapping[Signal, type[Message]]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
}
# https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: ids are hexadecimal there, and not base64.
IDS: Final = frozenset({"traceId", "spanId", "parentSpanId"})


@dataclass(frozen=True, slots=True)
class Preview:
    """What would leave for a destination next: of which signals, and how many batches."""

    destination: str
    signals: tuple[Signal, ...]
    limit: int


def to_ledger_destination(request: pb.GetDeliveryLedgerRequest) -> str:
    """Validate the name of a destination; empty for all."""
    checks = Checks()
    if request.destination:
        checks.label("destination", request.destination, max_characters=MAX_NAME_CHARACTERS)
    checks.finish()
    return request.destination.strip()


def to_verification(request: pb.VerifyDeliveryRequest) -> tuple[str, int]:
    """Validate a comparison: the destination, and the first batch."""
    checks = Checks()
    destination = checks.label("destination", request.destination, max_characters=MAX_NAME_CHARACTERS)
    if request.from_sequence < 0:
        checks.add("from_sequence", f"{request.from_sequence} is negative: leave it out for the oldest that is known")
    checks.finish()
    return destination, request.from_sequence


def to_preview(request: pb.PreviewEgressRequest) -> Preview:
    """Validate a preview."""
    checks = Checks()
    destination = checks.label("destination", request.destination, max_characters=MAX_NAME_CHARACTERS)
    signals = SIGNALS_OF_NUMBER.get(request.signal)
    if signals is None:
        checks.add("signal", f"{request.signal} is no Signal: send SIGNAL_TRACES, SIGNAL_METRICS or SIGNAL_LOGS")
    if request.batch_count < 0:
        checks.add("batch_count", f"{request.batch_count} is negative: send 0 for one, or up to {MAX_BATCHES}")
    checks.finish()
    return Preview(destination, signals or (), min(request.batch_count, MAX_BATCHES) or DEFAULT_BATCHES)


def from_ledger(rows: Iterable[LedgerRow], *, size_bytes: int, max_bytes: int) -> pb.GetDeliveryLedgerResponse:
    """Encode the ledger."""
    ordered = sorted(rows, key=lambda row: (row.destination, SIGNALS[row.signal]))
    return pb.GetDeliveryLedgerResponse(
        rows=map(_from_row, ordered), outbox_bytes=size_bytes, outbox_limit_bytes=max_bytes
    )


def from_verification(verification: Verification) -> pb.VerifyDeliveryResponse:
    """Encode a comparison."""
    return pb.VerifyDeliveryResponse(
        batch_count=verification.batches,
        equal_count=verification.equal,
        missing_sequences=verification.missing,
        differing_sequences=verification.differing,
        duplicated_sequences=verification.duplicated,
    )


def from_batches(batches: Iterable[Batch]) -> pb.PreviewEgressResponse:
    """Encode batches exactly as they would leave."""
    return pb.PreviewEgressResponse(
        batches=[
            pb.EgressBatch(
                sequence=batch.sequence,
                signal=SIGNALS[batch.signal],
                digest=f"sha256:{batch.digest.hex()}",
                otlp_json=_json(batch),
            )
            for batch in batches
        ]
    )


def _from_row(row: LedgerRow) -> pb.LedgerRow:
    oldest = row.oldest_waiting_ns
    return pb.LedgerRow(
        destination=row.destination,
        signal=SIGNALS[row.signal],
        captured_count=row.captured,
        delivered_count=row.delivered,
        rejected_count=row.rejected,
        shed_count=row.shed,
        waiting_count=row.waiting,
        oldest_waiting_time=None if oldest is None else _timestamp(oldest),
        last_error=row.last_error,
    )


def _timestamp(ns: int) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(datetime.fromtimestamp(ns // 1_000 / 1e6, UTC))
    return stamp


def _json(batch: Batch) -> str:
    message = REQUESTS[batch.signal]()
    message.ParseFromString(export_request(batch))
    return json.dumps(_hexadecimal(MessageToDict(message, use_integers_for_enums=True)), ensure_ascii=False)


def _hexadecimal(value: Any) -> Any:  # noqa: ANN401 - JSON
    match value:
        case dict():
            return {name: _hex_of_base64(each) if name in IDS else _hexadecimal(each) for name, each in value.items()}
        case list():
            return [_hexadecimal(each) for each in value]
        case _:
            return value


def _hex_of_base64(text: str) -> str:
    return base64.b64decode(text).hex()
