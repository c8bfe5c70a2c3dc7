"""Runs for tests: driven by commands, under a clock turned by hand, and checked after each of them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from ignis_server.workflow.commands import (
    ClaimStep,
    Command,
    CompleteStep,
    FailStep,
    StartRun,
)
from ignis_server.workflow.event_codec import decode_events, encode_events
from ignis_server.workflow.events import Recorded
from ignis_server.workflow.model import Definition, Effect
from ignis_server.workflow.plan import Plan
from ignis_server.workflow.run import Completed, Held, InputRequest, Pending, Run, State, Step, Unstarted, Working
from ignis_server.workflow.state_machine import CommandAnswer, Decision, decide, fold, next_deadline, step_inputs
from ignis_server.workflow.values import Value, decode
from ignis_server.workflow.words import Failure, StepState, TokenUsage
from support.workflows import definition_of

__all__ = ["BROKEN", "FINAL", "LEASE", "START", "Driven", "check_run"]

START = datetime(2026, 1, 1, tzinfo=UTC)
LEASE = timedelta(seconds=30)
BROKEN = Failure("model-refused", "the model is busy", is_retryable=True)
FINAL = Failure("nonsense", "nothing can be done with this")


class Driven:
    """A run of a workflow, given as text in our own format or as it is, in which each command is decided and checked."""

    def __init__(
        self, workflow: str | Definition, inputs: Mapping[str, Value] | None = None, *, is_started: bool = True
    ) -> None:
        self.plan = Plan.of(definition_of(workflow) if isinstance(workflow, str) else workflow)
        self.now = START
        self.state: State = Unstarted("run-1", self.plan)
        self.events: list[Recorded] = []
        self._claims = 0
        if is_started:
            self.do(StartRun("start-1", inputs or {}))

    @property
    def run(self) -> Run:
        """The run, which has begun."""
        assert isinstance(self.state, Run)
        return self.state

    def do(self, command: Command) -> CommandAnswer:
        """Decide a command, take its events, and return the answer."""
        decision = decide(self.state, command, self.now)
        check_decision(self.state, decision)
        self.state = decision.run
        self.events += decision.events
        return decision.answer

    def kinds(self, command: Command) -> list[str]:
        """Decide a command, take its events, and return their names."""
        before = len(self.events)
        self.do(command)
        return [type(each.event).__name__ for each in self.events[before:]]

    def turn(self, **span: float) -> None:
        """Let time pass."""
        self.now += timedelta(**span)

    def step(self, step_id: str) -> Step:
        """Return a step as it stands."""
        return self.run.steps[step_id]

    def states(self) -> dict[str, str]:
        """Return where every step stands, in order."""
        return {step.id: step.state.value for step in self.run.ordered_steps()}

    def output(self, step_id: str) -> Value:
        """Return what a step has made."""
        output = self.step(step_id).output
        return None if output is None else decode(output)

    def claim(self, step_id: str, worker_id: str = "w", **also: str) -> CommandAnswer:
        """Claim a step for a worker."""
        self._claims += 1
        return self.do(ClaimStep(f"claim-{self._claims}", step_id, worker_id, LEASE, **also))

    def complete(
        self, step_id: str, output: Mapping[str, Value] | None = None, *, usage: TokenUsage | None = None
    ) -> CommandAnswer:
        """Claim a step and complete it, or complete it where it is claimed."""
        if self.step(step_id).state is StepState.READY:
            self.claim(step_id)
        step = self.step(step_id)
        assert isinstance(step.standing, Working)
        return self.do(CompleteStep(step_id, step.attempt, step.standing.worker_id, output or {}, usage=usage))

    def fail(self, step_id: str, failure: Failure = BROKEN) -> CommandAnswer:
        """Claim a step and report that the attempt failed."""
        if self.step(step_id).state is StepState.READY:
            self.claim(step_id)
        step = self.step(step_id)
        assert isinstance(step.standing, Working)
        return self.do(FailStep(step_id, step.attempt, step.standing.worker_id, failure))

    def echo(self, say: Callable[[InputRequest], Command] | None = None) -> None:
        """Do every step that comes up as the echo executor does, and let `say` answer what people are asked, to the end."""
        while not self.run.state.is_terminal:
            step = next(self.run.claimable_steps(), None)
            if step is not None:
                given = step_inputs(self.run, step)
                outputs = self.run.planned(step).definition.outputs
                self.complete(step.id, {name: f"{name} of {len(given.document)} bytes" for name in outputs})
            else:
                assert say
                self.do(say(next(iter(self.run.input_requests.values()))))


def check_decision(before: State, decision: Decision) -> None:
    """Check that events follow what was before, come back from their bytes, and give the run that was decided upon."""
    events = decision.events
    if events:
        assert decode_events(encode_events(events)) == events
        assert fold(before, events) == decision.run
    else:
        assert decision.run is before
    if isinstance(before, Run):
        assert not (before.state.is_terminal and events)
        assert [each.version for each in events] == list(range(before.version + 1, decision.run.version + 1))
        assert all(each.time >= before.update_time for each in events)
    check_run(decision.run)


def check_run(run: Run) -> None:
    """Check what holds for every run, whatever has happened to it."""
    tally = dict.fromkeys(StepState, 0)
    for step in run.steps.values():
        tally[step.state] += 1
        definition = run.planned(step).definition
        assert (step.end_time is not None) is step.state.is_terminal
        assert step.attempt == 0 or step.start_time is not None
        assert len({(report.attempt, report.is_completion) for report in step.reports}) == len(step.reports)
        assert sum(report.is_completion and report.state is StepState.COMPLETED for report in step.reports) <= 1
        if isinstance(step.standing, Held):
            assert [each.step_id for each in run.input_requests.values()].count(step.id) == 1
        if definition.effect is Effect.ONCE:
            sent_back = [each for each in run.resolutions.values() if each.step_id == step.id]
            assert step.attempt <= 1 + len(sent_back)
        if not isinstance(step.standing, Pending):
            assert all(_has_ended(run, need) for need in definition.needs)
    assert tally == {state: run.tally.get(state, 0) for state in StepState}
    assert all(isinstance(run.steps[each.step_id].standing, Held) for each in run.input_requests.values())
    assert run.output_bytes == sum(
        len(step.standing.output) for step in run.steps.values() if isinstance(step.standing, Completed)
    )
    for step_id, group in run.groups.items():
        instances = [run.steps[f"{step_id}[{index}]"] for index in range(group.count)]
        assert group.open == sum(not instance.state.is_terminal for instance in instances)
    assert run.state.is_terminal == all(step.state.is_terminal for step in run.steps.values())
    assert (run.end_time is not None) is run.state.is_terminal
    if not run.state.is_terminal:
        # Never stuck: somebody can do something, or something will happen by itself.
        assert any(run.claimable_steps()) or next_deadline(run) or run.input_requests
    else:
        assert next_deadline(run) is None
        assert not run.input_requests
        assert not any(run.claimable_steps())


def _has_ended(run: Run, step_id: str) -> bool:
    group = run.groups.get(step_id)
    return group.open == 0 if group else run.steps[step_id].state.is_terminal
