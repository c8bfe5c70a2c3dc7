"""Between the messages of workers and the client's types, as `_wire` is for the agents'."""

from collections.abc import Iterable, Mapping
from datetime import UTC, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_client._definition_wire import to_step_definition
from ignis_client._json import from_object, to_object, to_value
from ignis_client._run_wire import from_artifact, from_failure, from_usage, to_input_answer, to_run_state, to_step
from ignis_client._texts import listed
from ignis_client.claims import AgentBundle, ClaimedStep, Heartbeat, Lease, OutputReference, Reported
from ignis_client.run import Artifact, StepFailure, TokenUsage
from ignis_client.values import JsonValue

__all__ = [
    "from_claim",
    "from_completion",
    "from_failed_attempt",
    "from_heartbeat",
    "to_claimed",
    "to_heartbeat",
    "to_reported",
]


def from_claim(  # noqa: PLR0913 - as many as the request has fields
    *,
    request_id: str,
    worker_id: str,
    agents: Iterable[str],
    capabilities: Iterable[str],
    run_id: str,
    wait: float,
    lease: float,
) -> pb.ClaimStepRequest:
    """Encode what ClaimStep is asked.

    Raises:
        TypeError: The agents or the capabilities are one string.
    """
    return pb.ClaimStepRequest(
        worker_id=worker_id,
        agents=listed("agents", agents),
        capabilities=listed("capabilities", capabilities),
        run_id=run_id,
        wait=_from_span(timedelta(seconds=wait)),
        lease=_from_span(timedelta(seconds=lease)),
        request_id=request_id,
    )


def from_heartbeat(lease: Lease, progress_message: str, usage: TokenUsage | None) -> pb.HeartbeatStepRequest:
    """Encode a sign of life."""
    return pb.HeartbeatStepRequest(
        lease=_from_lease(lease),
        progress_message=progress_message,
        usage=None if usage is None else from_usage(usage),
    )


def from_completion(
    lease: Lease, output: Mapping[str, JsonValue], artifacts: Iterable[Artifact], usage: TokenUsage | None
) -> pb.CompleteStepRequest:
    """Encode the report that a step is done.

    Raises:
        TypeError, ValueError: The output is nothing that JSON can say.
    """
    return pb.CompleteStepRequest(
        lease=_from_lease(lease),
        output=from_object("output", output),
        artifacts=map(from_artifact, artifacts),
        usage=None if usage is None else from_usage(usage),
    )


def from_failed_attempt(
    lease: Lease, failure: StepFailure, usage: TokenUsage | None, retry_after: timedelta | None
) -> pb.FailStepRequest:
    """Encode the report that an attempt failed."""
    return pb.FailStepRequest(
        lease=_from_lease(lease),
        failure=from_failure(failure),
        usage=None if usage is None else from_usage(usage),
        retry_after=None if retry_after is None else _from_span(retry_after),
    )


def to_claimed(response: pb.ClaimStepResponse) -> ClaimedStep | None:
    """Decode a step to do, or nothing."""
    if not response.HasField("claimed"):
        return None
    claimed = response.claimed
    bundle = claimed.bundle
    return ClaimedStep(
        lease=_to_lease(claimed.lease),
        definition=to_step_definition(claimed.definition),
        inputs=to_object(claimed.inputs),
        item=to_value(claimed.item),
        bundle=AgentBundle(bundle.digest, bundle.content, bundle.tokens, tuple(bundle.agents)),
        trace_context=dict(claimed.trace_context),
        answers=tuple(map(to_input_answer, claimed.answers)),
        idempotency_key=claimed.idempotency_key,
        references=tuple(OutputReference(each.step_id, each.digest, each.size_bytes) for each in claimed.references),
    )


def to_heartbeat(response: pb.HeartbeatStepResponse) -> Heartbeat:
    """Decode whether to go on."""
    return Heartbeat(lease=_to_lease(response.lease), is_canceled=response.is_canceled)


def to_reported(response: pb.CompleteStepResponse | pb.FailStepResponse) -> Reported:
    """Decode what became of a report."""
    return Reported(step=to_step(response.step), run_state=to_run_state(response.run_state))


def _from_lease(lease: Lease) -> pb.Lease:
    expire_time = Timestamp()
    expire_time.FromDatetime(lease.expire_time)
    return pb.Lease(
        run_id=lease.run_id,
        step_id=lease.step_id,
        attempt=lease.attempt,
        worker_id=lease.worker_id,
        expire_time=expire_time,
    )


def _to_lease(lease: pb.Lease) -> Lease:
    return Lease(
        run_id=lease.run_id,
        step_id=lease.step_id,
        attempt=lease.attempt,
        worker_id=lease.worker_id,
        expire_time=lease.expire_time.ToDatetime(tzinfo=UTC),
    )


def _from_span(span: timedelta) -> Duration:
    duration = Duration()
    duration.FromTimedelta(span)
    return duration
