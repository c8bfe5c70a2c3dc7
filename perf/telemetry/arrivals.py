"""What arrived, span by span: which were lost, which came twice, and how long they were under way."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ignis_server.telemetry.model import Signal
from perf.telemetry.receiver import Taken

__all__ = ["Arrival", "Repeated", "arrivals", "catch_up_seconds", "delays_seconds", "lost", "percentile", "repeated"]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A span that arrived: its ids, when it ended and when it came (since the epoch), and the batch that it came in.

    The batch is empty where the sender does not number its batches.
    """

    trace_id: bytes
    span_id: bytes
    ended_ns: int
    received_ns: int
    batch: str


@dataclass(frozen=True, slots=True)
class Repeated:
    """Spans that came again, and whether they did so as whole batches that are known by their numbers."""

    spans: int
    is_by_whole_batches: bool


def arrivals(taken: Iterable[Taken]) -> Iterator[Arrival]:
    """Yield the spans of requests in the order in which they came."""
    for each in taken:
        if each.signal is not Signal.TRACES:
            continue
        for of_resource in each.request.resource_spans:
            said = {attribute.key: attribute.value for attribute in of_resource.resource.attributes}
            batch = ""
            if "ignis.outbox.id" in said:
                batch = f"{said['ignis.outbox.id'].string_value}/{said['ignis.batch.sequence'].int_value}"
            for scope in of_resource.scope_spans:
                for span in scope.spans:
                    yield Arrival(span.trace_id, span.span_id, span.end_time_unix_nano, each.received_ns, batch)


def lost(answered: Iterable[bytes], arrived: Collection[bytes], rejected: Collection[bytes] = ()) -> list[bytes]:
    """Return the traces of answered calls whose span neither arrived nor was rejected by the receiver."""
    there, refused = frozenset(arrived), frozenset(rejected)
    return [trace_id for trace_id in answered if trace_id not in there and trace_id not in refused]


def repeated(came: Sequence[Arrival]) -> Repeated:
    """Tell which spans came more than once."""
    times = Counter((each.trace_id, each.span_id) for each in came)
    batches: dict[str, set[int]] = {}
    homes: dict[tuple[bytes, bytes], set[str]] = {}
    for each in came:
        key = (each.trace_id, each.span_id)
        batches.setdefault(each.batch, set()).add(times[key])
        homes.setdefault(key, set()).add(each.batch)
    again = [key for key, count in times.items() if count > 1]
    # A batch that came twice as a whole has no span that came once, and its spans were in no other.
    is_whole = all(homes[key] != {""} and len(homes[key]) == 1 and len(batches[min(homes[key])]) == 1 for key in again)
    return Repeated(sum(times[key] - 1 for key in again), is_whole)


def delays_seconds(came: Iterable[Arrival]) -> list[float]:
    """Return the seconds from each span's end to its first receipt, in ascending order."""
    first: dict[tuple[bytes, bytes], float] = {}
    for each in came:
        first.setdefault((each.trace_id, each.span_id), (each.received_ns - each.ended_ns) / 1e9)
    return sorted(first.values())


def catch_up_seconds(came: Iterable[Arrival], recovered_ns: int) -> float:
    """Return how long after trouble was over the last span came that had ended by then; 0 where all had come before."""
    last_ns = max((each.received_ns for each in came if each.ended_ns <= recovered_ns), default=recovered_ns)
    return max(0, last_ns - recovered_ns) / 1e9


def percentile(ascending: Sequence[float], percent: float) -> float:
    """Return the least value that so many percent of all do not exceed; NaN of nothing."""
    if not ascending:
        return math.nan
    return ascending[max(0, math.ceil(len(ascending) * percent / 100) - 1)]
