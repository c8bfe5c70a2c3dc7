"""Between TelemetryService's messages and the client's types, as `_wire` is for the agents'."""

from collections.abc import Mapping
from datetime import UTC
from types import MappingProxyType
from typing import Final

from grpc import StatusCode

from ignis.telemetry.v1 import telemetry_pb2 as pb
from ignis_client.delivery import DeliveryLedger, EgressBatch, LedgerRow, TelemetrySignal, Verification
from ignis_client.errors import Failure, InvalidRequest, Violation

__all__ = ["from_preview", "from_verification", "to_batches", "to_ledger", "to_verification"]

NUMBER_OF_SIGNAL: Final[Mapping[TelemetrySignal, pb.Signal.ValueType]] = MappingProxyType(
    {
        TelemetrySignal.UNKNOWN: pb.SIGNAL_UNSPECIFIED,
        TelemetrySignal.TRACES: pb.SIGNAL_TRACES,
        TelemetrySignal.METRICS: pb.SIGNAL_METRICS,
        TelemetrySignal.LOGS: pb.SIGNAL_LOGS,
    }
)
SIGNAL_OF_NUMBER: Final = {int(number): meaning for meaning, number in NUMBER_OF_SIGNAL.items()}


def from_verification(destination: str, from_sequence: int | None) -> pb.VerifyDeliveryRequest:
    """Encode what VerifyDelivery is asked.

    Raises:
        InvalidRequest: The sequence is no number of 64 bits.
    """
    _check_fits("from_sequence", from_sequence or 0, bits=64)
    return pb.VerifyDeliveryRequest(destination=destination, from_sequence=from_sequence)


def from_preview(destination: str, signal: TelemetrySignal | None, batches: int) -> pb.PreviewEgressRequest:
    """Encode what PreviewEgress is asked.

    Raises:
        InvalidRequest: The count is no number of 32 bits.
    """
    _check_fits("batch_count", batches, bits=32)
    number = pb.SIGNAL_UNSPECIFIED if signal is None else NUMBER_OF_SIGNAL[signal]
    return pb.PreviewEgressRequest(destination=destination, signal=number, batch_count=batches)


def to_ledger(response: pb.GetDeliveryLedgerResponse) -> DeliveryLedger:
    """Decode the ledger."""
    return DeliveryLedger(
        rows=tuple(map(_to_row, response.rows)),
        outbox_bytes=response.outbox_bytes,
        outbox_limit_bytes=response.outbox_limit_bytes,
    )


def to_verification(response: pb.VerifyDeliveryResponse) -> Verification:
    """Decode a comparison."""
    return Verification(
        batch_count=response.batch_count,
        equal_count=response.equal_count,
        missing_sequences=tuple(response.missing_sequences),
        differing_sequences=tuple(response.differing_sequences),
        duplicated_sequences=tuple(response.duplicated_sequences),
    )


def to_batches(response: pb.PreviewEgressResponse) -> tuple[EgressBatch, ...]:
    """Decode what would leave."""
    return tuple(
        EgressBatch(
            sequence=each.sequence, signal=_to_signal(each.signal), digest=each.digest, otlp_json=each.otlp_json
        )
        for each in response.batches
    )


def _to_row(row: pb.LedgerRow) -> LedgerRow:
    waits = row.HasField("oldest_waiting_time")
    return LedgerRow(
        destination=row.destination,
        signal=_to_signal(row.signal),
        captured_count=row.captured_count,
        delivered_count=row.delivered_count,
        rejected_count=row.rejected_count,
        shed_count=row.shed_count,
        waiting_count=row.waiting_count,
        oldest_waiting_time=row.oldest_waiting_time.ToDatetime(tzinfo=UTC) if waits else None,
        last_error=row.last_error,
    )


def _to_signal(number: int) -> TelemetrySignal:
    return SIGNAL_OF_NUMBER.get(number, TelemetrySignal.UNKNOWN)


def _check_fits(field: str, number: int, *, bits: int) -> None:
    most = (1 << bits - 1) - 1
    if not -most - 1 <= number <= most:
        violation = Violation(field, f"{number} does not fit into {bits} bits: at most {most}")
        message = f"{violation.field}: {violation.description}"
        raise InvalidRequest(Failure(message, StatusCode.INVALID_ARGUMENT, violations=(violation,)))
