"""Truth beside what arrived: what differs is seen."""

from dataclasses import replace

import pytest

from ignis.agents.v1 import agent_loader_pb2 as pb
from perf.telemetry.comparison import Received, Row, Timed, compared, joined, share_within, timed
from perf.telemetry.truth import LOAD_AGENTS, Sent, ends, load_attributes, load_sums

ANSWER = pb.LoadAgentsResponse(
    bundle=pb.Bundle(agents=[pb.LoadedAgent()], tokens=70),
    needs=[pb.Need(answered=True), pb.Need()],
    budget_tokens=6_000,
    savings=pb.Savings(
        loaded_tokens=100,
        load_all=pb.Baseline(baseline_tokens=900, bundle_tokens=100),
        index_only=pb.Baseline(baseline_tokens=80, bundle_tokens=100),
        cached_load_all=pb.Baseline(baseline_tokens=90.4, bundle_tokens=124.6),
    ),
    cache_outcome=pb.CACHE_OUTCOME_PROCESS_HIT,
)
CALL = Sent(b"t", b"c", is_sampled=True, method=LOAD_AGENTS, code="OK", reason="", seconds=0.1, request_bytes=5, response_bytes=9, answer=ANSWER)  # fmt: skip
SPAN = Received(
    b"t",
    b"c",
    LOAD_AGENTS,
    {"rpc.method": LOAD_AGENTS, "rpc.response.status_code": "OK", **load_attributes(ANSWER)},
    0.099,
)


def differing(rows: list[Row]) -> list[str]:
    return [row.field for row in rows if not row.is_equal]


def test_counts_of_either_side_are_compared() -> None:
    rows = compared("calls", {"a": 1, "b": 2}, {"b": 3, "c": 1})

    assert [(row.field, row.truth, row.received) for row in rows] == [
        ("calls a", 1, 0),
        ("calls b", 2, 3),
        ("calls c", 0, 1),
    ]
    assert differing(rows) == ["calls a", "calls b", "calls c"]


def test_calls_are_counted_by_how_they_ended() -> None:
    assert ends([CALL, CALL, replace(CALL, code="NOT_FOUND", reason="AGENT_NOT_FOUND")]) == {
        (LOAD_AGENTS, "OK", ""): 2,
        (LOAD_AGENTS, "NOT_FOUND", "AGENT_NOT_FOUND"): 1,
    }


def test_a_span_that_says_what_the_call_was_answered_agrees() -> None:
    rows = joined([CALL], [SPAN])

    assert differing(rows) == []
    assert len(rows) == 4 + len(load_attributes(ANSWER))


@pytest.mark.parametrize(
    "span",
    [
        replace(SPAN, parent_id=b"x"),
        replace(SPAN, name="other"),
        replace(SPAN, attributes={**SPAN.attributes, "rpc.response.status_code": "CANCELLED"}),
        replace(SPAN, attributes={**SPAN.attributes, "error.type": "INTERNAL"}),
        replace(SPAN, attributes={**SPAN.attributes, "ignis.cache.outcome": "computed"}),
        replace(SPAN, attributes={**SPAN.attributes, "ignis.load.tokens": 101}),
    ],
)
def test_a_span_that_says_anything_else_is_seen(span: Received) -> None:
    assert len(differing(joined([CALL], [span]))) == 1


def test_spans_that_are_missing_twice_there_or_nobodys_are_seen() -> None:
    assert len(differing(joined([CALL], []))) == 1
    assert len(differing(joined([CALL], [SPAN, SPAN]))) == 1
    assert differing(joined([CALL], [SPAN, replace(SPAN, trace_id=b"x")])) == ["spans in no call's trace"]


def test_what_the_client_wants_no_span_of_must_have_none() -> None:
    unsampled = replace(CALL, is_sampled=False)

    assert differing(joined([unsampled], [])) == []
    assert differing(joined([unsampled], [SPAN])) == ["spans in no call's trace"]


def test_sums_of_loads_are_those_of_their_answers() -> None:
    sums = load_sums([ANSWER, ANSWER])

    assert (sums["ignis.load.new_tokens"], sums["ignis.load.tokens"], sums["ignis.load.agents"]) == (140, 200, 2)
    assert sums["ignis.load.needs ignis.answered=False"] == 2
    assert sums["ignis.load.saved_tokens ignis.baseline=index_only"] == -40
    assert sums["ignis.load.baseline_tokens ignis.baseline=cached_load_all"] == 180
    assert sums["ignis.load.saved_tokens ignis.baseline=cached_load_all"] == 2 * (90 - 125)


@pytest.mark.parametrize(
    ("client", "span", "is_within"),
    [
        (0.0015, 0.0006, True),
        (0.0015, 0.0004, False),
        (1.0, 0.951, True),
        (1.0, 0.949, False),
        (1.0, 1.0001, False),
    ],
)
def test_a_span_is_neither_longer_than_its_client_saw_nor_much_shorter(
    client: float,
    span: float,
    is_within: bool,  # noqa: FBT001 - the expectation
) -> None:
    assert Timed(client, span).is_within is is_within


def test_a_span_may_outlast_a_client_that_gave_up_by_as_much() -> None:
    assert Timed(1.0, 1.04, has_given_up=True).is_within
    assert not Timed(1.0, 1.06, has_given_up=True).is_within


def test_durations_are_joined_by_trace() -> None:
    other = replace(CALL, trace_id=b"u", seconds=0.5)

    found = timed([CALL, other, replace(CALL, trace_id=b"gone")], [SPAN, replace(SPAN, trace_id=b"u", seconds=0.3)])

    assert found == [Timed(0.1, 0.099), Timed(0.5, 0.3)]
    assert share_within(found) == 0.5
