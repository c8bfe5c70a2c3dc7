"""Artefacts on the local disk, and what becomes of them when the disk is not as one would wish."""

import sqlite3
from pathlib import Path

import pytest

from ignis_server.agents.cache.disk_artefacts import FILE_NAME, DiskArtefacts
from ignis_server.signals import CacheFailed
from support.fakes import HandClock, RecordedSignals

BOUND = 10_000


@pytest.fixture
def signals() -> RecordedSignals:
    return RecordedSignals()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def opened(folder: Path, clock: HandClock, signals: RecordedSignals) -> DiskArtefacts:
    return DiskArtefacts(folder, max_bytes=BOUND, clock=clock, signals=signals)


async def test_what_was_put_is_there_for_the_next_process(
    tmp_path: Path, clock: HandClock, signals: RecordedSignals
) -> None:
    await opened(tmp_path / "new", clock, signals).put({"a": b"one", "b": b""})

    assert await opened(tmp_path / "new", clock, signals).get(["a", "b", "c"]) == {"a": b"one", "b": b""}
    assert signals.reported == []


async def test_more_keys_than_a_statement_takes_are_found(
    tmp_path: Path, clock: HandClock, signals: RecordedSignals
) -> None:
    kept = DiskArtefacts(tmp_path, max_bytes=1 << 20, clock=clock, signals=signals)
    await kept.put({str(number): b"" for number in range(2_000)})

    found = await kept.get([str(number) for number in range(1_000, 3_000)])

    assert found.keys() == {str(number) for number in range(1_000, 2_000)}


async def test_beyond_the_bound_what_was_not_used_for_longest_goes(
    tmp_path: Path, clock: HandClock, signals: RecordedSignals
) -> None:
    kept = opened(tmp_path, clock, signals)
    await kept.put({"old": bytes(4_000), "used": bytes(4_000)})
    clock.turn(2 * 86_400)
    await kept.get(["used"])
    clock.turn(60)

    await kept.put({"new": bytes(4_000)})

    assert (await kept.get(["old", "used", "new"])).keys() == {"used", "new"}


async def test_a_value_that_was_changed_is_not_handed_out(
    tmp_path: Path, clock: HandClock, signals: RecordedSignals
) -> None:
    kept = opened(tmp_path, clock, signals)
    await kept.put({"a": b"one", "b": b"two"})
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("UPDATE artefact SET value = CAST(SUBSTR(value, 1, 21) AS BLOB) WHERE key = 'a'")
    connection.close()

    assert await kept.get(["a", "b"]) == {"b": b"two"}


async def test_a_file_that_is_no_database_is_replaced(
    tmp_path: Path, clock: HandClock, signals: RecordedSignals
) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database at all, but long enough to be looked at " * 100)
    kept = opened(tmp_path, clock, signals)

    assert await kept.get(["a"]) == {}
    assert signals.reported == [CacheFailed("disk", "read", "corrupt")]
    await kept.put({"a": b"one"})
    assert await kept.get(["a"]) == {"a": b"one"}


async def test_where_nothing_can_be_written_nothing_is_kept_and_it_is_reported(
    tmp_path: Path, clock: HandClock, signals: RecordedSignals
) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    kept = opened(tmp_path / "file", clock, signals)

    await kept.put({"a": b"one"})

    assert await kept.get(["a"]) == {}
    assert signals.reported == [CacheFailed("disk", "write", "unusable"), CacheFailed("disk", "read", "unusable")]
