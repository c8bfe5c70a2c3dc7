"""The one table from errors of the domain to what a caller sees: code, reason, facts, advice.

Codes follow AIP-193 and AIP-194: they say what the caller should do. Each fact in the message also stands
in the metadata of google.rpc.ErrorInfo.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from ignis_server import errors
from ignis_server.errors import IgnisError, Violation

__all__ = ["DOMAIN", "NEVER_SENT", "TABLE", "Failure", "failure_of", "new_error_id", "unforeseen_failure"]

DOMAIN = "ignis"

# Errors that end the process at start-up or a command of the CLI, and never meet a caller.
NEVER_SENT = frozenset({errors.CatalogUnusable, errors.SettingsInvalid})

DETAILS_KEY = "grpc-status-details-bin"

# Metadata travels in an HTTP/2 header, of which receivers allow 8 KiB by default; google.rpc.Status goes
# there too, so lists of facts are cut before they can cost the caller the whole error.
MAX_FACT_CHARACTERS = 512
MAX_MESSAGE_CHARACTERS = 1_024
MAX_VIOLATIONS = 24


@dataclass(frozen=True, slots=True)
class Failure:
    """How a call ends that does not end well."""

    code: grpc.StatusCode
    reason: str
    message: str
    metadata: Mapping[str, str]
    details: tuple[Message, ...] = ()

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        """Pack the details as google.rpc.Status, in the trailer where gRPC clients look for it."""
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        info = error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=dict(self.metadata))
        for detail in (info, *self.details):
            status.details.add().Pack(detail)
        return ((DETAILS_KEY, status.SerializeToString(deterministic=True)),)


@dataclass(frozen=True, slots=True)
class _Row:
    code: grpc.StatusCode
    reason: str
    facts: Callable[..., dict[str, str]]
    violations: Callable[..., tuple[Violation, ...]] = lambda _: ()


def _listed(items: tuple[str, ...]) -> str:
    return ",".join(items)


_INVALID = grpc.StatusCode.INVALID_ARGUMENT
_NOT_FOUND = grpc.StatusCode.NOT_FOUND
_UNIMPLEMENTED = grpc.StatusCode.UNIMPLEMENTED

TABLE: Mapping[type[IgnisError], _Row] = MappingProxyType(
    {
        errors.InvalidRequest: _Row(
            _INVALID,
            "INVALID_REQUEST",
            lambda e: {
                "violations": str(len(e.violations)),
                "fields": _listed(tuple(each.field for each in e.violations)),
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
        errors.FeatureUnavailable: _Row(_UNIMPLEMENTED, "FEATURE_UNAVAILABLE", lambda e: {"feature": e.feature}),
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
    }
)


def failure_of(error: IgnisError) -> Failure:
    """Return what a caller sees of an error of the domain.

    An error without a row is one of NEVER_SENT; should one meet a caller all the same, that is unforeseen.
    """
    row = TABLE.get(type(error))
    if row is None:
        return unforeseen_failure(new_error_id())
    metadata = {key: _cut(value, MAX_FACT_CHARACTERS) for key, value in row.facts(error).items()}
    violations = row.violations(error)
    details: tuple[Message, ...] = ()
    if violations:
        details = (
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(
                        field=each.field, description=_cut(each.description, MAX_FACT_CHARACTERS)
                    )
                    for each in violations[:MAX_VIOLATIONS]
                ]
            ),
        )
    return Failure(row.code, row.reason, _cut(str(error), MAX_MESSAGE_CHARACTERS), metadata, details)


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
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
