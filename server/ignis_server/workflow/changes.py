"""What a decision changes beside its events: the rows by which steps are claimed, runs swept, and lists made. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from ignis_server.workflow.events import Event, StepExpanded
from ignis_server.workflow.journal import ClaimableStep, Lease, RunSummary
from ignis_server.workflow.run import Run, Step, Working
from ignis_server.workflow.state_machine import Decision, next_deadline
from ignis_server.workflow.words import StepState

__all__ = ["Changes", "changes_of", "summary_of"]


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be written of a decision.

    Attributes:
        summary: The run as it stands after it.
        touched: Ids of steps of which earlier rows no longer hold, besides those that have new ones.
        claimable: Steps that can be claimed now.
        leases: Steps that a worker has now.
        deadline: When the run must be looked at.
    """

    summary: RunSummary
    touched: tuple[str, ...]
    claimable: tuple[ClaimableStep, ...]
    leases: tuple[Lease, ...]
    deadline: datetime | None


def changes_of(decision: Decision) -> Changes:
    """Return what is to be written of a decision with events."""
    run = decision.run
    touched = tuple(dict.fromkeys(_touched(recorded.event for recorded in decision.events)))
    steps = [run.steps[step_id] for step_id in touched if step_id in run.steps]
    return Changes(
        summary=summary_of(run),
        touched=touched,
        claimable=tuple(_claimable(run, step) for step in steps if step.state is StepState.READY),
        leases=tuple(_lease(run, step, step.standing) for step in steps if isinstance(step.standing, Working)),
        deadline=next_deadline(run),
    )


def summary_of(run: Run) -> RunSummary:
    """Return a run without its steps."""
    return RunSummary(
        id=run.id,
        definition_id=run.started.definition_id,
        definition_digest=run.started.definition_digest,
        state=run.state,
        version=run.version,
        labels=run.started.labels,
        create_time=run.create_time,
        update_time=run.update_time,
        end_time=run.end_time,
        ended_steps=sum(count for state, count in run.tally.items() if state.is_terminal),
        known_steps=len(run.steps),
        usage=run.usage(),
        failure=run.failure,
    )


def _touched(events: Iterator[Event]) -> Iterator[str]:
    for event in events:
        step_id = getattr(event, "step_id", "")
        # An expanded step was never ready: only its instances are.
        if step_id and not isinstance(event, StepExpanded):
            yield step_id


def _claimable(run: Run, step: Step) -> ClaimableStep:
    required = run.planned(step).definition.required_capabilities
    return ClaimableStep(run.id, step.id, step.attempt, step.agent_id, tuple(sorted(set(required))), run.update_time)


def _lease(run: Run, step: Step, standing: Working) -> Lease:
    return Lease(run.id, step.id, step.attempt, standing.worker_id, standing.claim_id, standing.lease_until)
