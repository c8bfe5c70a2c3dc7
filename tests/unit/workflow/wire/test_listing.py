"""Pages of runs."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.errors import PageTokenInvalid
from ignis_server.rpc.cursor import encode_cursor
from ignis_server.workflow.changes import summary_of
from ignis_server.workflow.journal import RunCursor, RunFilter, RunSummary
from ignis_server.workflow.wire.listing import RunPage, from_run_page, to_run_page
from ignis_server.workflow.words import Failure, RunState
from support.runs import START, Driven
from support.violations import violations_of

FLOW = "name: A\nsteps: [{id: s, agent: x}]\n"


def summaries(count: int, *, message: str = "") -> list[RunSummary]:
    """Return runs, the latest started first."""
    one = summary_of(Driven(FLOW).run)
    failure = Failure("x", message) if message else None
    return [
        replace(one, id=f"run-{number:04}", create_time=START + timedelta(microseconds=number), failure=failure)
        for number in reversed(range(count))
    ]


def refused(request: pb.ListRunsRequest) -> dict[str, str]:
    return violations_of(lambda: to_run_page(request))


def test_a_filter_is_understood() -> None:
    request = pb.ListRunsRequest(
        states=[pb.RUN_STATE_WORKING, pb.RUN_STATE_FAILED, pb.RUN_STATE_WORKING],
        definition_id="flow",
        labels={"team": "a"},
        create_time_from=Timestamp(seconds=1_000),
        create_time_until=Timestamp(seconds=2_000, nanos=5_000),
    )

    assert to_run_page(request).chosen == RunFilter(
        states=frozenset({RunState.WORKING, RunState.FAILED}),
        definition_id="flow",
        labels={"team": "a"},
        create_time_from=datetime(1970, 1, 1, 0, 16, 40, tzinfo=UTC),
        create_time_until=datetime(1970, 1, 1, 0, 33, 20, 5, tzinfo=UTC),
    )


def test_nothing_asked_is_everything() -> None:
    page = to_run_page(pb.ListRunsRequest())

    assert (page.chosen, page.behind, page.limit, page.wanted) == (RunFilter(), None, 50, 51)


def test_an_unspecified_state_is_any() -> None:
    request = pb.ListRunsRequest(states=[pb.RUN_STATE_FAILED, pb.RUN_STATE_UNSPECIFIED])

    assert to_run_page(request).chosen.states == frozenset()


def test_a_state_that_is_none_is_refused() -> None:
    assert refused(pb.ListRunsRequest.FromString(b"\x08\x05\x08\x63")) == {
        "states[1]": "99 is no RunState: send one of RUN_STATE_SUBMITTED, RUN_STATE_WORKING, "
        "RUN_STATE_INPUT_REQUIRED, RUN_STATE_COMPLETED, RUN_STATE_FAILED, RUN_STATE_CANCELED"
    }


def test_filters_have_bounds() -> None:
    assert refused(pb.ListRunsRequest(states=[pb.RUN_STATE_FAILED] * 8)) == {}
    assert refused(pb.ListRunsRequest(states=[pb.RUN_STATE_FAILED] * 9)) == {
        "states": "9 entries are more than the 8 allowed: send each once"
    }
    assert refused(pb.ListRunsRequest(labels=dict.fromkeys(map(str, range(16)), "x"))) == {}
    assert refused(pb.ListRunsRequest(labels=dict.fromkeys(map(str, range(17)), "x"))).keys() == {"labels"}
    assert refused(pb.ListRunsRequest(definition_id="x" * 1_024)) == {}
    assert refused(pb.ListRunsRequest(definition_id="x" * 1_025, page_size=-1)).keys() == {"definition_id", "page_size"}


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(-62_135_596_801, 0), (253_402_300_799, 0), (0, -1), (0, 1_000_000_000), (2**62, 0)]
)
def test_a_moment_that_is_none_is_refused(seconds: int, nanos: int) -> None:
    found = refused(pb.ListRunsRequest(create_time_from=Timestamp(seconds=seconds, nanos=nanos)))

    assert found == {"create_time_from": f"{seconds} s and {nanos} ns is no moment of the years 1 to 9999: send one"}


@pytest.mark.parametrize(("nanos", "microsecond"), [(0, 0), (1, 1), (999, 1), (1_000, 1), (1_001, 2)])
def test_a_moment_between_microseconds_is_the_next_one(nanos: int, microsecond: int) -> None:
    """Runs begin at whole microseconds: those at or after 0.1 are those at or after 1."""
    request = pb.ListRunsRequest(create_time_from=Timestamp(nanos=nanos))

    assert to_run_page(request).chosen.create_time_from == datetime(1970, 1, 1, 0, 0, 0, microsecond, tzinfo=UTC)


@pytest.mark.parametrize(("size", "limit"), [(0, 50), (1, 1), (1_000, 1_000), (1_001, 1_000)])
def test_sizes(size: int, limit: int) -> None:
    assert to_run_page(pb.ListRunsRequest(page_size=size)).limit == limit


def test_pages_follow_each_other() -> None:
    runs, pages, token = summaries(7), [], ""
    while True:
        page = to_run_page(pb.ListRunsRequest(page_size=3, definition_id="flow", page_token=token))
        rest = [
            each
            for each in runs
            if page.behind is None or (each.create_time, each.id) < (page.behind.create_time, page.behind.run_id)
        ]
        response = from_run_page(page, rest[: page.wanted])
        pages.append([each.id[-1] for each in response.runs])
        token = response.next_page_token
        if not token:
            break

    assert pages == [["6", "5", "4"], ["3", "2", "1"], ["0"]]


def first_page(definition_id: str = "") -> tuple[RunPage, str]:
    page = to_run_page(pb.ListRunsRequest(page_size=1, definition_id=definition_id))
    return page, from_run_page(page, summaries(2)).next_page_token


def test_a_token_says_where_a_page_ended() -> None:
    _, token = first_page()

    page = to_run_page(pb.ListRunsRequest(page_token=token, page_size=10))

    assert page.behind == RunCursor(START + timedelta(microseconds=1), "run-0001")


@pytest.mark.parametrize(
    "other",
    [
        pb.ListRunsRequest(definition_id="other"),
        pb.ListRunsRequest(labels={"a": "b"}),
        pb.ListRunsRequest(states=[pb.RUN_STATE_FAILED]),
        pb.ListRunsRequest(create_time_from=Timestamp(seconds=1)),
    ],
)
def test_a_token_of_another_request_is_refused(other: pb.ListRunsRequest) -> None:
    _, token = first_page("flow")
    request = pb.ListRunsRequest(definition_id="flow", page_token=token)
    assert to_run_page(request).behind

    request.MergeFrom(other)

    with pytest.raises(PageTokenInvalid, match="ListRuns"):
        to_run_page(request)


@pytest.mark.parametrize(
    "position", ["", "1", "x run", "1 ", "-1 run", "1 a\0b", "99999999999999999 run", f"1 {'x' * 129}", "1 a\n"]
)
def test_a_token_cannot_say_what_no_database_takes(position: str) -> None:
    """Tokens are not signed: anybody can make one that passes for ours."""
    page, _ = first_page()
    token = encode_cursor(position, method="ListRuns", binding=page.binding)

    with pytest.raises(PageTokenInvalid):
        to_run_page(pb.ListRunsRequest(page_token=token))


def test_a_page_is_no_larger_than_clients_accept() -> None:
    page = to_run_page(pb.ListRunsRequest(page_size=1_000))

    response = from_run_page(page, summaries(1_000, message="m" * 4_096))

    assert 1 << 20 < response.ByteSize() < (2 << 20) + 1_024
    last = to_run_page(pb.ListRunsRequest(page_token=response.next_page_token)).behind
    assert last
    assert last.run_id == response.runs[-1].id


def test_a_token_cannot_hold_half_a_character() -> None:
    page, _ = first_page()
    token = encode_cursor("1 run", method="ListRuns", binding=page.binding)
    payload = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    forged = base64.urlsafe_b64encode(json.dumps([*payload[:2], "1 \ud800"]).encode()).decode()

    with pytest.raises(PageTokenInvalid):
        to_run_page(pb.ListRunsRequest(page_token=forged.rstrip("=")))
