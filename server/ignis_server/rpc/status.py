"""The one table from errors of the domain to what a caller sees: code, reason, facts, advice.

Codes follow AIP-193 and AIP-194: they say what the caller should do. Each fact in the message also stands
in the metadata of google.rpc.ErrorInfo.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import grpc
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from ignis_server import errors
from ignis_server.errors import IgnisError, Violation

__all__ = ["DOMAIN", "NEVER_SENT", "TABLE", "Failure", "failure_of", "new_error_id", "unforeseen_failure"]

DOMAIN = "ignis"

# Errors that end the process at start-up or a command of the CLI, and never meet a caller.
NEVER_SENT = frozenset(
    {errors.AddressUnusable, errors.CatalogUnusable, errors.SettingsInvalid, errors.WorkflowsUnusable}
)

DETAILS_KEY = "grpc-status-details-bin"
PUSHBACK_KEY = "grpc-retry-pushback-ms"

# A status travels in a header block, of which receivers allow 8 KiB by default and beyond which the whole error is
# lost. The message is in it twice, once percent-encoded (a byte that is not ASCII becomes three), and the details
# are base64 (four for three). At their limits: 3 x 480 + 4/3 x (480 + 3 x 256 + 12 x (160 + 64)) = 6.7 KiB.
MAX_MESSAGE_BYTES = 480
MAX_FACT_BYTES = 256
MAX_VIOLATIONS = 12
MAX_FIELD_BYTES = 64
MAX_DESCRIPTION_BYTES = 160


@dataclass(frozen=True, slots=True)
class Failure:
    """How a call ends that does not end well."""

    code: grpc.StatusCode
    reason: str
    message: str
    metadata: Mapping[str, str]
    details: tuple[Message, ...] = ()
    retry_seconds: int | None = None

    def trailing_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """Pack the details as google.rpc.Status, in the trailer where clients look for it.

        Advice on retrying is also given in the trailer that gRPC's own retries follow (gRFC A6).
        """
        status = Status(code=self.code.value[0], message=self.message)
        info = ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=dict(self.metadata))
        for detail in (info, *self.details):
            status.details.add().Pack(detail)
        details = (DETAILS_KEY, status.SerializeToString(deterministic=True))
        if self.retry_seconds is None:
            return (details,)
        return (details, (PUSHBACK_KEY, str(self.retry_seconds * 1_000)))


@dataclass(frozen=True, slots=True)
class _Row:
    code: grpc.StatusCode
    reason: str
    facts: Callable[..., dict[str, str]]
    violations: Callable[..., tuple[Violation, ...]] = lambda _: ()
    retry_seconds: int | None = None


def _listed(items: Sequence[str]) -> str:
    """Join as many items as a fact may hold, whole, by commas; a comma within an item is written %2C."""
    kept: list[str] = []
    room = MAX_FACT_BYTES
    for item in items:
        written = item.replace(",", "%2C")
        room -= len(written.encode()) + 1
        if room < 0:
            break
        kept.append(written)
    return ",".join(kept)


_INVALID = grpc.StatusCode.INVALID_ARGUMENT
_NOT_FOUND = grpc.StatusCode.NOT_FOUND
_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
_UNIMPLEMENTED = grpc.StatusCode.UNIMPLEMENTED

TABLE: Mapping[type[IgnisError], _Row] = MappingProxyType(
    {
        errors.InvalidRequest: _Row(
            _INVALID,
            "INVALID_REQUEST",
            lambda e: {
                "violations": str(len(e.violations)),
                "fields": _listed([each.field for each in e.violations]),
            },
            lambda e: e.violations,
        ),
        errors.MalformedMessage: _Row(_INVALID, "MALFORMED_MESSAGE", lambda e: {"message_type": e.message_type}),
        errors.PageTokenInvalid: _Row(
            _INVALID,
            "PAGE_TOKEN_INVALID",
            lambda e: {"method": e.method},
            lambda e: (Violation("page_token", str(e)),),
        ),
        errors.MethodUnavailable: _Row(_UNIMPLEMENTED, "METHOD_UNAVAILABLE", lambda e: {"method": e.method}),
        errors.AgentNotFound: _Row(
            _NOT_FOUND, "AGENT_NOT_FOUND", lambda e: {"agent": e.agent, "nearest": _listed(e.nearest)}
        ),
        errors.AmbiguousAgent: _Row(
            _INVALID,
            "AMBIGUOUS_AGENT",
            lambda e: {"agent": e.agent, "ids": _listed(e.agent_ids), "count": str(e.count)},
        ),
        errors.TeamNotFound: _Row(
            _NOT_FOUND, "TEAM_NOT_FOUND", lambda e: {"team": e.team, "nearest": _listed(e.nearest)}
        ),
        errors.BudgetTooSmall: _Row(
            _INVALID,
            "BUDGET_TOO_SMALL",
            lambda e: {
                "budget_tokens": str(e.budget_tokens),
                "smallest_tokens": str(e.smallest_tokens),
                "smallest_agents": _listed(e.smallest_agents),
            },
            lambda e: (Violation("budget_tokens", str(e)),),
        ),
        errors.RevisionTooOld: _Row(
            grpc.StatusCode.OUT_OF_RANGE,
            "REVISION_TOO_OLD",
            lambda e: {"revision": e.revision, "oldest_revision": e.oldest_revision},
        ),
        errors.DefinitionNotFound: _Row(
            _NOT_FOUND,
            "DEFINITION_NOT_FOUND",
            lambda e: {"definition": e.definition, "nearest": _listed(e.nearest)},
        ),
        errors.TooManyWaiters: _Row(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "TOO_MANY_WAITERS",
            lambda e: {"limit": str(e.limit), "retry_seconds": str(e.retry_seconds)},
            retry_seconds=errors.TooManyWaiters.retry_seconds,
        ),
        errors.RequestIdReused: _Row(
            _INVALID,
            "REQUEST_ID_REUSED",
            lambda e: {"request_id": e.request_id},
            lambda e: (Violation("request_id", str(e)),),
        ),
        errors.RunNotFound: _Row(_NOT_FOUND, "RUN_NOT_FOUND", lambda e: {"run_id": e.run_id}),
        errors.StepNotFound: _Row(_NOT_FOUND, "STEP_NOT_FOUND", lambda e: {"run_id": e.run_id, "step_id": e.step_id}),
        errors.InputNotFound: _Row(
            _NOT_FOUND, "INPUT_NOT_FOUND", lambda e: {"run_id": e.run_id, "input_id": e.input_id}
        ),
        errors.LeaseLost: _Row(
            _PRECONDITION,
            "LEASE_LOST",
            lambda e: {
                "step_id": e.step_id,
                "attempt": str(e.attempt),
                "latest_attempt": str(e.latest_attempt),
                "worker_id": e.worker_id,
                "state": e.state,
            },
        ),
        errors.InputAlreadyResolved: _Row(
            _PRECONDITION,
            "INPUT_ALREADY_RESOLVED",
            lambda e: {"input_id": e.input_id, "decision": e.decision},
        ),
        errors.OutputTooLarge: _Row(
            _INVALID,
            "OUTPUT_TOO_LARGE",
            lambda e: {"name": e.name, "size_bytes": str(e.size_bytes), "limit_bytes": str(e.limit_bytes)},
            lambda e: (Violation(e.name, str(e)),),
        ),
        errors.ResumeTokenInvalid: _Row(
            _INVALID,
            "RESUME_TOKEN_INVALID",
            lambda e: {"run_id": e.run_id},
            lambda e: (Violation("resume_token", str(e)),),
        ),
        errors.ShuttingDown: _Row(
            grpc.StatusCode.UNAVAILABLE,
            "SHUTTING_DOWN",
            lambda e: {"retry_seconds": str(e.retry_seconds)},
            retry_seconds=errors.ShuttingDown.retry_seconds,
        ),
        errors.DestinationNotFound: _Row(
            _NOT_FOUND,
            "DESTINATION_NOT_FOUND",
            lambda e: {"destination": e.destination, "known": _listed(e.known)},
        ),
        errors.DestinationCannotVerify: _Row(
            grpc.StatusCode.FAILED_PRECONDITION,
            "DESTINATION_CANNOT_VERIFY",
            lambda e: {"destination": e.destination, "why": e.why},
        ),
        errors.DestinationUnavailable: _Row(
            grpc.StatusCode.UNAVAILABLE,
            "DESTINATION_UNAVAILABLE",
            lambda e: {"destination": e.destination, "why": e.why, "retry_seconds": str(e.retry_seconds)},
            retry_seconds=errors.DestinationUnavailable.retry_seconds,
        ),
        errors.OutboxFull: _Row(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "OUTBOX_FULL",
            lambda e: {
                "limit_bytes": str(e.limit_bytes),
                "retry_seconds": str(e.retry_seconds),
                "committed_count": str(e.committed_count),
            },
            retry_seconds=errors.OutboxFull.retry_seconds,
        ),
        errors.StoreUnavailable: _Row(
            grpc.StatusCode.UNAVAILABLE,
            "STORE_UNAVAILABLE",
            lambda e: {"reason": e.reason, "retry_seconds": str(e.retry_seconds)},
            retry_seconds=errors.StoreUnavailable.retry_seconds,
        ),
        errors.TooManyWatchers: _Row(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "TOO_MANY_WATCHERS",
            lambda e: {"limit": str(e.limit), "retry_seconds": str(e.retry_seconds)},
            retry_seconds=errors.TooManyWatchers.retry_seconds,
        ),
    }
)


def failure_of(error: IgnisError) -> Failure:
    """Return what a caller sees of an error of the domain.

    An error without a row is one of NEVER_SENT; should one meet a caller all the same, that is unforeseen.
    """
    row = TABLE.get(type(error))
    if row is None:
        return unforeseen_failure(new_error_id())
    metadata = {key: _cut(value, MAX_FACT_BYTES) for key, value in row.facts(error).items()}
    details = tuple(_details(row, error))
    return Failure(row.code, row.reason, _cut(str(error), MAX_MESSAGE_BYTES), metadata, details, row.retry_seconds)


def _details(row: _Row, error: IgnisError) -> Iterator[Message]:
    violations = row.violations(error)
    if violations:
        bad = BadRequest()
        for each in violations[:MAX_VIOLATIONS]:
            bad.field_violations.add(
                field=_cut(each.field, MAX_FIELD_BYTES), description=_cut(each.description, MAX_DESCRIPTION_BYTES)
            )
        yield bad
    if row.retry_seconds is not None:
        retry = RetryInfo()
        retry.retry_delay.FromSeconds(row.retry_seconds)
        yield retry


def unforeseen_failure(error_id: str) -> Failure:
    """Return what a caller sees of an error that nobody foresaw: a fixed text, and an id for the log."""
    return Failure(
        grpc.StatusCode.INTERNAL,
        "INTERNAL",
        f"something unforeseen failed; the server's log has it under {error_id}",
        {"error_id": error_id},
    )


def new_error_id() -> str:
    """Return an id that finds one failure in a log."""
    return secrets.token_hex(6)


def _cut(text: str, limit: int) -> str:
    """Return as much of a text as fits into so many bytes of UTF-8, with an ellipsis where that is not all."""
    data = text.encode()
    ellipsis = "…"
    return text if len(data) <= limit else data[: limit - len(ellipsis.encode())].decode(errors="ignore") + ellipsis
