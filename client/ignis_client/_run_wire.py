"""Between the messages of runs and the client's types, as `_wire` is for the agents'."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_client._json import from_object, from_value, to_object, to_value
from ignis_client.people import Answer, Approval, Decision, InputAnswer, InputKind, InputRequest, Rejection
from ignis_client.run import Artifact, Progress, Run, RunState, Step, StepFailure, StepState, TokenUsage
from ignis_client.run_events import RunChange, RunEvent, RunStateChanged, StepExpanded, StepProgress
from ignis_client.values import JsonValue

__all__ = [
    "from_answer",
    "from_artifact",
    "from_failure",
    "from_run_listing",
    "from_start",
    "from_usage",
    "to_event",
    "to_input_answer",
    "to_run",
    "to_run_state",
    "to_step",
]

NUMBER_OF_RUN_STATE: Final[Mapping[RunState, pb.RunState.ValueType]] = MappingProxyType(
    {
        RunState.UNKNOWN: pb.RUN_STATE_UNSPECIFIED,
        RunState.SUBMITTED: pb.RUN_STATE_SUBMITTED,
        RunState.WORKING: pb.RUN_STATE_WORKING,
        RunState.INPUT_REQUIRED: pb.RUN_STATE_INPUT_REQUIRED,
        RunState.COMPLETED: pb.RUN_STATE_COMPLETED,
        RunState.FAILED: pb.RUN_STATE_FAILED,
        RunState.CANCELED: pb.RUN_STATE_CANCELED,
    }
)
RUN_STATE_OF_NUMBER: Final = {int(number): meaning for meaning, number in NUMBER_OF_RUN_STATE.items()}
STEP_STATE_OF_NUMBER: Final = {
    int(pb.STEP_STATE_PENDING): StepState.PENDING,
    int(pb.STEP_STATE_READY): StepState.READY,
    int(pb.STEP_STATE_WORKING): StepState.WORKING,
    int(pb.STEP_STATE_BACKING_OFF): StepState.BACKING_OFF,
    int(pb.STEP_STATE_INPUT_REQUIRED): StepState.INPUT_REQUIRED,
    int(pb.STEP_STATE_COMPLETED): StepState.COMPLETED,
    int(pb.STEP_STATE_SKIPPED): StepState.SKIPPED,
    int(pb.STEP_STATE_FAILED): StepState.FAILED,
    int(pb.STEP_STATE_CANCELED): StepState.CANCELED,
}
INPUT_KIND_OF_NUMBER: Final = {
    int(pb.INPUT_KIND_APPROVAL): InputKind.APPROVAL,
    int(pb.INPUT_KIND_QUESTION): InputKind.QUESTION,
    int(pb.INPUT_KIND_UNKNOWN_EFFECT): InputKind.UNKNOWN_EFFECT,
}


def from_start(  # noqa: PLR0913 - as many as the request has fields
    *,
    request_id: str,
    definition: str,
    brief: str,
    inputs: Mapping[str, JsonValue],
    step_budget_tokens: int | None,
    labels: Mapping[str, str],
) -> pb.StartRunRequest:
    """Encode what StartRun is asked.

    Raises:
        TypeError, ValueError: The inputs hold something that JSON cannot say, or the budget is no number of 64 bits.
    """
    return pb.StartRunRequest(
        request_id=request_id,
        definition=definition,
        brief=brief,
        inputs=from_object("inputs", inputs) if inputs else None,
        step_budget_tokens=step_budget_tokens,
        labels=labels,
    )


def from_run_listing(  # noqa: PLR0913 - as many as the request has fields
    *,
    states: Iterable[RunState],
    definition_id: str,
    labels: Mapping[str, str],
    create_time_from: datetime | None,
    create_time_until: datetime | None,
    page_size: int,
) -> pb.ListRunsRequest:
    """Encode what ListRuns is asked.

    Raises:
        TypeError: The states are one string.
        ValueError: A time has no zone.
    """
    if isinstance(states, str):
        raise TypeError("states is one state: put it into a list")
    return pb.ListRunsRequest(
        states=[NUMBER_OF_RUN_STATE[each] for each in states],
        definition_id=definition_id,
        labels=labels,
        create_time_from=_from_time("create_time_from", create_time_from),
        create_time_until=_from_time("create_time_until", create_time_until),
        page_size=page_size,
    )


def from_answer(input_id: str, decision: Decision) -> pb.InputAnswer:
    """Encode what a person said.

    Raises:
        TypeError, ValueError: The answer is nothing that JSON can say.
    """
    match decision:
        case Approval(comment):
            return pb.InputAnswer(input_id=input_id, approve=pb.Approval(comment=comment))
        case Rejection(comment, fail_run):
            return pb.InputAnswer(input_id=input_id, reject=pb.Rejection(comment=comment, fail_run=fail_run))
        case Answer(value):
            return pb.InputAnswer(input_id=input_id, answer=from_value("answer", value))


def from_usage(usage: TokenUsage) -> pb.TokenUsage:
    """Encode tokens."""
    return pb.TokenUsage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )


def from_failure(failure: StepFailure) -> pb.StepFailure:
    """Encode why an attempt failed."""
    return pb.StepFailure(code=failure.code, message=failure.message, retryable=failure.retryable)


def from_artifact(artifact: Artifact) -> pb.Artifact:
    """Encode something that a step made."""
    message = pb.Artifact(
        name=artifact.name, media_type=artifact.media_type, digest=artifact.digest, size_bytes=artifact.size_bytes
    )
    if artifact.uri is not None:
        message.uri = artifact.uri
    elif artifact.content is not None:
        message.content = artifact.content
    return message


def to_run(run: pb.Run) -> Run:
    """Decode a run."""
    return Run(
        id=run.id,
        definition_id=run.definition_id,
        definition_digest=run.definition_digest,
        state=to_run_state(run.state),
        steps=tuple(map(to_step, run.steps)),
        input_requests=tuple(map(_to_input_request, run.input_requests)),
        failure=_to_failure(run.failure) if run.HasField("failure") else None,
        create_time=run.create_time.ToDatetime(tzinfo=UTC),
        update_time=run.update_time.ToDatetime(tzinfo=UTC),
        end_time=_to_time(run.end_time, is_there=run.HasField("end_time")),
        version=run.version,
        labels=dict(run.labels),
        progress=Progress(run.progress.ended_steps, run.progress.known_steps),
        usage=_to_usage(run.usage),
    )


def to_run_state(number: int) -> RunState:
    """Decode where a run stands."""
    return RUN_STATE_OF_NUMBER.get(number, RunState.UNKNOWN)


def to_step(step: pb.Step) -> Step:
    """Decode a step of a run."""
    return Step(
        id=step.id,
        state=STEP_STATE_OF_NUMBER.get(step.state, StepState.UNKNOWN),
        agent_id=step.agent_id,
        attempt=step.attempt,
        worker_id=step.worker_id,
        lease_expire_time=_to_time(step.lease_expire_time, is_there=step.HasField("lease_expire_time")),
        output=to_object(step.output) if step.HasField("output") else None,
        artifacts=tuple(map(_to_artifact, step.artifacts)),
        failure=_to_failure(step.failure) if step.HasField("failure") else None,
        usage=_to_usage(step.usage),
        start_time=_to_time(step.start_time, is_there=step.HasField("start_time")),
        end_time=_to_time(step.end_time, is_there=step.HasField("end_time")),
        output_digest=step.output_digest,
        output_size_bytes=step.output_size_bytes,
    )


def to_event(event: pb.RunEvent) -> RunEvent:
    """Decode an event."""
    return RunEvent(version=event.version, time=event.time.ToDatetime(tzinfo=UTC), change=_to_change(event))


def to_input_answer(answer: pb.InputAnswer) -> InputAnswer:
    """Decode what a person said."""
    return InputAnswer(input_id=answer.input_id, decision=_to_decision(answer), is_default=answer.is_default)


def _to_change(event: pb.RunEvent) -> RunChange | None:  # noqa: PLR0911 - one for each kind
    match event.WhichOneof("event"):
        case "run_state_changed":
            changed = event.run_state_changed
            return RunStateChanged(before=to_run_state(getattr(changed, "from")), after=to_run_state(changed.to))
        case "step_changed":
            return to_step(event.step_changed)
        case "input_requested":
            return _to_input_request(event.input_requested)
        case "input_resolved":
            return to_input_answer(event.input_resolved)
        case "step_progressed":
            told = event.step_progressed
            return StepProgress(told.step_id, told.attempt, told.message)
        case "step_expanded":
            return StepExpanded(event.step_expanded.step_id, event.step_expanded.count)
        case _:
            return None


def _to_decision(answer: pb.InputAnswer) -> Decision | None:
    match answer.WhichOneof("decision"):
        case "approve":
            return Approval(answer.approve.comment)
        case "reject":
            return Rejection(answer.reject.comment, answer.reject.fail_run)
        case "answer":
            return Answer(to_value(answer.answer))
        case _:
            return None


def _to_input_request(request: pb.InputRequest) -> InputRequest:
    return InputRequest(
        id=request.id,
        step_id=request.step_id,
        kind=INPUT_KIND_OF_NUMBER.get(request.kind, InputKind.UNKNOWN),
        prompt=request.prompt,
        create_time=request.create_time.ToDatetime(tzinfo=UTC),
        expire_time=_to_time(request.expire_time, is_there=request.HasField("expire_time")),
        choices=tuple(request.choices),
    )


def _to_failure(failure: pb.StepFailure) -> StepFailure:
    return StepFailure(code=failure.code, message=failure.message, retryable=failure.retryable, step_id=failure.step_id)


def _to_artifact(artifact: pb.Artifact) -> Artifact:
    location = artifact.WhichOneof("location")
    return Artifact(
        name=artifact.name,
        media_type=artifact.media_type,
        digest=artifact.digest,
        size_bytes=artifact.size_bytes,
        content=artifact.content if location == "content" else None,
        uri=artifact.uri if location == "uri" else None,
    )


def _to_usage(usage: pb.TokenUsage) -> TokenUsage:
    return TokenUsage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )


def _to_time(time: Timestamp, *, is_there: bool) -> datetime | None:
    return time.ToDatetime(tzinfo=UTC) if is_there else None


def _from_time(field: str, time: datetime | None) -> Timestamp | None:
    if time is None:
        return None
    if time.tzinfo is None:
        raise ValueError(f"{field}: {time.isoformat()} has no time zone")
    timestamp = Timestamp()
    timestamp.FromDatetime(time)
    return timestamp
