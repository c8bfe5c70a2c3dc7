"""Watches and their tokens."""

from itertools import pairwise

import pytest

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.errors import ResumeTokenInvalid
from ignis_server.rpc.cursor import encode_cursor
from ignis_server.rpc.status import failure_of
from ignis_server.workflow.wire.runs import from_run
from ignis_server.workflow.wire.watching import Watch, from_events, from_heartbeat, from_snapshot, to_watch
from support.runs import START, Driven
from support.violations import violations_of

FLOW = "name: A\nsteps: [{id: s, agent: x}]\n"


def resumed(run_id: str, token: str) -> Watch:
    return to_watch(pb.WatchRunRequest(run_id=run_id, resume_token=token))


def test_a_watch_begins_with_a_snapshot() -> None:
    run = Driven(FLOW).run
    assert to_watch(pb.WatchRunRequest(run_id="run-1")) == Watch("run-1", None)

    message = from_snapshot(run)

    assert message.snapshot == from_run(run)
    assert resumed("run-1", message.resume_token) == Watch("run-1", run.version)


def test_a_run_is_required() -> None:
    assert violations_of(lambda: to_watch(pb.WatchRunRequest())) == {"run_id": "must not be empty"}


def test_a_watch_goes_on_after_a_heartbeat() -> None:
    message = from_heartbeat("run-1", 7, START)

    assert message.heartbeat.time.ToDatetime(START.tzinfo) == START
    assert resumed("run-1", message.resume_token) == Watch("run-1", 7)


def test_a_watch_goes_on_after_the_last_event_of_a_message() -> None:
    events = [pb.RunEvent(version=version) for version in range(3, 6)]

    (message,) = from_events("run-1", events)

    assert list(message.events.events) == events
    assert resumed("run-1", message.resume_token) == Watch("run-1", 5)


def test_no_events_are_no_message() -> None:
    assert list(from_events("run-1", ())) == []


def test_many_events_are_several_messages_that_follow_each_other() -> None:
    progress = pb.StepProgress(message="x" * 300_000)
    events = [pb.RunEvent(version=version, step_progressed=progress) for version in range(1, 21)]

    messages = list(from_events("run-1", events))

    assert [each.version for message in messages for each in message.events.events] == list(range(1, 21))
    assert all(message.ByteSize() < (2 << 20) + 1_024 for message in messages)
    assert len(messages) == 4
    ends = [resumed("run-1", message.resume_token).after for message in messages]
    assert ends == [6, 12, 18, 20]
    assert all(a.events.events[-1].version + 1 == b.events.events[0].version for a, b in pairwise(messages))


def test_an_event_that_is_larger_than_a_message_goes_alone() -> None:
    large = pb.RunEvent(version=2, step_progressed=pb.StepProgress(message="x" * (3 << 20)))
    events = [pb.RunEvent(version=1), large, pb.RunEvent(version=3)]

    assert [[each.version for each in message.events.events] for message in from_events("run-1", events)] == [
        [1],
        [2],
        [3],
    ]


def test_a_token_is_bound_to_its_run() -> None:
    token = from_heartbeat("run-1", 7, START).resume_token

    with pytest.raises(ResumeTokenInvalid) as refused:
        resumed("run-2", token)

    assert str(refused.value) == (
        "resume_token does not belong to a watch of run 'run-2': send that of the last response that was received of it, "
        "or leave it empty to begin with a snapshot"
    )


@pytest.mark.parametrize("token", ["x", "WzFd", "x" * 9_000, "\0", "ü"])
def test_a_token_that_is_none_of_ours_is_refused(token: str) -> None:
    with pytest.raises(ResumeTokenInvalid):
        resumed("run-1", token)


@pytest.mark.parametrize("position", ["", "0", "-1", "1.5", "x", "٣", "9" * 19])
def test_a_token_cannot_say_what_is_no_version(position: str) -> None:
    """Tokens are not signed: anybody can make one that passes for ours."""
    with pytest.raises(ResumeTokenInvalid):
        resumed("run-1", encode_cursor(position, method="WatchRun", binding="run-1"))


def test_a_refusal_says_what_to_do() -> None:
    failure = failure_of(ResumeTokenInvalid("run-1"))

    assert (failure.code.name, failure.reason) == ("INVALID_ARGUMENT", "RESUME_TOKEN_INVALID")
    assert failure.metadata == {"run_id": "run-1"}
