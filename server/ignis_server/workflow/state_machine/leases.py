"""Workers and their leases: claiming, and staying alive. One worker at a time has a step."""

from datetime import timedelta

from ignis_server.errors import LeaseLost
from ignis_server.workflow.commands import ClaimStep, CompleteStep, FailStep, HeartbeatStep
from ignis_server.workflow.events import LeaseExtended, StepClaimed
from ignis_server.workflow.run import Canceled, Ready, Step, Working
from ignis_server.workflow.state_machine.answers import Claimed, Extended, Unclaimable
from ignis_server.workflow.state_machine.transition import Transition

__all__ = ["claim", "heartbeat", "held_lease"]

# Every heartbeat is an event that is kept: a sixth of the lease leaves a worker that beats at a third of it unthrottled.
RECORDED_SHARE = 6
# Words on the progress are recorded once a second at most.
MESSAGE_PAUSE = timedelta(seconds=1)


def claim(transition: Transition, command: ClaimStep) -> Claimed | Unclaimable:
    """Give a step that is ready to a worker; whoever is too late learns where it stands."""
    step = transition.step(command.step_id)
    standing = step.standing
    if isinstance(standing, Working) and standing.claim_id == command.command_id:
        return Claimed(step.id, step.attempt, standing.worker_id, standing.lease_until)
    if transition.draft.state.is_terminal or not isinstance(standing, Ready):
        return Unclaimable(step.id, step.state)
    definition = transition.planned(step).definition
    event = StepClaimed(
        step_id=step.id,
        attempt=step.attempt + 1,
        worker_id=command.worker_id,
        claim_id=command.command_id,
        agent_id=command.agent_id if definition.is_selected else step.agent_id,
        lease=command.lease,
        lease_until=transition.now + command.lease,
        times_out_at=transition.now + definition.timeout,
    )
    transition.emit(event)
    return Claimed(step.id, event.attempt, event.worker_id, event.lease_until)


def heartbeat(transition: Transition, command: HeartbeatStep) -> Extended:
    """Extend a lease. A heartbeat that would extend it by little is not recorded, and the lease stays as it is.

    Raises:
        LeaseLost: The attempt has no lease any more, and the run goes on without it.
    """
    step = transition.step(command.step_id)
    if isinstance(step.standing, Canceled) and step.attempt == command.attempt:
        return Extended(step.id, step.attempt, command.worker_id, transition.draft.update_time, is_canceled=True)
    lease = held_lease(step, command)
    last = lease.lease_until - lease.lease
    pause = min(MESSAGE_PAUSE, lease.lease / RECORDED_SHARE) if command.message else lease.lease / RECORDED_SHARE
    if transition.now - last < pause:
        return Extended(step.id, step.attempt, lease.worker_id, lease.lease_until)
    until = transition.now + lease.lease
    transition.emit(LeaseExtended(step.id, step.attempt, until, command.message, command.usage))
    return Extended(step.id, step.attempt, lease.worker_id, until)


def held_lease(step: Step, command: HeartbeatStep | CompleteStep | FailStep) -> Working:
    """Return the lease that a worker says it has. One that has run out and was not noticed holds still.

    Raises:
        LeaseLost: It is another's, or nobody's.
    """
    standing = step.standing
    if isinstance(standing, Working) and step.attempt == command.attempt and standing.worker_id == command.worker_id:
        return standing
    raise LeaseLost(
        step.id,
        attempt=command.attempt,
        latest_attempt=step.attempt,
        worker_id=command.worker_id,
        state=step.state.value,
    )
