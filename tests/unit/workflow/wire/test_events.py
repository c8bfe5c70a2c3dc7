"""What a watcher is told of each thing that can happen in a run, as the state machine lets it happen."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.workflow import events as happened
from ignis_server.workflow.commands import (
    AnswerInput,
    ApproveInput,
    CancelRun,
    CompleteStep,
    ExpireInput,
    ExpireLease,
    HeartbeatStep,
    RejectInput,
    RetryStep,
)
from ignis_server.workflow.events import Event, Recorded
from ignis_server.workflow.run import Run, State, Unstarted
from ignis_server.workflow.state_machine import fold
from ignis_server.workflow.wire.events import from_recorded
from ignis_server.workflow.wire.runs import from_run
from ignis_server.workflow.words import TokenUsage
from support.runs import BROKEN, FINAL, LEASE, START, Driven


def happy_end() -> Driven:
    driven = Driven(
        "name: A\ninputs: {files: {type: list}, extra: {type: boolean, default: false}}\nsteps:\n"
        "  - {id: plan, agent: x, approval: {timeout: 1h}}\n"
        "  - {id: never, agent: x, when: inputs.extra, needs: plan}\n"
        "  - {id: each, agent: x, for_each: inputs.files, needs: plan}\n"
        "  - {id: ask, ask: {prompt: Which?, timeout: 1h, default: a}, needs: each}\n"
        "  - {id: tell, ask: What?, needs: ask}\n",
        {"files": [1, 2]},
    )
    driven.claim("plan")
    driven.turn(seconds=10)
    driven.do(HeartbeatStep("plan", 1, "w", usage=TokenUsage(3)))
    driven.turn(seconds=10)
    driven.do(HeartbeatStep("plan", 1, "w", "half way"))
    driven.do(CompleteStep("plan", 1, "w", {"text": "draft"}))
    driven.do(RejectInput("command-1", "plan.approval.1", "too short"))
    driven.complete("plan", {"text": "long"})
    driven.do(ApproveInput("command-2", "plan.approval.2", "good"))
    driven.complete("each[0]")
    driven.fail("each[1]", BROKEN)
    driven.turn(minutes=1)
    driven.do(RetryStep("each[1]", 1))
    driven.claim("each[1]")
    driven.turn(minutes=1)
    driven.do(ExpireLease("each[1]", 2))
    driven.complete("each[1]")
    driven.turn(hours=2)
    driven.do(ExpireInput("ask.question"))
    driven.do(AnswerInput("command-3", "tell.question", {"a": 1}))
    return driven


def failed() -> Driven:
    driven = Driven("name: A\nsteps: [{id: a, agent: x}, {id: b, agent: x}]\n")
    driven.fail("a", FINAL)
    return driven


def canceled() -> Driven:
    driven = Driven("name: A\nsteps: [{id: a, agent: x}, {id: b, ask: Which?}]\n")
    driven.do(CancelRun("command-1", "not needed"))
    return driven


def doubtful() -> Driven:
    driven = Driven("name: A\nsteps: [{id: a, agent: x, effect: once}]\n")
    driven.claim("a")
    driven.turn(seconds=LEASE.total_seconds() + 1)
    driven.do(ExpireLease("a", 1))
    driven.do(RejectInput("command-1", "a.effect.1", fail_run=True))
    return driven


STORIES: dict[str, Callable[[], Driven]] = {
    "happy end": happy_end,
    "failed": failed,
    "canceled": canceled,
    "doubtful": doubtful,
}
CONTENTS: dict[type[Event], set[str]] = {
    happened.RunStarted: {"run_state_changed"},
    happened.RunStateChanged: {"run_state_changed"},
    happened.RunCompleted: {"run_state_changed"},
    happened.RunFailed: {"run_state_changed"},
    happened.RunCanceled: {"run_state_changed"},
    happened.StepReady: {"step_changed"},
    happened.StepExpanded: {"step_expanded"},
    happened.StepSkipped: {"step_changed"},
    happened.StepClaimed: {"step_changed"},
    happened.LeaseExtended: {"step_changed", "step_progressed"},
    happened.StepReleased: {"step_changed"},
    happened.StepBackedOff: {"step_changed"},
    happened.StepHeld: {"step_changed"},
    happened.StepCompleted: {"step_changed"},
    happened.StepFailed: {"step_changed"},
    happened.StepCanceled: {"step_changed"},
    happened.InputRequested: {"input_requested"},
    happened.InputApproved: {"input_resolved"},
    happened.InputRejected: {"input_resolved"},
    happened.InputAnswered: {"input_resolved"},
}


def told(driven: Driven) -> Iterator[tuple[Recorded, pb.RunEvent, Run]]:
    """Return each event of a run, what a watcher is told of it, and the run after it."""
    state: State = Unstarted("run-1", driven.plan)
    for recorded in driven.events:
        after = fold(state, (recorded,))
        assert isinstance(after, Run)
        yield recorded, from_recorded(recorded, state, after), after
        state = after


def of_kind(driven: Driven, content: str) -> list[pb.RunEvent]:
    return [event for _, event, _ in told(driven) if event.WhichOneof("event") == content]


def test_every_kind_of_event_happens_and_has_its_content() -> None:
    found: dict[type[Event], set[str]] = {}
    for story in STORIES.values():
        for recorded, event, _ in told(story()):
            content = event.WhichOneof("event")
            assert content
            found.setdefault(type(recorded.event), set()).add(content)

    assert set(CONTENTS) == set(Event.__args__)
    assert found == CONTENTS


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_versions_have_no_gaps_and_times_are_those_of_the_events(story: Callable[[], Driven]) -> None:
    driven = story()

    events = [event for _, event, _ in told(driven)]

    assert [event.version for event in events] == list(range(1, driven.run.version + 1))
    assert [event.time.ToDatetime(START.tzinfo) for event in events] == [each.time for each in driven.events]


class Watcher:
    """Somebody who has a snapshot and applies what it is told, as the comments of the API say."""

    def __init__(self, snapshot: pb.Run) -> None:
        self.state = snapshot.state
        self.steps = {step.id: step for step in snapshot.steps}
        self.asked = {each.id: each for each in snapshot.input_requests}
        self.stale: set[str] = set()

    def apply(self, event: pb.RunEvent) -> None:
        match event.WhichOneof("event"):
            case "run_state_changed":
                assert getattr(event.run_state_changed, "from") == self.state
                self.state = event.run_state_changed.to
            case "step_changed":
                step = event.step_changed
                self.steps[step.id] = step
                self.stale.discard(step.id)
                self.asked = {key: each for key, each in self.asked.items() if each.step_id != step.id}
            case "step_expanded":
                before = self.steps.pop(event.step_expanded.step_id)
                for index in range(event.step_expanded.count):
                    instance = pb.Step()
                    instance.CopyFrom(before)
                    instance.id = f"{before.id}[{index}]"
                    self.steps[instance.id] = instance
            case "input_requested":
                self.asked[event.input_requested.id] = event.input_requested
            case "input_resolved":
                del self.asked[event.input_resolved.input_id]
            case "step_progressed":
                # The lease was extended too, until the step changes again.
                self.stale.add(event.step_progressed.step_id)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_a_watcher_who_applies_events_knows_what_get_run_says(story: Callable[[], Driven]) -> None:
    changes = told(story())
    _, _, begun = next(changes)
    watcher = Watcher(from_run(begun))

    for _, event, after in changes:
        watcher.apply(event)

        present = from_run(after)
        assert watcher.state == present.state
        assert watcher.asked == {each.id: each for each in present.input_requests}
        assert watcher.steps.keys() == {step.id for step in present.steps}
        for step in present.steps:
            assert step.id in watcher.stale or watcher.steps[step.id] == step


def test_a_change_of_state_says_from_where() -> None:
    changes = [event.run_state_changed for event in of_kind(failed(), "run_state_changed")]

    assert [(getattr(each, "from"), each.to) for each in changes] == [
        (pb.RUN_STATE_UNSPECIFIED, pb.RUN_STATE_SUBMITTED),
        (pb.RUN_STATE_SUBMITTED, pb.RUN_STATE_WORKING),
        (pb.RUN_STATE_WORKING, pb.RUN_STATE_FAILED),
    ]


def test_a_heartbeat_without_words_tells_of_the_lease() -> None:
    extended = next(event for recorded, event, _ in told(happy_end()) if _is_heartbeat(recorded.event))

    assert extended.step_changed.usage.input_tokens == 3
    assert extended.step_changed.lease_expire_time.ToDatetime(START.tzinfo) == START + timedelta(seconds=10) + LEASE


def _is_heartbeat(event: Event) -> bool:
    return isinstance(event, happened.LeaseExtended)


def test_a_heartbeat_with_words_tells_the_words() -> None:
    (event,) = of_kind(happy_end(), "step_progressed")

    assert event.step_progressed == pb.StepProgress(step_id="plan", attempt=1, message="half way")


def test_words_of_people_are_told() -> None:
    answers = [event.input_resolved for event in of_kind(happy_end(), "input_resolved")]

    assert [(each.input_id, each.WhichOneof("decision"), each.is_default) for each in answers] == [
        ("plan.approval.1", "reject", False),
        ("plan.approval.2", "approve", False),
        ("ask.question", "answer", True),
        ("tell.question", "answer", False),
    ]
    assert answers[0].reject.comment == "too short"
    assert answers[1].approve.comment == "good"
    assert answers[2].answer.string_value == "a"
    assert of_kind(doubtful(), "input_resolved")[0].input_resolved.reject.fail_run


def test_what_is_asked_is_told_with_its_time() -> None:
    asked = [event.input_requested for event in of_kind(happy_end(), "input_requested")]

    assert [each.id for each in asked] == ["plan.approval.1", "plan.approval.2", "ask.question", "tell.question"]
    assert asked[0].expire_time.seconds - asked[0].create_time.seconds == 3_600


def test_an_expansion_says_how_many() -> None:
    (event,) = of_kind(happy_end(), "step_expanded")

    assert event.step_expanded == pb.StepExpanded(step_id="each", count=2)
