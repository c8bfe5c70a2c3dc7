"""A draft: a run while events are applied to it. It is private to whoever folds, so that each fold copies a run once."""

from collections.abc import Iterable
from datetime import datetime

from ignis_server.workflow.events import (
    InputAnswered,
    InputApproved,
    InputRejected,
    InputRequested,
    Recorded,
    RunCanceled,
    RunCompleted,
    RunFailed,
    RunStarted,
    RunStateChanged,
    StepExpanded,
)
from ignis_server.workflow.plan import Plan
from ignis_server.workflow.run import (
    Completed,
    Group,
    Held,
    InputRequest,
    Resolution,
    Run,
    State,
    Step,
    Unstarted,
)
from ignis_server.workflow.state_machine.step_changes import StepEvent, changed
from ignis_server.workflow.words import Answer, Approve, Failure, PersonsWord, Reject, RunState, StepState

__all__ = ["Draft", "fold"]


def fold(state: State, events: Iterable[Recorded]) -> State:
    """Return a run as it stands after some events that follow it.

    Raises:
        ValueError: An event does not follow: the journal has a gap, or belongs to another run.
    """
    draft = None if isinstance(state, Unstarted) else Draft.of(state)
    for recorded in events:
        if draft is None:
            draft = Draft.begun(state.plan, recorded)
        else:
            draft.apply(recorded)
    return state if draft is None else draft.run()


