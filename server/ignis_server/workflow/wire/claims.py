"""What workers are answered: the step that one has claimed, its lease, and how its reports were taken."""

from collections.abc import Iterable

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.workflow.run import Run
from ignis_server.workflow.state_machine import Claimed, Extended, StepInputs
from ignis_server.workflow.wire.definitions import from_step_definition
from ignis_server.workflow.wire.documents import from_document, from_value
from ignis_server.workflow.wire.parts import RUN_STATES, from_time
from ignis_server.workflow.wire.people import from_resolution
from ignis_server.workflow.wire.steps import from_step

__all__ = ["from_bundle", "from_claimed", "from_completed", "from_extended", "from_failed", "from_lease"]


def from_lease(run_id: str, lease: Claimed | Extended) -> pb.Lease:
    """Encode a lease."""
    return pb.Lease(
        run_id=run_id,
        step_id=lease.step_id,
        attempt=lease.attempt,
        worker_id=lease.worker_id,
        expire_time=from_time(lease.expire_time),
    )


def from_bundle(digest: str, content: str, *, tokens: int, agents: Iterable[str]) -> pb.AgentBundle:
    """Encode the text of a step's agent; `agents` are ids, each with "@" and its digest."""
    return pb.AgentBundle(digest=digest, content=content, tokens=tokens, agents=agents)


def from_claimed(
    run: Run, claimed: Claimed, given: StepInputs, bundle: pb.AgentBundle | None = None
) -> pb.ClaimStepResponse:
    """Encode everything that a worker needs to do the step that it has claimed."""
    step = run.steps[claimed.step_id]
    return pb.ClaimStepResponse(
        claimed=pb.ClaimedStep(
            lease=from_lease(run.id, claimed),
            definition=from_step_definition(run.planned(step).definition),
            inputs=from_document(given.document),
            item=None if given.item is None else from_value(given.item),
            bundle=bundle,
            trace_context=run.started.trace_context,
            answers=map(from_resolution, run.resolutions_of(step.id)),
            idempotency_key=f"{run.id}/{step.id}",
            references=(
                pb.OutputReference(step_id=each.step_id, digest=each.digest, size_bytes=each.size_bytes)
                for each in given.references
            ),
        )
    )


def from_extended(run_id: str, extended: Extended) -> pb.HeartbeatStepResponse:
    """Encode an extended lease, and whether the worker is to stop."""
    return pb.HeartbeatStepResponse(lease=from_lease(run_id, extended), is_canceled=extended.is_canceled)


def from_completed(run: Run, step_id: str) -> pb.CompleteStepResponse:
    """Encode where a step and its run stand after a completion."""
    return pb.CompleteStepResponse(step=from_step(run.steps[step_id]), run_state=RUN_STATES[run.state])


def from_failed(run: Run, step_id: str) -> pb.FailStepResponse:
    """Encode where a step and its run stand after an attempt has failed."""
    return pb.FailStepResponse(step=from_step(run.steps[step_id]), run_state=RUN_STATES[run.state])
