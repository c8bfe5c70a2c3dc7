"""The state machine beside a model that is too simple to be wrong, under whatever may come in whatever order."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ignis_server.errors import InputAlreadyResolved, InputNotFound, InvalidRequest, LeaseLost
from ignis_server.workflow.commands import (
    AnswerInput,
    ApproveInput,
    CancelRun,
    ClaimStep,
    Command,
    CompleteStep,
    ExpireLease,
    FailStep,
    HeartbeatStep,
    RejectInput,
    RetryStep,
    TimeOutStep,
)
from ignis_server.workflow.events import StepClaimed, StepCompleted
from ignis_server.workflow.model import (
    Approval,
    Definition,
    Effect,
    Question,
    RetryPolicy,
    StepDefinition,
    StepKind,
)
from ignis_server.workflow.run import Unstarted
from ignis_server.workflow.state_machine import fold
from support.run_model import ModelRun, ModelStep
from support.runs import BROKEN, FINAL, LEASE, Driven

WORKERS = ("w0", "w1")
WORDS: dict[str, Callable[[str, str], Command]] = {
    "approve": ApproveInput,
    "reject": RejectInput,
    "reject-run": lambda command_id, input_id: RejectInput(command_id, input_id, fail_run=True),
    "answer": lambda command_id, input_id: AnswerInput(command_id, input_id, 1),
}


@st.composite
def workflows(draw: st.DrawFn) -> list[ModelStep]:
    """Up to five steps, each of which may need any before it."""
    steps: list[ModelStep] = []
    for number in range(draw(st.integers(1, 5))):
        before = [step.id for step in steps]
        needs = draw(st.lists(st.sampled_from(before), unique=True)) if before else []
        kind = draw(st.sampled_from(["work", "work", "work", "question", "milestone"]))
        is_work = kind == "work"
        steps.append(
            ModelStep(
                id=f"s{number}",
                needs=tuple(needs),
                kind=kind,
                is_done=draw(st.sampled_from([True, True, True, False])),
                width=draw(st.sampled_from([None, None, None, 0, 1, 3])),
                is_once=is_work and draw(st.booleans()),
                is_approved=is_work and draw(st.sampled_from([True, False, False])),
                is_optional=draw(st.sampled_from([True, False, False])),
            )
        )
    return steps


def definition_of(steps: list[ModelStep]) -> Definition:
    """The same as a definition."""
    return Definition("flow", "Flow", steps=tuple(map(_step, steps)))


def _step(step: ModelStep) -> StepDefinition:
    return StepDefinition(
        id=step.id,
        kind=StepKind(step.kind),
        agent="a" if step.kind == "work" else "",
        needs=step.needs,
        when="" if step.is_done else "false",
        for_each="" if step.width is None else f"range({step.width})",
        approval=Approval() if step.is_approved else None,
        question=Question("?") if step.kind == "question" else None,
        is_optional=step.is_optional,
        effect=Effect.ONCE if step.is_once else Effect.NONE,
        retry=RetryPolicy(2, timedelta(), timedelta()),
    )


class RunAgainstModel(RuleBasedStateMachine):
    """Gives each command to both, and compares what comes of it."""

    @initialize(steps=workflows())
    def begin(self, steps: list[ModelStep]) -> None:
        self.model = ModelRun(steps)
        self.driven = Driven(definition_of(steps))
        self.commands = 0

    def both(self, command: Command, expected: str) -> None:
        """Give a command to the machine, of which the model has said what comes of it."""
        before = self.driven.run.version
        outcome = "ok"
        try:
            self.driven.do(command)
        except LeaseLost:
            outcome = "lost"
        except InputNotFound:
            outcome = "not-asked"
        except InvalidRequest:
            outcome = "unfit"
        except InputAlreadyResolved:
            outcome = "resolved"
        if outcome == "ok" and self.driven.run.version == before:
            outcome = "nothing"
        assert outcome == expected

    def new_id(self) -> str:
        self.commands += 1
        return f"command-{self.commands}"

    def drawn_step(self, data: st.DataObject, *, working: bool = True) -> tuple[str, int]:
        """A step, mostly one that somebody works on, and an attempt of it, mostly the latest."""
        keys = sorted(self.model.instances)
        busy = [key for key in keys if self.model.instances[key].phase == ("working" if working else "ready")]
        key = data.draw(st.sampled_from(busy * 4 + keys if busy else keys))
        latest = self.model.instances[key].attempt
        return key, data.draw(st.sampled_from([latest] * 5 + [max(latest - 1, 0), latest + 1]))

    def worker_of(self, data: st.DataObject, key: str) -> str:
        owner = self.model.instances[key].owner or "w0"
        return data.draw(st.sampled_from([owner] * 5 + list(WORKERS)))

    @rule(data=st.data(), worker=st.sampled_from(WORKERS))
    def claim(self, data: st.DataObject, worker: str) -> None:
        key, _ = self.drawn_step(data, working=False)
        self.both(ClaimStep(self.new_id(), key, worker, LEASE), self.model.claim(key, worker))

    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        key, attempt = self.drawn_step(data)
        worker = self.worker_of(data, key)
        self.both(CompleteStep(key, attempt, worker, {"made": key}), self.model.complete(key, attempt, worker))

    @rule(data=st.data(), may_retry=st.sampled_from([True, True, False]))
    def fail(self, data: st.DataObject, may_retry: bool) -> None:  # noqa: FBT001 - drawn
        key, attempt = self.drawn_step(data)
        worker = self.worker_of(data, key)
        expected = self.model.fail(key, attempt, worker, may_retry=may_retry)
        self.both(FailStep(key, attempt, worker, BROKEN if may_retry else FINAL), expected)

    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        key, attempt = self.drawn_step(data)
        self.driven.turn(seconds=31)
        self.both(ExpireLease(key, attempt), self.model.lose(key, attempt))

    @rule(data=st.data())
    def time_out(self, data: st.DataObject) -> None:
        key, attempt = self.drawn_step(data)
        self.driven.turn(hours=2)
        self.both(TimeOutStep(key, attempt), self.model.time_out(key, attempt))

    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        key, attempt = self.drawn_step(data)
        self.both(RetryStep(key, attempt), self.model.retry(key, attempt))

    @rule(data=st.data())
    @precondition(lambda self: any(each.phase == "backing-off" for each in self.model.instances.values()))
    def retry_what_backs_off(self, data: st.DataObject) -> None:
        waiting = sorted(key for key, each in self.model.instances.items() if each.phase == "backing-off")
        key = data.draw(st.sampled_from(waiting))
        attempt = self.model.instances[key].attempt
        self.both(RetryStep(key, attempt), self.model.retry(key, attempt))

    @rule(data=st.data())
    def beat(self, data: st.DataObject) -> None:
        key, attempt = self.drawn_step(data)
        instance = self.model.instances[key]
        worker = self.worker_of(data, key)
        self.driven.turn(seconds=10)
        if instance.phase == "canceled" and instance.attempt == attempt:
            expected = "nothing"
        else:
            expected = (
                "ok" if (instance.phase, instance.attempt, instance.owner) == ("working", attempt, worker) else "lost"
            )
        self.both(HeartbeatStep(key, attempt, worker), expected)

    @rule(data=st.data(), word=st.sampled_from(sorted(WORDS)))
    @precondition(lambda self: any(self.model.questions()))
    def say(self, data: st.DataObject, word: str) -> None:
        question = data.draw(st.sampled_from(sorted(self.model.questions())))
        self.both(WORDS[word](self.new_id(), question), self.model.say(question, word))

    @rule(luck=st.integers(0, 9))
    def cancel(self, luck: int) -> None:
        if not luck:
            self.both(CancelRun(self.new_id()), self.model.cancel())

    @invariant()
    def both_stand_alike(self) -> None:
        phases = {step.id: (step.state.value, step.attempt) for step in self.driven.run.steps.values()}
        assert phases == self.model.phases()
        assert self.driven.run.state.value == self.model.phase

    def teardown(self) -> None:
        """Fold everything from the beginning, and count what may happen only once."""
        driven = self.driven
        assert fold(Unstarted("run-1", driven.plan), driven.events) == driven.run
        completed = Counter(each.event.step_id for each in driven.events if isinstance(each.event, StepCompleted))
        assert set(completed.values()) <= {1}
        claimed = Counter(
            (each.event.step_id, each.event.attempt) for each in driven.events if isinstance(each.event, StepClaimed)
        )
        assert set(claimed.values()) <= {1}


TestRunAgainstModel = RunAgainstModel.TestCase
TestRunAgainstModel.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
