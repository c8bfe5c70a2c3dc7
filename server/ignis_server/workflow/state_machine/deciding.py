"""The state machine: a command and a state give events, and nothing else happens."""

from dataclasses import dataclass
from datetime import datetime

from ignis_server.errors import RunNotFound
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
from ignis_server.workflow.events import Recorded, RunCanceled
from ignis_server.workflow.run import Run, State, Unstarted
from ignis_server.workflow.state_machine import answers, deadlines, leases, people, reports, starting
from ignis_server.workflow.state_machine.answers import CommandAnswer
from ignis_server.workflow.state_machine.draft import Draft
from ignis_server.workflow.state_machine.settling import cancel_open_steps, settle
from ignis_server.workflow.state_machine.transition import Transition

__all__ = ["Decision", "decide"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a command comes to.

    Attributes:
        events: What happens, to be written down together or not at all; none where nothing does.
        answer: What whoever gave the command is told.
        run: The run after the events.
    """

    events: tuple[Recorded, ...]
    answer: CommandAnswer
    run: Run


def decide(state: State, command: Command, now: datetime) -> Decision:
    """Decide what a command comes to.

    Raises:
        RunNotFound: The run has not begun, and this is not its start.
        StepNotFound, InputNotFound: The run has nothing of that id.
        LeaseLost: A worker reports on an attempt that is not its any more.
        InputAlreadyResolved, RequestIdReused: What is said contradicts what was said before.
        OutputTooLarge, InvalidRequest: What was sent cannot be kept.
    """
    answer: CommandAnswer
    if isinstance(state, Unstarted):
        if not isinstance(command, StartRun):
            raise RunNotFound(state.run_id)
        transition, answer = starting.begin(state, command, now)
    elif isinstance(command, StartRun):
        return Decision((), starting.begun_before(state, command), state)
    else:
        transition = Transition(Draft.of(state), now)
        answer = _decided(transition, command)
        if not transition.events:
            return Decision((), answer, state)
    settle(transition)
    return Decision(tuple(transition.events), answer, transition.draft.run())


def _decided(transition: Transition, command: Command) -> CommandAnswer:  # noqa: C901, PLR0911 - one case for each command
    match command:
        case ClaimStep():
            return leases.claim(transition, command)
        case HeartbeatStep():
            return leases.heartbeat(transition, command)
        case CompleteStep():
            return reports.complete(transition, command)
        case FailStep():
            return reports.report_failure(transition, command)
        case ApproveInput() | RejectInput() | AnswerInput():
            return people.resolve(transition, command)
        case ExpireLease():
            return deadlines.expire_lease(transition, command)
        case TimeOutStep():
            return deadlines.time_out(transition, command)
        case RetryStep():
            return deadlines.retry(transition, command)
        case ExpireInput():
            return deadlines.expire_input(transition, command)
        case CancelRun():
            return _cancel(transition, command)
        case StartRun():
            raise AssertionError("a start is decided by itself")


def _cancel(transition: Transition, command: CancelRun) -> answers.Canceled:
    if not transition.draft.state.is_terminal:
        cancel_open_steps(transition)
        transition.emit(RunCanceled(command.command_id, command.reason))
    return answers.Canceled(transition.draft.version)
