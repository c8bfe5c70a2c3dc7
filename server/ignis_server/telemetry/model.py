"""What telemetry is made of once it is captured: signals, batches, and what became of them."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Batch", "LedgerRow", "Receipt", "Signal"]


class Signal(StrEnum):
    """A kind of telemetry, in OTLP's words."""

    TRACES = "traces"
    METRICS = "metrics"
    LOGS = "logs"

    # That of Enum is a function of Python's, and signals are looked up for each call.
    __hash__ = str.__hash__


@dataclass(frozen=True, slots=True)
class Batch:
    """Telemetry that leaves as one OTLP request; never changed once it is made.

    Attributes:
        outbox_id: The outbox that made it, unique in the world.
        sequence: Its number there, from 1, without gaps, over all signals.
        signal: What its items are.
        items: How many spans, metric points or log records it has.
        captured_ns: When the first of them was captured, in nanoseconds since the epoch by this machine's clock.
        digest: SHA-256 of `content`.
        resource: An OTLP Resource, serialised: the process that captured them.
        content: An OTLP ScopeSpans, ScopeMetrics or ScopeLogs, serialised: the scope and all items.
    """

    outbox_id: str
    sequence: int
    signal: Signal
    items: int
    captured_ns: int
    digest: bytes
    resource: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch at one destination: every item of it was delivered or rejected for good.

    `message` is what the destination said of those it rejected; empty where it rejected none.
    """

    sequence: int
    signal: Signal
    delivered: int
    rejected: int
    message: str
    received_ns: int


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """The account of one signal at one destination: captured = delivered + rejected + shed + waiting, all in items.

    `oldest_waiting_ns` is when the oldest that waits was captured, None where nothing waits.
    """

    destination: str
    signal: Signal
    captured: int
    delivered: int
    rejected: int
    shed: int
    waiting: int
    oldest_waiting_ns: int | None
    last_error: str
