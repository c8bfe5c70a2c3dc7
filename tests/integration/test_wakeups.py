"""Word of what was written: within a process, between two on a real PostgreSQL, and not at all, which costs the poll interval."""

import asyncio
from datetime import timedelta

from ignis_server.background import background
from ignis_server.workflow.sql.postgres_wakeups import PostgresWakeups
from ignis_server.workflow.wakeups import LocalWakeups, Word
from support.fakes import RecordedSignals
from support.postgres import new_database, postgres

LONG = timedelta(seconds=20)
AT_ONCE = timedelta(0)


async def test_a_bell_rings_for_what_it_hangs_for() -> None:
    wakeups = LocalWakeups()
    with wakeups.of_run("a") as run, wakeups.of_steps() as steps, wakeups.of_deadlines() as deadlines:
        wakeups.ring(Word("b", is_claimable=True))
        assert [await bell.wait(AT_ONCE) for bell in (run, steps, deadlines)] == [False, True, False]
        wakeups.ring(Word("a", has_deadline=True))
        wakeups.ring(Word("a"))
        assert [await bell.wait(AT_ONCE) for bell in (run, steps, deadlines)] == [True, False, True]
        assert not await run.wait(AT_ONCE)


async def test_word_gets_to_another_replica(postgres_url: str) -> None:
    signals = RecordedSignals()
    async with asyncio.timeout(60), new_database(postgres_url) as url, background(signals) as beside:
        one, other = PostgresWakeups(url), PostgresWakeups(url)
        for each in (one, other):
            beside.start("wakeups", each.run)
            await each.is_connected.wait()
        with other.of_run("a") as bell, other.of_run("b") as silent:
            await bell.wait(AT_ONCE)
            await silent.wait(AT_ONCE)
            one.ring(Word("a"))
            assert await bell.wait(LONG)
            assert not await silent.wait(AT_ONCE)


async def test_after_a_lost_connection_everybody_looks_once() -> None:
    async with asyncio.timeout(60), postgres() as server, background(RecordedSignals()) as beside:
        wakeups = PostgresWakeups(server.url)
        beside.start("wakeups", wakeups.run)
        with wakeups.of_run("a") as bell:
            assert await bell.wait(LONG)
            await server.stop()
            wakeups.ring(Word("a"))
            assert await bell.wait(LONG)
            await server.start()
            assert await bell.wait(LONG)
            wakeups.ring(Word("a"))
            assert await bell.wait(LONG)
