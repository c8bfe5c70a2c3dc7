"""The table from errors to statuses."""

from urllib.parse import quote

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

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


@pytest.mark.parametrize("kind", sorted(TABLE, key=str))
def test_every_reason_is_one_of_the_api(kind: type[IgnisError]) -> None:
    assert f"ERROR_REASON_{TABLE[kind].reason}" in ErrorReason.keys()  # noqa: SIM118 - an enum wrapper, not a dict


def test_reasons_are_told_apart() -> None:
    reasons = [row.reason for row in TABLE.values()]

    assert len(reasons) == len(set(reasons))


def test_details_carry_every_fact_of_the_message() -> None:
    error = BudgetTooSmall(budget_tokens=10, smallest_tokens=47, smallest_agents=("a/b",))

    ((key, packed),) = failure_of(error).trailing_metadata()

    assert isinstance(packed, bytes)
    status = Status.FromString(packed)
    info, bad = ErrorInfo(), BadRequest()
    status.details[0].Unpack(info)
    status.details[1].Unpack(bad)
    assert key == "grpc-status-details-bin"
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert (info.domain, info.reason) == (DOMAIN, "BUDGET_TOO_SMALL")
    assert dict(info.metadata) == {"budget_tokens": "10", "smallest_tokens": "47", "smallest_agents": "a/b"}
    assert [each.field for each in bad.field_violations] == ["budget_tokens"]


@pytest.mark.parametrize("letter", ["x", "\N{CJK UNIFIED IDEOGRAPH-6F22}", "\N{GRINNING FACE}"])
def test_the_largest_error_fits_into_a_header_block(letter: str) -> None:
    """Beyond 8 KiB receivers drop the whole status, and the caller learns nothing."""
    violations = InvalidRequest(tuple(Violation(letter * 500, letter * 1_000) for _ in range(1_000)))
    ambiguous = errors.AmbiguousAgent(letter * 1_000, tuple(letter * 200 for _ in range(50)), count=50)

    for failure in (failure_of(violations), failure_of(ambiguous)):
        ((_, packed),) = failure.trailing_metadata()

        assert len(quote(failure.message)) + len(packed) * 4 / 3 < 7_500


def test_a_list_of_facts_is_cut_at_whole_items() -> None:
    ids = tuple(f"plugins/pack-{number}/agents/a,b" for number in range(50))

    listed = failure_of(errors.AmbiguousAgent("x", ids, count=50)).metadata["ids"].split(",")

    assert listed == [each.replace(",", "%2C") for each in ids[: len(listed)]]
    assert len(listed) > 3


def test_advice_to_retry_is_given_where_grpc_looks_for_it() -> None:
    trailers = dict(failure_of(errors.ShuttingDown()).trailing_metadata())

    assert trailers["grpc-retry-pushback-ms"] == "1000"


def test_a_full_outbox_says_how_full_and_when_to_come_again() -> None:
    failure = failure_of(errors.OutboxFull(limit_bytes=1_000, committed_count=7))

    assert failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert failure.metadata == {"limit_bytes": "1000", "retry_seconds": "30", "committed_count": "7"}
    assert dict(failure.trailing_metadata())["grpc-retry-pushback-ms"] == "30000"
    for fact in failure.metadata.values():
        assert fact in failure.message


def test_an_error_that_is_never_sent_tells_a_caller_nothing() -> None:
    failure = failure_of(errors.SettingsInvalid(("secret: 'hunter2' is refused",)))

    assert failure.code is grpc.StatusCode.INTERNAL
    assert "hunter2" not in failure.message
