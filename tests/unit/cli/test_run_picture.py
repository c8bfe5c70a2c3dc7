"""What a watch says, event by event, adds up to the run as it stands."""

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

from ignis_client import (
    Approval,
    InputAnswer,
    Progress,
    RunState,
    RunStateChanged,
    StepDefinition,
    StepExpanded,
    StepProgress,
    StepState,
)
from ignis_server.cli.run_picture import Picture, definition_id_of, depths_of
from support.pictures import a_request, a_run, a_step, an_event


def test_a_changed_step_takes_its_place_and_is_counted() -> None:
    picture = Picture(a_run(a_step("plan"), a_step("build")))

    after = picture.after(an_event(a_step("plan", StepState.COMPLETED, attempt=1, tokens=7)))

    assert [step.state for step in after.run.steps] == [StepState.COMPLETED, StepState.PENDING]
    assert after.run.progress == Progress(1, 2)
    assert after.run.usage.input_tokens == 7
    assert after.run.version == 2


def test_instances_take_the_place_of_a_repeated_step() -> None:
    picture = Picture(a_run(a_step("plan"), a_step("build"), a_step("review")))

    after = picture.after(an_event(StepExpanded("build", 2)))

    assert [step.id for step in after.run.steps] == ["plan", "build[0]", "build[1]", "review"]
    assert after.run.progress.known_steps == 4


def test_a_step_over_nothing_is_no_more() -> None:
    after = Picture(a_run(a_step("build"))).after(an_event(StepExpanded("build", 0)))

    assert after.run.steps == ()


def test_a_request_stands_until_it_is_answered() -> None:
    asking = Picture(a_run(a_step("plan"))).after(an_event(a_request("plan")))
    answered = asking.after(an_event(InputAnswer("plan.1", Approval())))

    assert asking.run.input_requests == (a_request("plan"),)
    assert answered.run.input_requests == ()


def test_a_step_that_changes_asks_no_more() -> None:
    asking = Picture(a_run(a_step("plan"), requests=(a_request("plan"), a_request("other"))))

    after = asking.after(an_event(a_step("plan", StepState.CANCELED)))

    assert after.run.input_requests == (a_request("other"),)


def test_words_of_a_worker_hold_until_its_step_changes() -> None:
    telling = Picture(a_run(a_step("plan", StepState.WORKING))).after(an_event(StepProgress("plan", 1, "half")))
    done = telling.after(an_event(a_step("plan", StepState.COMPLETED)))

    assert telling.told == {"plan": "half"}
    assert done.told == {}


def test_the_end_of_a_run_has_its_time() -> None:
    event = an_event(RunStateChanged(RunState.WORKING, RunState.FAILED))

    after = Picture(a_run(a_step("plan"))).after(event)

    assert (after.run.state, after.run.end_time) == (RunState.FAILED, event.time)


def test_a_new_snapshot_replaces_everything_but_words_on_steps_in_hand() -> None:
    picture = Picture(a_run(a_step("a"), a_step("b")), {"a": "half", "b": "all"})
    snapshot = a_run(a_step("a", StepState.WORKING), a_step("b", StepState.COMPLETED))

    assert picture.after(snapshot) == Picture(snapshot, {"a": "half"})


def test_what_is_not_known_changes_nothing_but_the_version() -> None:
    picture = Picture(a_run(a_step("a")))

    after = picture.after(an_event(None, version=9))

    assert after.run == replace(picture.run, version=9, update_time=after.run.update_time)


def test_a_step_is_as_deep_as_its_longest_chain_of_needs() -> None:
    """Definitions may name steps before those they need."""
    needs = {"last": ("short", "second"), "first": (), "second": ("first",), "short": ()}
    steps = [cast("StepDefinition", SimpleNamespace(id=name, needs=needed)) for name, needed in needs.items()]

    assert depths_of(steps) == {"first": 0, "short": 0, "second": 1, "last": 2}


def test_instances_have_the_id_of_their_step() -> None:
    assert (definition_id_of("build[12]"), definition_id_of("build")) == ("build", "build")
