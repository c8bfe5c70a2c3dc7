"""Signals of workflows as operators see them: spans by the conventions for generative AI, and measurements."""

from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Status
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from ignis_server.signal_table import SPANS
from ignis_server.signals import AttemptEnded, RunEnded, RunReached, TokensUsed
from ignis_server.telemetry.instruments import Instruments
from ignis_server.telemetry.model import Signal
from ignis_server.telemetry.otel import OtelSignals

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
USED = TokensUsed(100, 20, 60, 5)
ATTEMPT = AttemptEnded("run-1", TRACEPARENT, "failed", 2, 1_000_000_000, 3_500_000_000, USED)
RUN = RunEnded("run-1", TRACEPARENT, "completed", 0, 60_000_000_000, 3, USED)


class Captured:
    """Takes in spans."""

    has_room = True

    def __init__(self) -> None:
        self.data = b""

    def capture(self, signal: Signal, items: int, data: bytes) -> None:
        assert (signal, items) == (Signal.TRACES, 1)
        self.data += data

    def admit(self) -> None:
        """Let every call begin."""


def signals_with(captured: Captured) -> tuple[OtelSignals, InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    signals = OtelSignals(Instruments(MeterProvider(metric_readers=[reader]).get_meter("test")))
    signals.hand_to(captured)
    return signals, reader


def test_an_attempt_and_its_run_are_spans_in_the_trace_of_the_call_that_began_them() -> None:
    captured = Captured()
    signals, _ = signals_with(captured)

    signals.report(ATTEMPT)
    signals.report(RUN)

    attempt, run = ScopeSpans.FromString(captured.data).spans
    assert (attempt.name, run.name) == ("invoke_agent", "invoke_workflow")
    assert {span.trace_id.hex() for span in (attempt, run)} == {TRACE}
    assert {span.parent_span_id.hex() for span in (attempt, run)} == {PARENT}
    assert (attempt.start_time_unix_nano, attempt.end_time_unix_nano) == (1_000_000_000, 3_500_000_000)
    assert (attempt.status.code, run.status.code) == (Status.STATUS_CODE_ERROR, Status.STATUS_CODE_UNSET)
    said = {each.key: getattr(each.value, each.value.WhichOneof("value") or "") for each in attempt.attributes}
    assert said == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.conversation.id": "run-1",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 60,
        "gen_ai.usage.cache_creation.input_tokens": 5,
        "ignis.step.attempt": 2,
        "ignis.step.outcome": "failed",
        "error.type": "failed",
    }
    rows = {row.name: {each.name for each in row.attributes} for row in SPANS}
    assert all({each.key for each in span.attributes} <= rows[span.name] for span in (attempt, run))


def test_a_run_that_began_by_itself_has_a_trace_of_its_own_and_one_that_is_not_sampled_none() -> None:
    captured = Captured()
    signals, _ = signals_with(captured)

    signals.report(RunEnded("run-1", "", "failed", 0, 1, 3, USED))
    signals.report(RunEnded("run-2", TRACEPARENT.removesuffix("1") + "0", "failed", 0, 1, 3, USED))

    (span,) = ScopeSpans.FromString(captured.data).spans
    assert (span.parent_span_id, len(span.trace_id)) == (b"", 16)


def test_where_runs_come_to_how_long_they_take_and_what_they_use_is_measured() -> None:
    signals, reader = signals_with(Captured())

    for signal in (RunReached("working"), RunReached("completed"), ATTEMPT, RUN):
        signals.report(signal)

    data = reader.get_metrics_data()
    assert data
    points: dict[tuple[str, Any], Any] = {
        (metric.name, point.attributes.get("ignis.run.state") or point.attributes.get("gen_ai.token.type")): point
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        for point in metric.data.data_points
        if point.attributes
    }
    assert points["ignis.workflow.runs", "completed"].value == 1
    assert points["ignis.workflow.run.duration", "completed"].sum == 60
    assert points["ignis.workflow.attempt.duration", None].sum == 2.5
    assert points["gen_ai.client.token.usage", "input"].sum == 100
    assert points["gen_ai.client.token.usage", "output"].sum == 20
