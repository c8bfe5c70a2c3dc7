"""The journal's store in trouble: StoreUnavailable with a reason, nothing half done, and it goes on by itself."""

import asyncio
import os
import resource
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest

from ignis_server.errors import StoreUnavailable
from ignis_server.rpc.status import failure_of
from ignis_server.workflow.commands import CancelRun
from ignis_server.workflow.journal import Beside, RunFilter
from ignis_server.workflow.state_machine import decide
from support.journals import Keeper, begun, postgres_journal, sqlite_journal
from support.postgres import Postgres, postgres

# More than the files have before, and less than what is to be written.
ROOM_BYTES = 500_000

WRITER = """
import asyncio, sys
from pathlib import Path
from support.journals import Keeper, sqlite_journal

async def main():
    async with sqlite_journal(Path(sys.argv[1])) as journal:
        for number in range(1_000):
            kept = await Keeper.start(journal, f"run-{number}")
            await kept.finish()
            print(kept.run.id, kept.run.version, flush=True)

asyncio.run(main())
"""


@pytest.fixture
async def server() -> AsyncIterator[Postgres]:
    async with postgres() as started:
        yield started


def test_callers_are_told_to_come_back() -> None:
    failure = failure_of(StoreUnavailable("busy"))

    assert (failure.code.name, failure.reason, failure.retry_seconds) == ("UNAVAILABLE", "STORE_UNAVAILABLE", 1)
    assert failure.metadata == {"reason": "busy", "retry_seconds": "1"}


async def test_a_file_that_another_process_locks_is_busy_and_then_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with sqlite_journal(path) as journal:
        kept = await Keeper.start(journal, "run")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="busy"):
                await kept.claim("one")
            assert await kept.read() == kept.run
            other.execute("ROLLBACK")
        await kept.finish()

        assert await kept.read() == kept.run


async def test_a_full_disk_loses_nothing_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    """A limit on the size of files is what a full disk is to the writer; others of this process write nothing meanwhile."""
    path = tmp_path / "journal.db"
    async with sqlite_journal(path) as journal:
        kept = await Keeper.start(journal, "run")
        decision = decide(kept.run, CancelRun("c"), await journal.now())
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM_BYTES, hard))
        try:
            with pytest.raises(StoreUnavailable, match="full"):
                await journal.append(decision, Beside(blobs={"sha256:1": b"\1" * 1_000_000}))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert await kept.read() == kept.run
        assert await journal.blob("run", "sha256:1") is None
        await kept.finish()

        assert await kept.read() == kept.run


async def test_a_folder_that_is_not_there_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="unreachable"):
        async with sqlite_journal(tmp_path / "missing" / "journal.db"):
            pass


async def test_a_file_that_is_no_database_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(os.urandom(8_192))

    with pytest.raises(StoreUnavailable, match="damaged"):
        async with sqlite_journal(path):
            pass


async def test_postgres_may_go_and_come_back(server: Postgres) -> None:
    async with asyncio.timeout(60), postgres_journal(server.url) as journal:
        kept = await Keeper.start(journal, "run")
        await server.stop()
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="unreachable"):
                await kept.claim("one")
        await server.start()
        while True:
            try:
                assert await kept.read() == kept.run
                break
            except StoreUnavailable:
                await asyncio.sleep(0.05)
        await kept.finish()

        assert await kept.read() == kept.run


async def test_a_row_that_is_locked_for_long_is_waited_for_and_given_up(server: Postgres) -> None:
    async with asyncio.timeout(60), postgres_journal(server.url) as journal:
        kept = await Keeper.start(journal, "run")
        connection = await asyncpg.connect(server.url)
        async with connection.transaction():
            await connection.execute("SELECT * FROM workflow_runs FOR UPDATE")
            with pytest.raises(StoreUnavailable, match=r"busy|slow"):
                await kept.claim("one")
        await connection.close()
        await kept.finish()

        assert await kept.read() == kept.run


async def test_a_postgres_that_only_reads_is_read_from(server: Postgres) -> None:
    async with asyncio.timeout(60), postgres_journal(server.url) as journal:
        kept = await Keeper.start(journal, "run")
        connection = await asyncpg.connect(server.url)
        await connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        await connection.execute("SELECT pg_reload_conf()")
        while await connection.fetchval("SHOW default_transaction_read_only") != "on":  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.02)
        with pytest.raises(StoreUnavailable, match="read-only"):
            await journal.start(begun("other", await journal.now()))
        assert [each.id for each in await journal.runs(RunFilter(), limit=10)] == ["run"]
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
        await connection.execute("SELECT pg_reload_conf()")
        await connection.close()
        while True:
            try:
                await kept.claim("one")
                break
            except StoreUnavailable:
                await asyncio.sleep(0.05)

        assert await kept.read() == kept.run


async def test_a_postgres_that_hangs_is_given_up_in_time(server: Postgres) -> None:
    async with asyncio.timeout(60), postgres_journal(server.url) as journal:
        kept = await Keeper.start(journal, "run")
        connection = await asyncpg.connect(server.url)
        ours = await connection.fetch("SELECT pid FROM pg_stat_activity WHERE application_name = 'ignis'")
        await connection.close()
        assert ours
        for row in ours:
            os.kill(row["pid"], signal.SIGSTOP)
        try:
            with pytest.raises(StoreUnavailable, match="slow"):
                await kept.claim("one")
        finally:
            for row in ours:
                os.kill(row["pid"], signal.SIGCONT)
        while True:
            try:
                await kept.finish()
                break
            except StoreUnavailable:
                await asyncio.sleep(0.05)

        assert await kept.read() == kept.run


async def test_what_has_returned_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(path), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[1]
    )
    async with asyncio.timeout(60):
        assert process.stdout
        said = [await process.stdout.readline() for _ in range(20)]
        process.kill()
        await process.communicate()
    async with sqlite_journal(path) as journal:
        for line in said:
            run_id, version = line.decode().split()
            assert len(await journal.events(run_id)) == int(version)
