"""What an event makes of the step that it is about."""

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple, TypeAlias

from ignis_server.workflow.events import (
    LeaseExtended,
    StepBackedOff,
    StepCanceled,
    StepClaimed,
    StepCompleted,
    StepFailed,
    StepHeld,
    StepReady,
    StepReleased,
    StepSkipped,
)
from ignis_server.workflow.run import (
    BackingOff,
    Canceled,
    Completed,
    Failed,
    Held,
    Ready,
    Report,
    Skipped,
    Standing,
    Step,
    Working,
)
from ignis_server.workflow.values import EMPTY
from ignis_server.workflow.words import Failure, TokenUsage

__all__ = ["StepEvent", "changed"]

StepEvent: TypeAlias = (
    StepReady
    | StepClaimed
    | LeaseExtended
    | StepCompleted
    | StepHeld
    | StepSkipped
    | StepBackedOff
    | StepReleased
    | StepFailed
    | StepCanceled
)


class _End(NamedTuple):
    """How an attempt ended, if one was under way."""

    usage: TokenUsage | None = None
    failure: Failure | None = None
    is_reported: bool = False


def changed(step: Step, event: StepEvent, time: datetime) -> Step:  # noqa: C901, PLR0911 - one case for each event
    """Return a step as it stands after an event."""
    match event:
        case StepReady():
            return _ready(step)
        case StepClaimed():
            return _claimed(step, event, time)
        case LeaseExtended():
            return _extended(step, event)
        case StepReleased():
            return _moved(step, Ready(), time, _End(failure=event.failure))
        case StepCompleted():
            return _moved(step, _completed(step, event), time, _End(event.usage, is_reported=True))
        case StepHeld():
            held = Held(event.output, event.artifacts)
            return _moved(step, held, time, _End(event.usage, event.failure, event.is_reported))
        case StepBackedOff():
            backing_off = BackingOff(event.until)
            return _moved(step, backing_off, time, _End(event.usage, event.failure, event.is_reported))
        case StepSkipped():
            skipped = Skipped(event.reason)
            return _moved(step, skipped, time, _End(event.usage, event.failure, event.is_reported))
        case StepFailed():
            return _moved(step, Failed(), time, _End(event.usage, event.failure, event.is_reported))
        case StepCanceled():
            return _moved(step, Canceled(), time, _End())


def _ready(step: Step) -> Step:
    """Return a step that can be claimed; for one that a person sent back counting begins anew."""
    if isinstance(step.standing, Held):
        return replace(step, standing=Ready(), failures=0, lost_leases=0)
    return replace(step, standing=Ready())


def _claimed(step: Step, event: StepClaimed, time: datetime) -> Step:
    return replace(
        step,
        standing=Working(event.worker_id, event.claim_id, event.lease, event.lease_until, event.times_out_at),
        agent_id=event.agent_id or step.agent_id,
        attempt=event.attempt,
        start_time=step.start_time or time,
    )


def _extended(step: Step, event: LeaseExtended) -> Step:
    if not isinstance(step.standing, Working):
        raise ValueError(f"the lease of {step.id} is extended, and nobody has it")  # noqa: TRY004 - a broken journal
    return replace(
        step,
        standing=replace(step.standing, lease_until=event.lease_until, usage=event.usage or step.standing.usage),
    )


def _completed(step: Step, event: StepCompleted) -> Completed:
    held = step.standing if isinstance(step.standing, Held) else Held()
    output = event.output if event.output is not None else held.output
    return Completed(
        output if output is not None else EMPTY,
        event.artifacts if event.artifacts is not None else held.artifacts,
    )


def _moved(step: Step, standing: Standing, time: datetime, end: _End) -> Step:
    """Return a step in another standing, with report and tokens of the attempt that ends with that, if one was under way.

    Everything at once: copying a step is most of what an event costs.
    """
    lease = step.standing if isinstance(step.standing, Working) else None
    used = (end.usage or lease.usage) if lease else None
    report = Report(step.attempt, is_completion=end.failure is None, state=standing.state)
    return replace(
        step,
        standing=standing,
        failures=step.failures + isinstance(standing, BackingOff),
        lost_leases=step.lost_leases + isinstance(standing, Ready),
        failure=end.failure or step.failure,
        usage=step.usage + used if used else step.usage,
        reports=(*step.reports, report) if lease and end.is_reported else step.reports,
        end_time=time if standing.state.is_terminal else None,
    )
