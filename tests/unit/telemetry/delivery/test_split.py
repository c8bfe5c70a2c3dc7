"""Cutting loses no item, repeats none, and keeps their order, whatever the signal and however often it is cut."""

import hashlib
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ScopeMetrics,
    Sum,
    Summary,
    SummaryDataPoint,
)
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from ignis_server.telemetry.delivery.split import Part
from ignis_server.telemetry.model import Batch, Signal
from support.batches import SCOPE, BatchMaker

names = st.lists(st.text(max_size=5), min_size=1, max_size=40)


def part_of(signal: Signal, content: bytes, items: int) -> Part:
    return Part.whole(Batch("box", 1, signal, items, 0, hashlib.sha256(content).digest(), b"", content))


def smallest(part: Part) -> list[Part]:
    halves = part.halves()
    return [each for half in halves for each in smallest(half)] if halves else [part]


@given(names)
def test_spans(found: list[str]) -> None:
    whole = ScopeSpans(scope=SCOPE, schema_url="u", spans=[Span(name=name, trace_id=b"t" * 16) for name in found])

    pieces = smallest(part_of(Signal.TRACES, whole.SerializeToString(), len(found)))

    scopes = [ScopeSpans.FromString(each.content) for each in pieces]
    assert [span for scope in scopes for span in scope.spans] == list(whole.spans)
    assert {(scope.scope.name, scope.schema_url) for scope in scopes} == {("ignis_server", "u")}
    assert [each.items for each in pieces] == [1] * len(found)


@given(names)
def test_log_records(found: list[str]) -> None:
    whole = ScopeLogs(scope=SCOPE, log_records=[LogRecord(event_name=name) for name in found])

    pieces = smallest(part_of(Signal.LOGS, whole.SerializeToString(), len(found)))

    assert [record for each in pieces for record in ScopeLogs.FromString(each.content).log_records] == list(
        whole.log_records
    )
    assert [each.items for each in pieces] == [1] * len(found)


KINDS: dict[str, tuple[Any, Any]] = {
    "gauge": (Gauge, NumberDataPoint),
    "sum": (Sum, NumberDataPoint),
    "histogram": (Histogram, HistogramDataPoint),
    "exponential_histogram": (ExponentialHistogram, ExponentialHistogramDataPoint),
    "summary": (Summary, SummaryDataPoint),
}


@given(st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.integers(1, 9)), min_size=1, max_size=9))
def test_points_of_metrics_of_every_kind(kinds: list[tuple[str, int]]) -> None:
    metrics = []
    for number, (kind, count) in enumerate(kinds):
        data, point = KINDS[kind]
        points = [point(time_unix_nano=1_000 * number + place) for place in range(count)]
        metrics.append(Metric(name=str(number), unit="s", **{kind: data(data_points=points)}))
    whole = ScopeMetrics(scope=SCOPE, metrics=metrics)
    count = sum(count for _, count in kinds)

    pieces = smallest(part_of(Signal.METRICS, whole.SerializeToString(), count))

    times = []
    for piece in pieces:
        (metric,) = ScopeMetrics.FromString(piece.content).metrics
        assert metric.unit == "s"
        (point,) = getattr(metric, metric.WhichOneof("data") or "").data_points
        times.append(point.time_unix_nano)
    assert times == [1_000 * number + place for number, (_, count) in enumerate(kinds) for place in range(count)]
    assert [each.items for each in pieces] == [1] * count


@given(names)
def test_items_of_halves_add_up_and_their_names_tell_where_they_lie(found: list[str]) -> None:
    whole = part_of(
        Signal.TRACES, ScopeSpans(spans=[Span(name=name) for name in found]).SerializeToString(), len(found)
    )

    pieces = smallest(whole)

    # As fractions of the whole they stand one behind the other, from nothing to all of it.
    ends = [(each.number / each.count) for each in pieces]
    begins = [((each.number - 1) / each.count) for each in pieces]
    assert begins == [0.0, *ends[:-1]]
    assert ends[-1] == 1.0
    halves = whole.halves()
    assert sum(half.items for half in halves) == (len(found) if len(found) > 1 else 0)


def test_a_metric_without_points_is_not_cut() -> None:
    assert part_of(Signal.METRICS, ScopeMetrics(metrics=[Metric(name="m")]).SerializeToString(), 0).halves() == ()


def test_what_is_no_scope_is_not_cut() -> None:
    with pytest.raises(DecodeError):
        part_of(Signal.TRACES, b"\xff", 1).halves()


def test_what_a_later_version_of_otlp_adds_stands_in_both_halves() -> None:
    """Field 99 of the scope, and of a span."""
    span = Span(name="one").SerializeToString() + b"\x9a\x06\x01x"
    content = b"".join(b"\x12" + bytes([len(each)]) + each for each in (span, span)) + b"\x9a\x06\x03new"

    for half in part_of(Signal.TRACES, content, 2).halves():
        assert b"\x9a\x06\x01x" in half.content
        assert b"\x9a\x06\x03new" in half.content


def test_a_whole_batch_says_nothing_of_parts_and_a_part_says_which() -> None:
    whole = Part.whole(BatchMaker().spans("one", "two"))
    first, second = whole.halves()

    def marks(part: Part) -> list[str]:
        request = ExportTraceServiceRequest.FromString(part.request())
        return [
            each.value.string_value
            for each in request.resource_spans[0].resource.attributes
            if each.key == "ignis.batch.part"
        ]

    assert [part.headers().get("ignis-batch-part") for part in (whole, first, second)] == [None, "1/2", "2/2"]
    assert [marks(part) for part in (whole, first, second)] == [[], ["1/2"], ["2/2"]]
