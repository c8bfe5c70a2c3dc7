"""Tables are made once, by whoever comes first, and are what this release reads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text

from ignis_server.clock import SystemClock
from ignis_server.workflow.sql import migrations
from ignis_server.workflow.sql.database import Database
from ignis_server.workflow.sql.postgres import postgres_database
from ignis_server.workflow.sql.schema import METADATA
from ignis_server.workflow.sql.sqlite import sqlite_database
from support.postgres import new_database


class Place:
    """Where a database is, so that it can be opened several times."""

    def __init__(self, where: Path | str) -> None:
        self._where = where

    def open(self) -> AbstractAsyncContextManager[Database]:
        """Open it as a replica does."""
        if isinstance(self._where, Path):
            return sqlite_database(self._where, clock=SystemClock())
        return postgres_database(self._where, clock=SystemClock())


@pytest.fixture(params=["sqlite", "postgres"])
async def place(request: pytest.FixtureRequest, tmp_path: Path, postgres_url: str) -> AsyncIterator[Place]:
    if request.param == "sqlite":
        yield Place(tmp_path / "journal.db")
    else:
        async with new_database(postgres_url) as url:
            yield Place(url)


def tables(connection: Connection) -> dict[str, set[tuple[str, bool]]]:
    """Return each table's columns, and whether they may be null."""
    found = inspect(connection)
    return {
        name: {(column["name"], column["nullable"]) for column in found.get_columns(name)}
        for name in found.get_table_names()
        if name != "workflow_schema_steps"
    }


async def test_the_tables_are_those_that_are_read(place: Place) -> None:
    async with place.open() as database:
        made = await database.read(tables)

    keys = {name: set(table.primary_key.columns.keys()) for name, table in METADATA.tables.items()}
    assert made.keys() == METADATA.tables.keys()
    for name, table in METADATA.tables.items():
        assert {column for column, _ in made[name]} == set(table.columns.keys())
        nullable = {column for column, may_be_null in made[name] if may_be_null} - keys[name]
        assert nullable == {column.name for column in table.columns if column.nullable}


async def test_replicas_that_start_at_once_make_them_once(place: Place) -> None:
    async def start() -> int:
        async with place.open() as database:
            count: int = await database.read(
                lambda connection: connection.execute(text("SELECT COUNT(*) FROM workflow_schema_steps")).scalar_one()
            )
            return count

    assert await asyncio.gather(*(start() for _ in range(4))) == [len(migrations.STEPS)] * 4


async def test_a_step_that_fails_leaves_nothing_and_is_done_later(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.open():
        pass
    broken = (*migrations.STEPS, ("CREATE TABLE workflow_new (id TEXT)", "CREATE TABLE nonsense ("))
    monkeypatch.setattr(migrations, "STEPS", broken)
    with pytest.raises(Exception, match=r"nonsense|syntax|incomplete"):
        async with place.open():
            pass
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS[:-1], ("CREATE TABLE workflow_new (id TEXT)",)))
    async with place.open() as database:
        assert "workflow_new" in await database.read(tables)
