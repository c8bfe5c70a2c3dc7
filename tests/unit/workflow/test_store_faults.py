"""What drivers raise, in one word each; what is our own mistake passes."""

import asyncio

import asyncpg
import pytest
from sqlalchemy import exc

from ignis_server.errors import StoreUnavailable
from ignis_server.workflow.sql.faults import faults_mapped, reason_of


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (asyncpg.AdminShutdownError(), "unreachable"),
        (asyncpg.CannotConnectNowError(), "unreachable"),
        (asyncpg.ConnectionDoesNotExistError(), "unreachable"),
        (asyncpg.QueryCanceledError(), "slow"),
        (asyncpg.LockNotAvailableError(), "busy"),
        (asyncpg.DeadlockDetectedError(), "busy"),
        (asyncpg.TooManyConnectionsError(), "busy"),
        (asyncpg.DiskFullError(), "full"),
        (asyncpg.ReadOnlySQLTransactionError(), "read-only"),
        (asyncpg.InvalidPasswordError(), "refusing"),
        (asyncpg.DataCorruptedError(), "damaged"),
        (ConnectionRefusedError(), "unreachable"),
        (TimeoutError(), "slow"),
        (exc.TimeoutError(), "busy"),
        (asyncpg.UniqueViolationError(), ""),
        (asyncpg.UndefinedTableError(), ""),
        (ValueError(), ""),
    ],
)
def test_each_fault_has_a_word(error: BaseException, reason: str) -> None:
    assert reason_of(error) == reason
    assert reason_of(exc.DBAPIError("SELECT 1", None, error)) == reason


def test_a_mistake_of_ours_passes_as_it_is() -> None:
    with pytest.raises(exc.ArgumentError), faults_mapped():
        raise exc.ArgumentError("nonsense")


def test_a_cancellation_passes_as_it_is() -> None:
    with pytest.raises(asyncio.CancelledError), faults_mapped():
        raise asyncio.CancelledError


def test_the_story_stays_here() -> None:
    with pytest.raises(StoreUnavailable) as caught, faults_mapped():
        raise ConnectionRefusedError("at 10.0.0.1")

    assert "10.0.0.1" not in str(caught.value)
