"""Truth beside what arrived, field by field."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from perf.telemetry.truth import Sent, load_attributes

__all__ = ["Received", "Row", "Timed", "compared", "joined", "share_within", "timed"]

MAX_RELATIVE, MAX_SECONDS = 0.05, 0.001
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Row:
    """A field: what it must be, and what it is."""

    field: str
    truth: object
    received: object

    @property
    def is_equal(self) -> bool:
        """Whether they are the same."""
        return self.truth == self.received


@dataclass(frozen=True, slots=True)
class Received:
    """A span that arrived, as far as it is compared."""

    trace_id: bytes
    parent_id: bytes
    name: str
    attributes: Mapping[str, object]
    seconds: float


@dataclass(frozen=True, slots=True)
class Timed:
    """A duration by the client's clock, and by the server's span; and whether the client ended the call itself."""

    client_seconds: float
    span_seconds: float
    has_given_up: bool = False

    @property
    def is_within(self) -> bool:
        """Whether the span is at most 5 % or 1 ms, whichever is more, away from what the client saw, and not longer.

        Where the client gave up, the server heard of it later, and its span may be longer by as much.
        """
        difference = self.client_seconds - self.span_seconds
        tolerance = max(MAX_RELATIVE * self.client_seconds, MAX_SECONDS)
        return (-tolerance if self.has_given_up else 0.0) <= difference <= tolerance


def compared(field: str, truth: Mapping[K, object], received: Mapping[K, object]) -> list[Row]:
    """Return a row for every key of either side; what a side does not have is 0."""
    keys = sorted({*truth, *received}, key=str)
    return [Row(f"{field} {_named(key)}", truth.get(key, 0), received.get(key, 0)) for key in keys]


def joined(sent: Iterable[Sent], spans: Sequence[Received]) -> list[Row]:
    """Join calls with spans by trace, and count those that differ; the truth of each count is that all agree."""
    by_trace: dict[bytes, list[Received]] = {}
    for span in spans:
        by_trace.setdefault(span.trace_id, []).append(span)
    wanted = [each for each in sent if each.is_sampled]
    pairs = [(call, found[0]) for call in wanted if len(found := by_trace.get(call.trace_id, [])) == 1]
    loads = [(call, span) for call, span in pairs if call.answer is not None]
    rows = [
        Row("calls with exactly one span in their trace", len(wanted), len(pairs)),
        Row("spans in no call's trace", 0, len(spans) - sum(len(by_trace.get(each.trace_id, ())) for each in wanted)),
        Row("spans whose parent is the client's", len(pairs), sum(s.parent_id == c.span_id for c, s in pairs)),
        Row("spans with the method, code and reason that the client saw", len(pairs), sum(map(_ended_alike, pairs))),
    ]
    names = sorted({name for call, _ in loads if call.answer is not None for name in load_attributes(call.answer)})
    for name in names:
        right = sum(
            span.attributes.get(name) == load_attributes(call.answer)[name]
            for call, span in loads
            if call.answer is not None
        )
        rows.append(Row(f"LoadAgents spans whose {name} is what that call was answered", len(loads), right))
    return rows


def timed(sent: Iterable[Sent], spans: Iterable[Received]) -> list[Timed]:
    """Return the durations of calls and their spans."""
    by_trace = {span.trace_id: span for span in spans}
    return [
        Timed(each.seconds, by_trace[each.trace_id].seconds, each.has_given_up)
        for each in sent
        if each.trace_id in by_trace
    ]


def share_within(durations: Sequence[Timed]) -> float:
    """Return the share of durations that are within the tolerance; 1 of nothing."""
    return sum(each.is_within for each in durations) / len(durations) if durations else 1.0


def _ended_alike(pair: tuple[Sent, Received]) -> bool:
    call, span = pair
    said = span.attributes
    return (
        span.name,
        said.get("rpc.method"),
        said.get("rpc.response.status_code"),
        said.get("error.type", ""),
    ) == (call.method, call.method, call.code, call.reason)


def _named(key: object) -> str:
    return " ".join(str(part) for part in key if part) if isinstance(key, tuple) else str(key)
