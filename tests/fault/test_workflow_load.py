"""Workflows with many watchers and many runs that wait: what is shared is read once, and what waits costs nothing."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from sqlalchemy import Engine, event

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.clock import SystemClock
from ignis_server.workflow.events import Recorded
from ignis_server.workflow.model import Definition, StepDefinition
from ignis_server.workflow.run_watch import Changes
from ignis_server.workflow.sql.sqlite import sqlite_database
from ignis_server.workflow.sql_journal import SqlJournal
from ignis_server.workflow.sweep import DUE_HELD
from ignis_server.workflow.wakeups import LocalWakeups
from ignis_server.workflow.words import RunState
from support.running_workflows import Replica
from support.workflow_callers import claim
from support.workflow_server import workflow_service

TEN = Definition("ten", "Ten", steps=tuple(StepDefinition(f"s{number}", executor="echo") for number in range(10)))
WATCHERS = 1_000
CANCELLED = 100
MAX_GROWTH_BYTES = 100 << 20


class CountedJournal(SqlJournal):
    """Counts what is asked of it."""

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)  # type: ignore[arg-type]  # passed on
        self.asked: Counter[str] = Counter()

    async def events(self, run_id: str, *, after: int = 0, limit: int = 1_000) -> tuple[Recorded, ...]:
        """Return events."""
        self.asked["events"] += 1
        return await super().events(run_id, after=after, limit=limit)

    async def due(self, *, limit: int, hold: timedelta) -> tuple[str, ...]:
        """Return what is due."""
        self.asked["due"] += 1
        return await super().due(limit=limit, hold=hold)


class SlowJournal(CountedJournal):
    """Takes its time to pass on what was read, as a busy machine does."""

    slow = False

    async def events(self, run_id: str, *, after: int = 0, limit: int = 1_000) -> tuple[Recorded, ...]:
        """Return events, some time after they were read."""
        found = await super().events(run_id, after=after, limit=limit)
        if self.slow:
            await asyncio.sleep(0.3)
        return found


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SlowJournal]:
    async with sqlite_database(tmp_path / "journal.db", clock=SystemClock()) as database:
        yield SlowJournal(database, wakeups=LocalWakeups())


@pytest.fixture
def replica(journal: SlowJournal) -> Replica:
    """Polls never: whoever waits is woken, or waits for ever."""
    return Replica(journal, {"ten": TEN}, journal._wakeups)


async def versions_seen(replica: Replica, run_id: str, into: list[int]) -> None:
    """Watch a run: the version of its snapshot, then those of all events."""
    async with aclosing(replica.watch.watch(run_id, None)) as watch:
        async for each in watch:
            if isinstance(each, Changes):
                into += [change.recorded.version for change in each.changes]
            else:
                into.append(each.version)


async def until_all(seen: Sequence[list[int]], version: int) -> None:
    """Wait until all watchers have come so far."""
    while not all(each and each[-1] >= version for each in seen):  # noqa: ASYNC110 - they tell nobody
        await asyncio.sleep(0.01)


async def test_a_thousand_watchers_share_what_is_read_and_leave_nothing_behind(
    replica: Replica, journal: SlowJournal
) -> None:
    run = await replica.start("ten")
    tasks_before, memory_before = asyncio.all_tasks(), psutil.Process().memory_info().rss
    async with asyncio.timeout(40), aclosing(replica.watch.watch(run.id, None)) as never_read:
        assert await anext(never_read) == run
        seen: list[list[int]] = [[] for _ in range(WATCHERS - 1)]
        watching = [asyncio.create_task(versions_seen(replica, run.id, into)) for into in seen]
        await until_all(seen, run.version)
        first = await replica.claim("first")
        assert first is not None
        await until_all(seen, first.run.version)
        read_before = journal.asked["events"]
        for task in watching[:CANCELLED]:
            task.cancel()

        await replica.complete(first)
        await replica.work("w", until=run)
        await asyncio.gather(*watching[CANCELLED:])
        memory = psutil.Process().memory_info().rss - memory_before
        read = journal.asked["events"] - read_before
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*watching[:CANCELLED])

        ended = await replica.runs.run(run.id)
        behind = [each async for each in never_read]
    assert ended.state is RunState.COMPLETED
    whole = list(range(run.version, ended.version + 1))
    assert all(versions == whole for versions in seen[CANCELLED:])
    assert all(versions == whole[: len(versions)] for versions in seen[:CANCELLED])
    changes = [change for each in behind if isinstance(each, Changes) for change in each.changes]
    assert [run.version, *(change.recorded.version for change in changes)] == whole
    print(f"{WATCHERS} watchers, {len(whole)} events: {read} reads, {memory / 2**20:.1f} MiB")  # noqa: T201 - of interest
    # Each event is read for its watchers once or twice, and by those who claim and complete.
    assert read < 20 * len(whole)
    assert memory < MAX_GROWTH_BYTES
    await asyncio.sleep(0)
    assert asyncio.all_tasks() <= tasks_before
    assert not replica.watch._readings


async def test_a_watcher_that_is_woken_does_not_share_a_reading_from_before(
    replica: Replica, journal: SlowJournal
) -> None:
    """Its bell does not ring again: it would wait for its poll interval, which here is for ever."""
    run = await replica.start("ten")
    seen: list[list[int]] = [[], []]
    early = asyncio.create_task(versions_seen(replica, run.id, seen[0]))
    late = asyncio.create_task(versions_seen(replica, run.id, seen[1]))
    await until_all(seen, run.version)
    # Both have looked for more, and wait.
    await asyncio.sleep(0.1)
    try:
        async with asyncio.timeout(5):
            journal.slow = True
            # Has one of them begin a slow reading that finds nothing, and the other wait.
            bells = list(journal._wakeups._of_runs[run.id])  # type: ignore[attr-defined]  # local
            bells[0].ring()
            await asyncio.sleep(0.1)
            journal.slow = False
            claimed = await replica.claim("w")
            assert claimed is not None
            await until_all(seen, claimed.run.version)
    finally:
        for task in (early, late):
            task.cancel()
        await asyncio.gather(early, late, return_exceptions=True)


async def test_what_another_replica_holds_is_not_asked_for_all_the_time(replica: Replica, journal: SlowJournal) -> None:
    """A replica that took a run to see to it, and died, has it for ten seconds."""
    await replica.start("ten")
    await replica.claim("lost", lease=0.01)
    await asyncio.sleep(0.05)
    assert await journal.due(limit=1, hold=DUE_HELD)
    journal.asked.clear()

    sweeping = asyncio.create_task(replica.sweeper.run())
    await asyncio.sleep(0.5)
    sweeping.cancel()
    await asyncio.gather(sweeping, return_exceptions=True)

    assert 1 <= journal.asked["due"] <= 10


@contextmanager
def statements() -> Iterator[list[str]]:
    """Note every statement of every database."""
    noted: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        noted.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield noted
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def started_with(folder: Path, path: Path, runs: int) -> Counter[str]:
    """Return what a server asks of a database with so many runs that wait, from its start to its first answer."""
    async with workflow_service(folder, f"sqlite:///{path}") as service:
        for _ in range(runs):
            await service.StartRun(pb.StartRunRequest(request_id=str(uuid4()), definition="ask"))
    with statements() as noted:
        async with workflow_service(folder, f"sqlite:///{path}") as service:
            assert await claim(service, wait={"seconds": 1}) is None
    return Counter(noted)


async def test_a_server_with_many_runs_reads_none_of_them_to_start(tmp_path: Path) -> None:
    workflows = tmp_path / "workflows"
    workflows.mkdir()
    (workflows / "ask.yaml").write_text("name: Ask\nsteps:\n  - {id: who, ask: {prompt: Who is it?}}\n")

    async with asyncio.timeout(60):
        few, many = [await started_with(workflows, tmp_path / f"{runs}.db", runs) for runs in (1, 100)]

    assert few == many
    assert not any("workflow_events" in statement for statement in many if statement.startswith("SELECT"))
