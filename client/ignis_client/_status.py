"""From gRPC's one error to ours: reads the details of a status and picks the class."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from ignis_client import errors
from ignis_client.errors import Failure, IgnisError, Violation

__all__ = ["BY_CODE", "BY_REASON", "error_from"]

DOMAIN: Final = "ignis"
DETAILS_KEY: Final = "grpc-status-details-bin"

BY_REASON: Final[Mapping[str, type[IgnisError]]] = MappingProxyType(
    {
        "INTERNAL": errors.ServerError,
        "INVALID_REQUEST": errors.InvalidRequest,
        "MALFORMED_MESSAGE": errors.InvalidRequest,
        "PAGE_TOKEN_INVALID": errors.PageTokenInvalid,
        "FEATURE_UNAVAILABLE": errors.FeatureUnavailable,
        "METHOD_UNAVAILABLE": errors.FeatureUnavailable,
        "SHUTTING_DOWN": errors.Unavailable,
        "AGENT_NOT_FOUND": errors.AgentNotFound,
        "AMBIGUOUS_AGENT": errors.AmbiguousAgent,
        "TEAM_NOT_FOUND": errors.TeamNotFound,
        "BUDGET_TOO_SMALL": errors.BudgetTooSmall,
        "REVISION_TOO_OLD": errors.RevisionTooOld,
        "TOO_MANY_WATCHERS": errors.LimitReached,
        "REQUEST_ID_REUSED": errors.RequestIdReused,
        "DEFINITION_NOT_FOUND": errors.DefinitionNotFound,
        "DEFINITION_INVALID": errors.DefinitionInvalid,
        "RUN_NOT_FOUND": errors.RunNotFound,
        "STEP_NOT_FOUND": errors.StepNotFound,
        "INPUT_NOT_FOUND": errors.InputNotFound,
        "LEASE_LOST": errors.LeaseLost,
        "INPUT_ALREADY_RESOLVED": errors.InputAlreadyResolved,
        "OUTPUT_TOO_LARGE": errors.OutputTooLarge,
        "TOO_MANY_RUNS": errors.TooManyRuns,
        "TOO_MANY_WAITERS": errors.TooManyWaiters,
        "RESUME_TOKEN_INVALID": errors.ResumeTokenInvalid,
        "RESUME_TOKEN_TOO_OLD": errors.ResumeTokenTooOld,
        "WATCHER_TOO_SLOW": errors.WatcherTooSlow,
        "STORE_UNAVAILABLE": errors.StoreUnavailable,
        "OUTBOX_FULL": errors.OutboxFull,
        "DESTINATION_NOT_FOUND": errors.DestinationNotFound,
        "DESTINATION_CANNOT_VERIFY": errors.DestinationCannotVerify,
        "DESTINATION_UNAVAILABLE": errors.DestinationUnavailable,
    }
)
BY_CODE: Final[Mapping[grpc.StatusCode, type[IgnisError]]] = MappingProxyType(
    {
        grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequest,
        grpc.StatusCode.NOT_FOUND: errors.NotFound,
        grpc.StatusCode.UNIMPLEMENTED: errors.FeatureUnavailable,
        grpc.StatusCode.UNAUTHENTICATED: errors.AccessDenied,
        grpc.StatusCode.PERMISSION_DENIED: errors.AccessDenied,
        grpc.StatusCode.RESOURCE_EXHAUSTED: errors.LimitReached,
        grpc.StatusCode.UNAVAILABLE: errors.Unavailable,
        grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
        grpc.StatusCode.INTERNAL: errors.ServerError,
        grpc.StatusCode.UNKNOWN: errors.ServerError,
        grpc.StatusCode.DATA_LOSS: errors.ServerError,
    }
)

MessageType = TypeVar("MessageType", bound=Message)


def error_from(rpc_error: grpc.aio.AioRpcError) -> IgnisError:
    """Return what the error of a call means."""
    failure = _failure_of(rpc_error)
    try:
        return BY_REASON[failure.reason](failure)
    except (KeyError, ValueError):
        # No reason, one that is newer than this client, or one without the facts its class reads: the code
        # still says what the caller can do.
        return BY_CODE.get(failure.code, IgnisError)(failure)


def _failure_of(rpc_error: grpc.aio.AioRpcError) -> Failure:
    code = rpc_error.code()
    message = rpc_error.details() or f"the call ended with {code.name} and no message"
    try:
        status = _status_of(rpc_error)
        infos = (each for each in _unpacked(status, ErrorInfo) if each.domain == DOMAIN)
        info = next(infos, ErrorInfo())
        advice = next(_unpacked(status, RetryInfo), None)
        return Failure(
            message=message,
            code=code,
            reason=info.reason,
            metadata=dict(info.metadata),
            retry_after=advice.retry_delay.ToTimedelta() if advice else None,
            violations=tuple(
                Violation(each.field, each.description)
                for request in _unpacked(status, BadRequest)
                for each in request.field_violations
            ),
        )
    except (DecodeError, OverflowError, ValueError):
        # Details only add to a status: unreadable ones must not hide it.
        return Failure(message, code)


def _status_of(rpc_error: grpc.aio.AioRpcError) -> Status:
    for key, value in rpc_error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            return Status.FromString(value)
    return Status()


def _unpacked(status: Status, kind: type[MessageType]) -> Iterator[MessageType]:
    for detail in status.details:
        message = kind()
        if detail.Unpack(message):
            yield message
