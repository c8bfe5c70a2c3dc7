"""The table from errors to statuses."""

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from ignis.errors.v1.error_reason_pb2 import ErrorReason
from ignis_server import errors
from ignis_server.errors import BudgetTooSmall, IgnisError, InvalidRequest, Violation
from ignis_server.rpc.status import DOMAIN, NEVER_SENT, TABLE, failure_of


def all_errors() -> set[type[IgnisError]]:
    kinds = {getattr(errors, name) for name in errors.__all__}
    return {kind for kind in kinds if issubclass(kind, IgnisError) and kind is not IgnisError}


def test_every_error_has_a_row_or_is_never_sent() -> None:
    assert TABLE.keys() | NEVER_SENT == all_errors()
    assert not TABLE.keys() & NEVER_SENT


@pytest.mark.parametrize("kind", sorted(TABLE, key=lambda kind: kind.__name__))
def test_every_reason_is_one_of_the_api(kind: type[IgnisError]) -> None:
    assert f"ERROR_REASON_{TABLE[kind].reason}" in ErrorReason.keys()  # noqa: SIM118 - an enum wrapper, not a dict


def test_reasons_are_told_apart() -> None:
    reasons = [row.reason for row in TABLE.values()]

    assert len(reasons) == len(set(reasons))


def test_details_carry_every_fact_of_the_message() -> None:
    error = BudgetTooSmall(budget_tokens=10, smallest_tokens=47, smallest_agents=("a/b",))

    ((key, packed),) = failure_of(error).trailing_metadata()

    status = status_pb2.Status.FromString(packed)
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    status.details[0].Unpack(info)
    status.details[1].Unpack(bad)
    assert key == "grpc-status-details-bin"
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert (info.domain, info.reason) == (DOMAIN, "BUDGET_TOO_SMALL")
    assert dict(info.metadata) == {"budget_tokens": "10", "smallest_tokens": "47", "smallest_agents": "a/b"}
    assert [each.field for each in bad.field_violations] == ["budget_tokens"]


def test_a_thousand_violations_fit_into_a_header() -> None:
    error = InvalidRequest(tuple(Violation(f"tags[{number}]", "x" * 1_000) for number in range(1_000)))

    ((_, packed),) = failure_of(error).trailing_metadata()

    assert len(packed) < 16_384


def test_an_error_that_is_never_sent_tells_a_caller_nothing() -> None:
    failure = failure_of(errors.SettingsInvalid(("secret: 'hunter2' is refused",)))

    assert failure.code is grpc.StatusCode.INTERNAL
    assert "hunter2" not in failure.message
