"""ClaimStep, HeartbeatStep, CompleteStep and FailStep: what workers send, validated."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from google.protobuf.duration_pb2 import Duration

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.rpc.checks import Checks
from ignis_server.workflow.commands import CompleteStep, FailStep, HeartbeatStep
from ignis_server.workflow.journal import Offer
from ignis_server.workflow.limits import MAX_ATTEMPTS, MAX_ID_CHARACTERS
from ignis_server.workflow.wire.artifacts import to_artifacts
from ignis_server.workflow.wire.documents import to_document
from ignis_server.workflow.wire.identifiers import (
    to_message,
    to_name,
    to_names,
    to_request_id,
    to_run_id,
    to_step_id,
    to_worker_id,
)
from ignis_server.workflow.wire.parts import to_span, to_usage
from ignis_server.workflow.words import Failure, TokenUsage

__all__ = ["Claim", "Completion", "to_claim", "to_completion", "to_failure", "to_heartbeat"]

MAX_AGENTS: Final = 128
MAX_OFFERED_CAPABILITIES: Final = 64
DEFAULT_WAIT: Final = timedelta(seconds=20)
MAX_WAIT: Final = timedelta(seconds=60)
DEFAULT_LEASE: Final = timedelta(seconds=30)
MIN_LEASE: Final = timedelta(seconds=5)
MAX_LEASE: Final = timedelta(hours=1)
MAX_RETRY_AFTER: Final = timedelta(hours=1)
MAX_PROGRESS_CHARACTERS: Final = 512
MAX_FAILURE_CHARACTERS: Final = 4_096
Reporting: TypeAlias = pb.HeartbeatStepRequest | pb.CompleteStepRequest | pb.FailStepRequest


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's services: what it does, for how long it waits, and for how long it wants the step.

    `offer.agents` are as the worker names them, by id or unique name.
    """

    request_id: str
    worker_id: str
    offer: Offer
    wait: timedelta
    lease: timedelta


@dataclass(frozen=True, slots=True)
class Completion:
    """A step that is done, and the bytes of its artefacts that were sent along, by their digest."""

    run_id: str
    command: CompleteStep
    blobs: Mapping[str, bytes]


def to_claim(request: pb.ClaimStepRequest) -> Claim:
    """Validate an offer. A step's executor is one of the capabilities that it requires, and so of those offered.

    Raises:
        InvalidRequest: The request breaks rules; all of them are named.
    """
    checks = Checks()
    lease = DEFAULT_LEASE
    if request.HasField("lease"):
        lease = to_span(checks, "lease", request.lease, least=MIN_LEASE, most=MAX_LEASE)
    offer = Offer(
        capabilities=to_names(checks, "capabilities", request.capabilities, max_count=MAX_OFFERED_CAPABILITIES),
        agents=to_names(checks, "agents", request.agents, max_count=MAX_AGENTS, max_characters=MAX_ID_CHARACTERS),
        run_id=to_run_id(checks, request.run_id) if request.run_id else "",
    )
    claim = Claim(
        to_request_id(checks, request.request_id),
        to_worker_id(checks, request.worker_id),
        offer,
        _to_wait(checks, request.wait) if request.HasField("wait") else DEFAULT_WAIT,
        lease,
    )
    checks.finish()
    return claim


def _to_wait(checks: Checks, message: Duration) -> timedelta:
    """Read how long to wait; what is too long is reduced."""
    if message.seconds >= MAX_WAIT.total_seconds():
        return MAX_WAIT
    return to_span(checks, "wait", message, least=timedelta(), most=MAX_WAIT)


def to_heartbeat(request: pb.HeartbeatStepRequest) -> tuple[str, HeartbeatStep]:
    """Validate a sign of life: the run's id, and the command.

    Raises:
        InvalidRequest: The request breaks rules; all of them are named.
    """
    checks = Checks()
    lease = _to_lease(checks, request)
    message = to_message(checks, "progress_message", request.progress_message, max_characters=MAX_PROGRESS_CHARACTERS)
    usage = _to_usage(checks, request)
    checks.finish()
    return lease.run_id, HeartbeatStep(lease.step_id, lease.attempt, lease.worker_id, message, usage)


def to_completion(request: pb.CompleteStepRequest) -> Completion:
    """Validate the report that a step is done; whether its output is too large is decided with the run.

    Raises:
        InvalidRequest: The request breaks rules; all of them are named.
    """
    checks = Checks()
    lease = _to_lease(checks, request)
    output = to_document(checks, "output", request.output)
    artifacts, blobs = to_artifacts(checks, request.artifacts)
    usage = _to_usage(checks, request)
    checks.finish()
    command = CompleteStep(lease.step_id, lease.attempt, lease.worker_id, output, artifacts, usage)
    return Completion(lease.run_id, command, blobs)


def to_failure(request: pb.FailStepRequest) -> tuple[str, FailStep]:
    """Validate the report that an attempt failed: the run's id, and the command.

    Raises:
        InvalidRequest: The request breaks rules; all of them are named.
    """
    checks = Checks()
    lease = _to_lease(checks, request)
    code = to_name(checks, "failure.code", request.failure.code)
    message = to_message(checks, "failure.message", request.failure.message, max_characters=MAX_FAILURE_CHARACTERS)
    retry_after = to_span(checks, "retry_after", request.retry_after, least=timedelta(), most=MAX_RETRY_AFTER)
    usage = _to_usage(checks, request)
    checks.finish()
    failure = Failure(code, message, is_retryable=request.failure.retryable)
    return lease.run_id, FailStep(lease.step_id, lease.attempt, lease.worker_id, failure, usage, retry_after)


@dataclass(frozen=True, slots=True)
class _Lease:
    """Of a lease what counts when it is sent back: when it ends, only the journal knows."""

    run_id: str
    step_id: str
    attempt: int
    worker_id: str


def _to_lease(checks: Checks, request: Reporting) -> _Lease:
    if not request.HasField("lease"):
        checks.add("lease", "is required: send it as it was claimed")
        return _Lease("", "", 0, "")
    lease = request.lease
    if not 1 <= lease.attempt <= MAX_ATTEMPTS:
        checks.add(
            "lease.attempt", f"{lease.attempt} is not between 1 and {MAX_ATTEMPTS}: send the lease as it was claimed"
        )
    return _Lease(
        to_run_id(checks, lease.run_id, "lease.run_id"),
        to_step_id(checks, lease.step_id, "lease.step_id"),
        lease.attempt,
        to_worker_id(checks, lease.worker_id, "lease.worker_id"),
    )


def _to_usage(checks: Checks, request: Reporting) -> TokenUsage | None:
    return to_usage(checks, request.usage) if request.HasField("usage") else None
