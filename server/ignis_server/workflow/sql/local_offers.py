"""What can be claimed, as one process asks its own SQLite file: a read of some 30 microseconds.

Every claim begins with it. Put together by SQLAlchemy for each, the same took 2.8 ms of a core.
"""

import sqlite3
from collections.abc import Iterator
from heapq import merge
from itertools import islice
from typing import Any, Final, cast

from sqlalchemy import Connection

from ignis_server.workflow.journal import ClaimableStep, Offer
from ignis_server.workflow.sql.schema import moment, parted

__all__ = ["claimable"]

# Each set of capabilities that is needed, by a step from one to the next in the index: there are few.
NEEDS: Final = """
WITH RECURSIVE needs (requires) AS (
    SELECT MIN(requires) FROM workflow_claimable_steps
    UNION ALL
    SELECT (SELECT MIN(requires) FROM workflow_claimable_steps AS next WHERE next.requires > needs.requires)
    FROM needs WHERE needs.requires IS NOT NULL
)
SELECT requires FROM needs WHERE requires IS NOT NULL
"""
COLUMNS: Final = "since, run_id, step_id, attempt, agent_id, requires"
OF_NEED: Final = f"SELECT {COLUMNS} FROM workflow_claimable_steps WHERE requires = ? ORDER BY since, run_id, step_id"  # noqa: S608 - ours
OF_RUN: Final = f"SELECT {COLUMNS} FROM workflow_claimable_steps WHERE run_id = ? ORDER BY since, step_id"  # noqa: S608 - ours


def claimable(connection: Connection, offer: Offer, *, limit: int) -> tuple[ClaimableStep, ...]:
    """Return steps that an offer fits, the longest ready first, whoever holds them."""
    driver = cast("sqlite3.Connection", connection.connection.driver_connection)
    if offer.run_id:
        rows = _rows(driver, OF_RUN, offer.run_id)
    else:
        needs = [need for (need,) in driver.execute(NEEDS) if offer.capabilities.issuperset(parted(need))]
        # Rows are in order of the moment since which they are ready, and so is what several of these are merged to.
        rows = merge(*(_rows(driver, OF_NEED, need) for need in needs))
    return tuple(islice((step for step in map(_step, rows) if _fits(step, offer)), limit))


def _rows(driver: sqlite3.Connection, statement: str, value: str) -> Iterator[tuple[Any, ...]]:
    # Row by row: no more is read than is asked for.
    return iter(driver.execute(statement, (value,)))


def _step(row: tuple[Any, ...]) -> ClaimableStep:
    since, run_id, step_id, attempt, agent_id, requires = row
    return ClaimableStep(run_id, step_id, attempt, agent_id, parted(requires), moment(since))


def _fits(step: ClaimableStep, offer: Offer) -> bool:
    return (not offer.agents or step.agent_id in offer.agents) and offer.capabilities.issuperset(step.requires)
