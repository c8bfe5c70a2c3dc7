"""Every state and every command: what happens, and what is refused.

Each row is a run whose step `s` stands somewhere; each column a command about `s`, or its open request, a year later, when
everything that has a deadline is due. A cell says what happens to the run, or what is raised.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest

from ignis_server import errors
from ignis_server.errors import IgnisError
from ignis_server.workflow.commands import (
    AnswerInput,
    ApproveInput,
    CancelRun,
    ClaimStep,
    Command,
    CompleteStep,
    ExpireInput,
    ExpireLease,
    FailStep,
    HeartbeatStep,
    RejectInput,
    RetryStep,
    StartRun,
    TimeOutStep,
)
from ignis_server.workflow.words import Artifact
from support.runs import BROKEN, LEASE, Driven

AFTER = "\n  - {id: t, agent: b, needs: s}\n"
PLAIN = f"name: A\nsteps:\n  - {{id: s, agent: a}}{AFTER}"
BLOCKED = f"name: A\nsteps:\n  - {{id: r, agent: a}}\n  - {{id: s, agent: a, needs: r}}{AFTER}"
APPROVED = f"name: A\nsteps:\n  - {{id: s, agent: a, approval: {{timeout: 1d}}}}{AFTER}"
ASKED = f"name: A\nsteps:\n  - {{id: s, ask: {{prompt: x, timeout: 1d}}}}{AFTER}"
ONCE = f"name: A\nsteps:\n  - {{id: s, agent: a, effect: once}}{AFTER}"
SKIPPED = f"name: A\nsteps:\n  - {{id: s, agent: a, when: 'inputs.no'}}{AFTER}".replace(
    "steps:", "inputs: {no: {type: boolean, default: null}}\nsteps:"
)


def unstarted() -> Driven:
    return Driven(PLAIN, is_started=False)


def pending() -> Driven:
    return Driven(BLOCKED)


def ready() -> Driven:
    return Driven(PLAIN)


def working() -> Driven:
    driven = Driven(PLAIN)
    driven.claim("s")
    return driven


def backing_off() -> Driven:
    driven = Driven(PLAIN)
    driven.fail("s")
    return driven


def ready_again() -> Driven:
    driven = working()
    driven.turn(seconds=31)
    driven.do(ExpireLease("s", 1))
    return driven


def held_for_approval() -> Driven:
    driven = Driven(APPROVED)
    driven.complete("s")
    return driven


def held_for_answer() -> Driven:
    return Driven(ASKED)


def held_for_effect() -> Driven:
    driven = Driven(ONCE)
    driven.claim("s")
    driven.turn(seconds=31)
    driven.do(ExpireLease("s", 1))
    return driven


def completed() -> Driven:
    driven = Driven(PLAIN)
    driven.complete("s")
    return driven


def skipped() -> Driven:
    return Driven(SKIPPED)


def all_completed() -> Driven:
    driven = completed()
    driven.complete("t")
    return driven


def failed() -> Driven:
    driven = Driven(PLAIN)
    for _ in range(3):
        driven.fail("s")
        driven.turn(minutes=2)
        driven.do(RetryStep("s", driven.step("s").attempt))
    return driven


def canceled() -> Driven:
    driven = working()
    driven.do(CancelRun("cancel-1"))
    return driven


def input_id(driven: Driven) -> str:
    return next(iter(driven.run.input_requests), "s.approval.1") if driven.events else "s.approval.1"


COMMANDS: dict[str, Callable[[Driven], Command]] = {
    "start": lambda _: StartRun("start-1"),
    "claim": lambda _: ClaimStep("claim-9", "s", "v", LEASE),
    "beat": lambda _: HeartbeatStep("s", 1, "w"),
    "complete": lambda _: CompleteStep("s", 1, "w", {"a": 1}),
    "fail": lambda _: FailStep("s", 1, "w", BROKEN),
    "expire": lambda _: ExpireLease("s", 1),
    "retry": lambda _: RetryStep("s", 1),
    "time-out": lambda _: TimeOutStep("s", 1),
    "give-up": lambda driven: ExpireInput(input_id(driven)),
    "approve": lambda driven: ApproveInput("say-1", input_id(driven)),
    "reject": lambda driven: RejectInput("say-1", input_id(driven)),
    "answer": lambda driven: AnswerInput("say-1", input_id(driven), 1),
    "cancel": lambda _: CancelRun("cancel-1"),
}

NOTHING = ""
NO_RUN, LOST, NOT_ASKED, UNFIT = "RunNotFound", "LeaseLost", "InputNotFound", "InvalidRequest"
ENDS = "StepCanceled StepCanceled RunCanceled"
DONE = "StepCompleted StepReady"
FAILS = "StepFailed StepCanceled RunFailed"

TABLE: dict[Callable[[], Driven], dict[str, str]] = {
    unstarted: {"start": "RunStarted StepReady"} | dict.fromkeys(list(COMMANDS)[1:], NO_RUN),
    pending: {
        "start": NOTHING,
        "claim": NOTHING,
        "beat": LOST,
        "complete": LOST,
        "fail": LOST,
        "expire": NOTHING,
        "retry": NOTHING,
        "time-out": NOTHING,
        "give-up": NOTHING,
        "approve": NOT_ASKED,
        "reject": NOT_ASKED,
        "answer": NOT_ASKED,
        "cancel": f"StepCanceled {ENDS}",
    },
    ready: {
        "start": NOTHING,
        "claim": "StepClaimed RunStateChanged",
        "beat": LOST,
        "complete": LOST,
        "fail": LOST,
        "expire": NOTHING,
        "retry": NOTHING,
        "time-out": NOTHING,
        "give-up": NOTHING,
        "approve": NOT_ASKED,
        "reject": NOT_ASKED,
        "answer": NOT_ASKED,
        "cancel": ENDS,
    },
    ready_again: {
        "start": NOTHING,
        "claim": "StepClaimed",
        "beat": LOST,
        "complete": LOST,
        "fail": LOST,
        "expire": NOTHING,
        "retry": NOTHING,
        "time-out": NOTHING,
        "give-up": NOTHING,
        "approve": NOT_ASKED,
        "reject": NOT_ASKED,
        "answer": NOT_ASKED,
        "cancel": ENDS,
    },
    working: {
        "start": NOTHING,
        "claim": NOTHING,
        "beat": "LeaseExtended",
        "complete": DONE,
        "fail": "StepBackedOff",
        "expire": "StepReleased",
        "retry": NOTHING,
        "time-out": "StepBackedOff",
        "give-up": NOTHING,
        "approve": NOT_ASKED,
        "reject": NOT_ASKED,
        "answer": NOT_ASKED,
        "cancel": ENDS,
    },
    backing_off: {
        "start": NOTHING,
        "claim": NOTHING,
        "beat": LOST,
        "complete": LOST,
        "fail": NOTHING,
        "expire": NOTHING,
        "retry": "StepReady",
        "time-out": NOTHING,
        "give-up": NOTHING,
        "approve": NOT_ASKED,
        "reject": NOT_ASKED,
        "answer": NOT_ASKED,
        "cancel": ENDS,
    },
    held_for_approval: {
        "start": NOTHING,
        "claim": NOTHING,
        "beat": LOST,
        "complete": NOTHING,
        "fail": LOST,
        "expire": NOTHING,
        "retry": NOTHING,
        "time-out": NOTHING,
        "give-up": FAILS,
        "approve": "InputApproved StepCompleted StepReady RunStateChanged",
        "reject": "InputRejected StepReady RunStateChanged",
        "answer": UNFIT,
        "cancel": ENDS,
    },
    held_for_answer: {
        "start": NOTHING,
        "claim": NOTHING,
        "beat": LOST,
        "complete": LOST,
        "fail": LOST,
        "expire": NOTHING,
        "retry": NOTHING,
        "time-out": NOTHING,
        "give-up": FAILS,
        "approve": UNFIT,
        "reject": "InputRejected StepFailed StepCanceled RunFailed",
        "answer": "InputAnswered StepCompleted StepReady RunStateChanged",
        "cancel": ENDS,
    },
    held_for_effect: {
        "start": NOTHING,
        "claim": NOTHING,
        "beat": LOST,
        "complete": LOST,
        "fail": LOST,
        "expire": NOTHING,
        "retry": NOTHING,
        "time-out": NOTHING,
        "give-up": NOTHING,
        "approve": "InputApproved StepCompleted StepReady RunStateChanged",
        "reject": "InputRejected StepReady RunStateChanged",
        "answer": UNFIT,
        "cancel": ENDS,
    },
    completed: {
        "start": NOTHING,
        "claim": NOTHING,
        "beat": LOST,
        "complete": NOTHING,
        "fail": LOST,
        "expire": NOTHING,
        "retry": NOTHING,
        "time-out": NOTHING,
        "give-up": NOTHING,
        "approve": NOT_ASKED,
        "reject": NOT_ASKED,
        "answer": NOT_ASKED,
        "cancel": "StepCanceled RunCanceled",
    },
    skipped: {
        "start": NOTHING,
        "claim": NOTHING,
        "beat": LOST,
        "complete": LOST,
        "fail": LOST,
        "expire": NOTHING,
        "retry": NOTHING,
        "time-out": NOTHING,
        "give-up": NOTHING,
        "approve": NOT_ASKED,
        "reject": NOT_ASKED,
        "answer": NOT_ASKED,
        "cancel": "StepCanceled RunCanceled",
    },
    all_completed: {
        "start": NOTHING,
        "claim": NOTHING,
        "beat": LOST,
        "complete": NOTHING,
        "fail": LOST,
        "expire": NOTHING,
        "retry": NOTHING,
        "time-out": NOTHING,
        "give-up": NOTHING,
        "approve": NOT_ASKED,
        "reject": NOT_ASKED,
        "answer": NOT_ASKED,
        "cancel": NOTHING,
    },
    failed: {
        "start": NOTHING,
        "claim": NOTHING,
        "beat": LOST,
        "complete": LOST,
        "fail": NOTHING,
        "expire": NOTHING,
        "retry": NOTHING,
        "time-out": NOTHING,
        "give-up": NOTHING,
        "approve": NOT_ASKED,
        "reject": NOT_ASKED,
        "answer": NOT_ASKED,
        "cancel": NOTHING,
    },
    canceled: {
        "start": NOTHING,
        "claim": NOTHING,
        "beat": NOTHING,
        "complete": LOST,
        "fail": LOST,
        "expire": NOTHING,
        "retry": NOTHING,
        "time-out": NOTHING,
        "give-up": NOTHING,
        "approve": NOT_ASKED,
        "reject": NOT_ASKED,
        "answer": NOT_ASKED,
        "cancel": NOTHING,
    },
}


def test_the_table_is_whole() -> None:
    assert [list(row) for row in TABLE.values()] == [list(COMMANDS)] * len(TABLE)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("state", TABLE, ids=lambda state: state.__name__)
def test_each_command_in_each_state(state: Callable[[], Driven], name: str) -> None:
    driven = state()
    driven.turn(days=365)
    expected = TABLE[state][name]
    before = driven.state

    error = getattr(errors, expected, None)
    if error is not None and issubclass(error, IgnisError):
        with pytest.raises(error) as caught:
            driven.do(COMMANDS[name](driven))
        assert type(caught.value) is error
        assert driven.state is before
    else:
        assert " ".join(driven.kinds(COMMANDS[name](driven))) == expected


# What waits until its time has come does nothing before.
EARLY = {
    working: (timedelta(seconds=30), "expire"),
    backing_off: (timedelta(seconds=1), "retry"),
    held_for_approval: (timedelta(days=1), "give-up"),
    held_for_answer: (timedelta(days=1), "give-up"),
}


@pytest.mark.parametrize("state", EARLY, ids=lambda state: state.__name__)
def test_nothing_is_due_before_its_time(state: Callable[[], Driven]) -> None:
    wait, name = EARLY[state]
    driven = state()
    driven.turn(seconds=wait.total_seconds() * 0.79)

    for command in ("expire", "retry", "time-out", "give-up"):
        assert driven.kinds(COMMANDS[command](driven)) == []

    driven.turn(seconds=wait.total_seconds() * 0.21)
    assert driven.kinds(COMMANDS[name](driven)) != []


@pytest.mark.parametrize("name", ["claim", "beat", "complete", "fail", "expire", "retry", "time-out"])
def test_a_step_that_is_not_there_is_told(name: str) -> None:
    driven = Driven(PLAIN.replace("id: s", "id: other").replace("needs: s", "needs: other"))

    with pytest.raises(errors.StepNotFound, match="run 'run-1' has no step 's'"):
        driven.do(COMMANDS[name](driven))


def test_artefacts_of_a_completion_are_kept_without_their_bytes() -> None:
    driven = working()
    artifact = Artifact("report.md", "text/markdown", "sha256:00", 10)

    driven.do(CompleteStep("s", 1, "w", {}, (artifact,)))

    assert getattr(driven.step("s").standing, "artifacts", ()) == (artifact,)