class Draft:
    """A run that can be changed.

    `ended` has the ids, as the definition has them, of steps that have ended since it was made, all instances included.
    """

    __slots__ = (
        "create_time",
        "end_time",
        "ended",
        "failure",
        "groups",
        "input_requests",
        "output_bytes",
        "plan",
        "resolutions",
        "started",
        "state",
        "steps",
        "tally",
        "update_time",
        "version",
    )

    def __init__(self, plan: Plan, started: RunStarted, time: datetime) -> None:
        self.plan = plan
        self.started = started
        self.state = RunState.SUBMITTED
        self.version = 1
        self.steps = {
            step_id: Step(step_id, step_id, agent_id=planned.definition.agent)
            for step_id, planned in plan.steps.items()
        }
        self.groups: dict[str, Group] = {}
        self.tally = {StepState.PENDING: len(self.steps)}
        self.input_requests: dict[str, InputRequest] = {}
        self.resolutions: dict[str, Resolution] = {}
        self.failure: Failure | None = None
        self.output_bytes = 0
        self.create_time = self.update_time = time
        self.end_time: datetime | None = None
        self.ended: list[str] = []

    @classmethod
    def begun(cls, plan: Plan, recorded: Recorded) -> "Draft":
        """Return a draft of a run whose first event this is."""
        event = recorded.event
        if recorded.version != 1 or not isinstance(event, RunStarted) or event.definition_digest != plan.digest:
            raise ValueError(f"event {recorded.version} does not begin a run of {plan.definition.id}")
        return cls(plan, event, recorded.time)

    @classmethod
    def of(cls, run: Run) -> "Draft":
        """Return a draft of a run as it stands."""
        draft = cls.__new__(cls)
        draft.plan = run.plan
        draft.started = run.started
        draft.state = run.state
        draft.version = run.version
        draft.steps = dict(run.steps)
        draft.groups = dict(run.groups)
        draft.tally = dict(run.tally)
        draft.input_requests = dict(run.input_requests)
        draft.resolutions = dict(run.resolutions)
        draft.failure = run.failure
        draft.output_bytes = run.output_bytes
        draft.create_time = run.create_time
        draft.update_time = run.update_time
        draft.end_time = run.end_time
        draft.ended = []
        return draft

    def run(self) -> Run:
        """Return the run; the draft is not to be used after that."""
        return Run(
            plan=self.plan,
            started=self.started,
            state=self.state,
            version=self.version,
            steps=self.steps,
            groups=self.groups,
            tally=self.tally,
            input_requests=self.input_requests,
            resolutions=self.resolutions,
            failure=self.failure,
            output_bytes=self.output_bytes,
            create_time=self.create_time,
            update_time=self.update_time,
            end_time=self.end_time,
        )

    def apply(self, recorded: Recorded) -> None:  # noqa: C901 - one case for each kind of event
        """Apply the event that follows."""
        if recorded.version != self.version + 1 or self.state.is_terminal:
            raise ValueError(f"event {recorded.version} does not follow event {self.version} of {self.started.run_id}")
        self.version = recorded.version
        self.update_time = time = recorded.time
        match recorded.event:
            case RunStateChanged(state):
                self.state = state
            case RunCompleted():
                self._end(RunState.COMPLETED, time)
            case RunFailed(failure):
                self.failure = failure
                self._end(RunState.FAILED, time)
            case RunCanceled():
                self._end(RunState.CANCELED, time)
            case StepExpanded(step_id, count):
                self._expand(self.steps[step_id], count)
            case InputRequested() as event:
                self.input_requests[event.input_id] = InputRequest(
                    event.input_id, event.step_id, event.kind, event.prompt, event.choices, time, event.expire_time
                )
            case InputApproved(input_id, command_id, comment):
                self._resolve(input_id, Approve(comment), command_id)
            case InputRejected(input_id, command_id, comment, fail_run):
                self._resolve(input_id, Reject(comment, fail_run=fail_run), command_id)
            case InputAnswered(input_id, command_id, answer):
                self._resolve(input_id, Answer(answer), command_id)
            case RunStarted():
                raise ValueError(f"the run {self.started.run_id} begins again")
            case event:
                self._change(event, time)

    def is_ended(self, step_id: str) -> bool:
        """Tell whether a step of the definition has ended, all instances included."""
        group = self.groups.get(step_id)
        return self.steps[step_id].state.is_terminal if group is None else not group.open

    def is_pending(self, step_id: str) -> bool:
        """Tell whether a step of the definition has not come up yet."""
        step = self.steps.get(step_id)
        return step is not None and step.state is StepState.PENDING

    def _end(self, state: RunState, time: datetime) -> None:
        self.state = state
        self.end_time = time

    def _change(self, event: StepEvent, time: datetime) -> None:
        before = self.steps[event.step_id]
        after = changed(before, event, time)
        self.steps[before.id] = after
        if before.state is not after.state:
            self._count(before, -1)
            self._count(after, 1)
            if isinstance(before.standing, Held):
                self._close_requests(before.id)
            if after.state.is_terminal:
                self._ended(after)

    def _count(self, step: Step, change: int) -> None:
        self.tally[step.state] = self.tally.get(step.state, 0) + change

    def _close_requests(self, step_id: str) -> None:
        """Ask no more for a step that does not wait any more, whatever the reason."""
        for input_id in [each.id for each in self.input_requests.values() if each.step_id == step_id]:
            del self.input_requests[input_id]

    def _ended(self, step: Step) -> None:
        if isinstance(step.standing, Completed):
            self.output_bytes += len(step.standing.output)
        if step.index is None:
            self.ended.append(step.definition_id)
            return
        group = self.groups[step.definition_id]
        self.groups[step.definition_id] = Group(group.count, group.open - 1)
        if group.open == 1:
            self.ended.append(step.definition_id)

    def _expand(self, step: Step, count: int) -> None:
        del self.steps[step.id]
        for index in range(count):
            instance = Step(f"{step.id}[{index}]", step.definition_id, index, agent_id=step.agent_id)
            self.steps[instance.id] = instance
        self.groups[step.id] = Group(count, count)
        self.tally[StepState.PENDING] = self.tally[StepState.PENDING] - 1 + count

    def _resolve(self, input_id: str, word: PersonsWord, command_id: str) -> None:
        request = self.input_requests.pop(input_id)
        self.resolutions[input_id] = Resolution(input_id, request.step_id, word, command_id, self.version)
