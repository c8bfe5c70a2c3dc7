"""`PYTHONPATH=tests python -m perf.workflow_journal`: what it costs to write runs down, on SQLite and on PostgreSQL.

PostgreSQL is the wheel's, or the one of POSTGRES_URL. Both sync each commit to the disk; nothing is done but deciding and writing.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from ignis_server.workflow.journal import Journal, Offer
from support.journals import LEASE, Keeper, postgres_journal, sqlite_journal
from support.postgres import new_database, postgres

OFFER = Offer(frozenset({"echo", "git", "bash"}))
STEPS = ("one", "two", "three")


async def one_run(journal: Journal, timed: dict[str, list[float]], *, is_offered: bool) -> None:
    """Do a run of three steps, from its start to its end."""
    start = time.perf_counter()
    kept = await Keeper.start(journal, uuid4().hex)
    timed.setdefault("start", []).append(time.perf_counter() - start)
    for step_id in STEPS:
        start = time.perf_counter()
        if is_offered:
            await journal.offered(OFFER, limit=1, hold=LEASE)
            timed.setdefault("offer", []).append(time.perf_counter() - start)
            start = time.perf_counter()
        await kept.claim(step_id)
        await kept.complete(step_id)
        timed.setdefault("claim + complete", []).append(time.perf_counter() - start)


async def measure(journal: Journal, runs: int, callers: int) -> Mapping[str, float]:
    """Return medians in milliseconds of one caller, and runs per second of several."""
    timed: dict[str, list[float]] = {}
    for _ in range(20):
        await one_run(journal, {}, is_offered=True)
    for _ in range(runs):
        await one_run(journal, timed, is_offered=True)
    left = iter(range(runs * 2))

    async def caller() -> None:
        for _ in left:
            await one_run(journal, {}, is_offered=False)

    start = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    seconds = time.perf_counter() - start
    figures = {f"{name}, p50 ms": statistics.median(values) * 1_000 for name, values in timed.items()}
    return figures | {f"runs of three steps a second, {callers} callers": runs * 2 / seconds}


@asynccontextmanager
async def postgres_url() -> AsyncIterator[str]:
    """Yield where a PostgreSQL is."""
    if given := os.environ.get("POSTGRES_URL"):
        yield given
        return
    async with postgres() as server:
        yield server.url


async def measure_all(runs: int, callers: int) -> Mapping[str, Mapping[str, float]]:
    """Measure both."""
    with tempfile.TemporaryDirectory() as folder:
        async with sqlite_journal(Path(folder) / "journal.db") as on_sqlite:
            sqlite = await measure(on_sqlite, runs, callers)
    async with postgres_url() as url, new_database(url) as database, postgres_journal(database) as on_postgres:
        return {"SQLite": sqlite, "PostgreSQL": await measure(on_postgres, runs, callers)}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="runs of one caller; twice as many of all together")
    parser.add_argument("--callers", type=int, default=10)
    arguments = parser.parse_args()
    results = asyncio.run(measure_all(arguments.runs, arguments.callers))
    print("| what | " + " | ".join(results) + " |")
    print("|---|" + "---|" * len(results))
    for name in next(iter(results.values())):
        print(f"| {name} | " + " | ".join(f"{each[name]:,.2f}" for each in results.values()) + " |")


if __name__ == "__main__":
    main()
