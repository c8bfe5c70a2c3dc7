"""What several messages have in common: enums, times, tokens, failures, pages."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.rpc.checks import Checks
from ignis_server.workflow.words import Failure, InputKind, RunState, StepState, TokenUsage

__all__ = [
    "INPUT_KINDS",
    "MAX_PAGE_BYTES",
    "RUN_STATES",
    "STEP_STATES",
    "from_failure",
    "from_span",
    "from_time",
    "from_usage",
    "to_span",
    "to_time",
    "to_usage",
    "within",
]

# Below the 4 MiB that gRPC clients accept unless told otherwise.
MAX_PAGE_BYTES: Final = 2 << 20
# What 10,000 steps of 1,000 attempts use together is still below 2^63; a model writes that much in a century.
MAX_TOKENS: Final = 100_000_000_000
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# The years 1 to 9999, as google.protobuf.Timestamp has it.
FIRST_SECOND: Final = -62_135_596_800
LAST_SECOND: Final = 253_402_300_799
NANOS: Final = 1_000_000_000
RUN_STATES: Final = {
    RunState.SUBMITTED: pb.RUN_STATE_SUBMITTED,
    RunState.WORKING: pb.RUN_STATE_WORKING,
    RunState.INPUT_REQUIRED: pb.RUN_STATE_INPUT_REQUIRED,
    RunState.COMPLETED: pb.RUN_STATE_COMPLETED,
    RunState.FAILED: pb.RUN_STATE_FAILED,
    RunState.CANCELED: pb.RUN_STATE_CANCELED,
}
STEP_STATES: Final = {
    StepState.PENDING: pb.STEP_STATE_PENDING,
    StepState.READY: pb.STEP_STATE_READY,
    StepState.WORKING: pb.STEP_STATE_WORKING,
    StepState.BACKING_OFF: pb.STEP_STATE_BACKING_OFF,
    StepState.INPUT_REQUIRED: pb.STEP_STATE_INPUT_REQUIRED,
    StepState.COMPLETED: pb.STEP_STATE_COMPLETED,
    StepState.SKIPPED: pb.STEP_STATE_SKIPPED,
    StepState.FAILED: pb.STEP_STATE_FAILED,
    StepState.CANCELED: pb.STEP_STATE_CANCELED,
}
INPUT_KINDS: Final = {
    InputKind.APPROVAL: pb.INPUT_KIND_APPROVAL,
    InputKind.QUESTION: pb.INPUT_KIND_QUESTION,
    InputKind.UNKNOWN_EFFECT: pb.INPUT_KIND_UNKNOWN_EFFECT,
}
M = TypeVar("M", bound=Message)


def to_time(checks: Checks, field: str, message: Timestamp) -> datetime:
    """Read a moment. What is finer than a microsecond is rounded up: a run that began before it still did."""
    if not (FIRST_SECOND <= message.seconds < LAST_SECOND and 0 <= message.nanos < NANOS):
        checks.add(field, f"{message.seconds} s and {message.nanos} ns is no moment of the years 1 to 9999: send one")
        return EPOCH
    return EPOCH + timedelta(seconds=message.seconds, microseconds=-(-message.nanos // 1_000))


def from_time(time: datetime | None) -> Timestamp | None:
    """Write a moment."""
    if time is None:
        return None
    message = Timestamp()
    message.FromDatetime(time)
    return message


def to_span(checks: Checks, field: str, message: Duration, *, least: timedelta, most: timedelta) -> timedelta:
    """Read a span that lies between two."""
    nanos = message.seconds * NANOS + message.nanos
    if not _nanos(least) <= nanos <= _nanos(most):
        fact = f"{nanos / NANOS:g} s is not between {least.total_seconds():g} s and {most.total_seconds():g} s"
        checks.add(field, f"{fact}: send a span of that range")
        return least
    return timedelta(microseconds=nanos // 1_000)


def _nanos(span: timedelta) -> int:
    return span // timedelta(microseconds=1) * 1_000


def from_span(span: timedelta | None) -> Duration | None:
    """Write a span."""
    if span is None:
        return None
    message = Duration()
    message.FromTimedelta(span)
    return message


def to_usage(checks: Checks, message: pb.TokenUsage) -> TokenUsage:
    """Read the tokens of an attempt."""
    usage = TokenUsage(
        message.input_tokens, message.output_tokens, message.cache_read_tokens, message.cache_write_tokens
    )
    for name in TokenUsage.__slots__:
        count: int = getattr(usage, name)
        if not 0 <= count <= MAX_TOKENS:
            checks.add(f"usage.{name}", f"{count} is not between 0 and {MAX_TOKENS}: send this attempt's tokens")
    return usage


def from_usage(usage: TokenUsage) -> pb.TokenUsage:
    """Write tokens."""
    return pb.TokenUsage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )


def from_failure(failure: Failure | None) -> pb.StepFailure | None:
    """Write why an attempt failed, or a run."""
    if failure is None:
        return None
    return pb.StepFailure(
        code=failure.code, message=failure.message, retryable=failure.is_retryable, step_id=failure.step_id
    )


def within(max_bytes: int, messages: Iterable[M]) -> Iterator[M]:
    """Take messages while they fit in a page, and the first one at any rate."""
    size = 0
    for number, message in enumerate(messages):
        size += message.ByteSize()
        if number and size > max_bytes:
            return
        yield message
