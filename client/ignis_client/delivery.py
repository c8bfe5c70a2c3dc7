"""What became of a server's telemetry: its account at each destination, and the proof that it arrived."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

__all__ = ["DeliveryLedger", "EgressBatch", "LedgerRow", "TelemetrySignal", "Verification"]


class TelemetrySignal(Enum):
    """A kind of telemetry."""

    UNKNOWN = "unknown"
    """One that this client is too old to know."""
    TRACES = "traces"
    """Spans."""
    METRICS = "metrics"
    """Metric points."""
    LOGS = "logs"
    """Log records."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """The account of one signal at one destination: spans, metric points or log records since the outbox was made.

    Attributes:
        destination: The destination's name.
        signal: What is counted.
        captured_count: Committed to the outbox.
        delivered_count: Acknowledged by the destination.
        rejected_count: Refused by the destination for good.
        shed_count: Given up at the outbox's bound.
        waiting_count: Still to be sent.
        oldest_waiting_time: When the oldest that waits was captured, in UTC; None where nothing waits.
        last_error: What the destination said when it last refused or failed; empty where it did not.
    """

    destination: str
    signal: TelemetrySignal
    captured_count: int
    delivered_count: int
    rejected_count: int
    shed_count: int
    waiting_count: int
    oldest_waiting_time: datetime | None
    last_error: str

    @property
    def missing_count(self) -> int:
        """How many were captured and are in no other column: 0, or the account does not add up."""
        return self.captured_count - self.delivered_count - self.rejected_count - self.shed_count - self.waiting_count

    @property
    def lost_count(self) -> int:
        """How many the destination will never have: rejected, shed, or missing."""
        return self.rejected_count + self.shed_count + abs(self.missing_count)


@dataclass(frozen=True, slots=True)
class DeliveryLedger:
    """The accounts of all signals at all destinations.

    Attributes:
        rows: One for each destination and signal, ordered by both; empty where telemetry goes nowhere.
        outbox_bytes: Bytes that the outbox holds.
        outbox_limit_bytes: Bytes that it may hold.
    """

    rows: tuple[LedgerRow, ...]
    outbox_bytes: int
    outbox_limit_bytes: int


@dataclass(frozen=True, slots=True)
class Verification:
    """The ledger compared with what a destination says that it has, batch by batch.

    Of each kind of sequences there are at most 1,000.

    Attributes:
        batch_count: Batches that were compared: those that the destination has acknowledged.
        equal_count: Batches that both have, with equal digests.
        missing_sequences: Batches that the destination does not have.
        differing_sequences: Batches that it has with another digest.
        duplicated_sequences: Batches that it has more than once.
    """

    batch_count: int
    equal_count: int
    missing_sequences: tuple[int, ...]
    differing_sequences: tuple[int, ...]
    duplicated_sequences: tuple[int, ...]

    @property
    def is_equal(self) -> bool:
        """Whether the destination has every batch as it was sent, each at least once."""
        return self.equal_count == self.batch_count


@dataclass(frozen=True, slots=True)
class EgressBatch:
    """One OTLP request that waits.

    Attributes:
        sequence: Its number in the outbox.
        signal: What it holds.
        digest: "sha256:" and the hexadecimal SHA-256 of its content.
        otlp_json: The request in OTLP's JSON form.
    """

    sequence: int
    signal: TelemetrySignal
    digest: str
    otlp_json: str
