"""The outbox where processes are killed and disks fail: what it said it has is there, once, and what is lost is told."""

import asyncio
import json
import os
import random
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from ignis_server.clock import SystemClock
from ignis_server.errors import OutboxFull
from ignis_server.signals import OutboxChanged, TelemetryLost
from ignis_server.telemetry.model import Batch, Receipt, Signal
from ignis_server.telemetry.outbox.box import Box
from ignis_server.telemetry.outbox.outbox import Outbox
from ignis_server.telemetry.outbox.settings import BoundPolicy, Durability, OutboxSettings
from support.fakes import RecordedSignals
from support.limits import file_size_limit
from support.outbox import (
    ORIGIN,
    PLATFORM,
    TO_PLATFORM,
    all_batches,
    deliver,
    item,
    numbers_in,
    outbox_with,
    row_of,
    rows_add_up,
)
from support.small_disk import can_mount, fill, small_disk

TRACES = Signal.TRACES
TESTS = Path(__file__).parents[1]


def settings(root: Path, **chosen: Any) -> OutboxSettings:  # noqa: ANN401 - as the fields are
    return replace(OutboxSettings(root, TO_PLATFORM), **chosen)


def capture(outbox: Outbox, numbers: Sequence[int], size_bytes: int = 8) -> None:
    for number in numbers:
        outbox.capture(TRACES, 1, item(number, size_bytes))


def lost_in(signals: RecordedSignals) -> list[TelemetryLost]:
    return [each for each in signals.reported if isinstance(each, TelemetryLost)]


def states_in(signals: RecordedSignals) -> list[str]:
    return [each.reason for each in signals.reported if isinstance(each, OutboxChanged)]


def are_gapless(batches: Sequence[Batch]) -> bool:
    return [batch.sequence for batch in batches] == list(range(1, len(batches) + 1))


@asynccontextmanager
async def child(scenario: str, root: Path, *arguments: object) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a process of support.outbox_child, which is killed at the end of the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "support.outbox_child",
        scenario,
        str(root),
        *map(str, arguments),
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=1 << 24,
    )
    try:
        async with asyncio.timeout(60):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout
    return (await process.stdout.readline()).decode().strip()


async def told_by(process: asyncio.subprocess.Process) -> list[str]:
    """Return whole lines up to the end of a process."""
    assert process.stdout
    output = (await process.stdout.read()).decode()
    return output.split("\n")[:-1]


async def test_what_was_captured_when_a_process_is_killed_is_there_once(tmp_path: Path) -> None:
    """At random points of capturing, sealing and delivering, over and over on one outbox."""
    choice = random.Random(5)  # noqa: S311 - points in time
    captured: set[int] = set()
    delivered: dict[str, tuple[str, str]] = {}
    for attempt in range(20):
        async with child("ship", tmp_path, attempt * 1_000_000) as process:
            assert (await line_of(process)).startswith("c ")
            captured.add(attempt * 1_000_000)
            await asyncio.sleep(choice.uniform(0, 0.06))
            process.kill()
            for line in await told_by(process):
                match line.split(" "):
                    case ["c", number]:
                        captured.add(int(number))
                    case ["d", name, digest, numbers]:
                        # Sent again it is the same, under the same name.
                        assert delivered.setdefault(name, (digest, numbers)) == (digest, numbers)

    async with outbox_with(settings(tmp_path)) as outbox:
        for batch in await all_batches(outbox):
            name = f"{batch.outbox_id}/{batch.sequence}"
            known = (batch.digest.hex(), ",".join(map(str, numbers_in([batch]))))
            assert delivered.setdefault(name, known) == known
        ledger = await outbox.ledger()
        assert {name.split("/")[0] for name in delivered} == {outbox.outbox_id}

    found = [int(number) for _, numbers in delivered.values() for number in numbers.split(",")]
    assert len(found) == len(set(found))
    assert captured <= set(found)
    # The last of a process may be committed and not told, and no more than that.
    assert len(set(found) - captured) <= 20
    assert sorted(int(name.split("/")[1]) for name in delivered) == list(range(1, len(delivered) + 1))
    assert rows_add_up(ledger)
    assert row_of(ledger).captured == len(found)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("step", ["read", "committed", "marked", "discarded"])
async def test_a_crash_between_two_steps_of_sealing_neither_loses_nor_doubles(
    tmp_path: Path, step: str, times: int
) -> None:
    async with child("crash", tmp_path, step, times) as process:
        told = await told_by(process)
        assert await process.wait() == -9

    captured = int(told[-1])
    async with outbox_with(settings(tmp_path)) as outbox:
        batches = await all_batches(outbox)
        assert numbers_in(batches) == list(range(captured))
        assert are_gapless(batches)
        assert row_of(await outbox.ledger()).captured == captured
    assert list((tmp_path / "0000").glob("journal-*")) == []


async def test_what_was_in_batches_is_not_sent_again_when_the_database_is_lost(tmp_path: Path) -> None:
    """The journal itself knows how far it is in batches, and the rest of it goes into the next database."""
    signals = RecordedSignals()
    async with child("leave", tmp_path, 0, 50, 20) as process:
        lost_id = await line_of(process)
        process.kill()
    database = tmp_path / "0000" / "batches.db"
    database.write_bytes(b"no database at all" * 1_000)
    # Otherwise SQLite would have all of it from there.
    database.with_name("batches.db-wal").write_bytes(b"no log")

    async with outbox_with(settings(tmp_path), signals=signals) as outbox:
        batches = await all_batches(outbox)
        assert numbers_in(batches) == list(range(50, 70))
        assert are_gapless(batches)
        assert outbox.outbox_id != lost_id

    (loss,) = lost_in(signals)
    assert (loss.signal, loss.items, loss.reason) == ("unknown", 0, "corrupt")
    assert loss.size_bytes >= 18_000
    assert database.with_name("batches.db.corrupt-1").read_bytes().startswith(b"no database")


async def test_a_database_that_breaks_while_it_is_used_gives_way_to_another(tmp_path: Path) -> None:
    signals = RecordedSignals()
    database = tmp_path / "0000" / "batches.db"
    async with outbox_with(settings(tmp_path), signals=signals) as outbox:
        for start in range(0, 160, 10):
            capture(outbox, range(start, start + 10), 100_000)
            await outbox.commit()
        before = outbox.outbox_id
        with database.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(4_096)
            file.write(os.urandom(size - 4_096))

        capture(outbox, [1_000])
        assert len(numbers_in(await all_batches(outbox))) < 160
        for _ in range(3):
            await outbox.commit()
        capture(outbox, [1_001])
        await outbox.commit()

        assert outbox.outbox_id == before
        batches = await all_batches(outbox)
        assert numbers_in(batches)[-2:] == [1_000, 1_001]
        # Numbers go on: whoever ships is somewhere behind 16.
        assert batches[-1].sequence > 16
        assert rows_add_up(await outbox.ledger())

    assert {loss.reason for loss in lost_in(signals)} == {"corrupt"}
    assert states_in(signals)[-1] == ""


async def test_a_journal_that_changes_under_us_costs_what_changed_and_is_told(tmp_path: Path) -> None:
    signals = RecordedSignals()
    async with outbox_with(settings(tmp_path), signals=signals) as outbox:
        # More than is kept in memory, so that it is read.
        capture(outbox, range(10), size_bytes=600_000)
        *_, segment = sorted((tmp_path / "0000").glob("journal-*.log"))
        with segment.open("r+b") as file:
            file.seek(-3 * (len(item(0, 600_000)) + 21) + 25, os.SEEK_END)
            file.write(b"?")
        await outbox.commit()
        capture(outbox, [10])
        await outbox.commit()

        assert numbers_in(await all_batches(outbox)) == [*range(7), 10]
        row = row_of(await outbox.ledger())
        assert (row.captured, row.shed, row.waiting) == (11, 3, 8)

    assert [(loss.signal, loss.items) for loss in lost_in(signals)] == [("unknown", 0), ("traces", 3)]


async def test_a_journal_that_is_cut_off_under_us_costs_nothing_and_does_not_swallow_what_comes(tmp_path: Path) -> None:
    signals = RecordedSignals()
    async with outbox_with(settings(tmp_path), signals=signals) as outbox:
        capture(outbox, range(10))
        (segment,) = (tmp_path / "0000").glob("journal-*.log")
        os.truncate(segment, 0)
        await outbox.commit()
        capture(outbox, range(10, 20))
        # As if the process had been killed here.
        copytree(tmp_path / "0000", tmp_path / "copy" / "0000")
        await outbox.commit()

        assert numbers_in(await all_batches(outbox)) == list(range(20))
        row = row_of(await outbox.ledger())
        assert (row.captured, row.shed, row.waiting) == (20, 0, 20)
    async with outbox_with(settings(tmp_path / "copy"), signals=signals) as another:
        assert numbers_in(await all_batches(another)) == list(range(20))

    assert lost_in(signals) == []


async def test_a_journal_that_is_cut_off_under_us_costs_what_is_no_longer_in_memory(tmp_path: Path) -> None:
    signals = RecordedSignals()
    async with outbox_with(settings(tmp_path), signals=signals) as outbox:
        capture(outbox, range(10), size_bytes=1 << 20)
        for segment in (tmp_path / "0000").glob("journal-*.log"):
            os.truncate(segment, 0)
        await outbox.commit()
        capture(outbox, range(10, 20))
        await outbox.commit()

        assert numbers_in(await all_batches(outbox)) == list(range(10, 20))
        row = row_of(await outbox.ledger())
        assert (row.captured, row.shed, row.waiting) == (20, 10, 10)

    *unreadable, lost = lost_in(signals)
    assert {each.signal for each in unreadable} == {"unknown"}
    assert sum(each.size_bytes for each in unreadable) > 10 << 20
    assert (lost.signal, lost.items) == ("traces", 10)


async def test_a_database_that_cannot_grow_does_not_let_the_journal_grow_for_ever(tmp_path: Path) -> None:
    signals = RecordedSignals()
    chosen = settings(tmp_path, max_bytes=16 << 20, memory_bytes=1 << 20)
    async with outbox_with(chosen, signals=signals) as outbox:
        # A segment of the journal has 4 MiB, and so is not concerned.
        with file_size_limit(6 << 20):
            for start in range(0, 4_000, 100):
                capture(outbox, range(start, start + 100), 10_000)
                await outbox.commit()
            segments = (tmp_path / "0000").glob("journal-*.log")
            assert sum(path.stat().st_size for path in segments) < 18 << 20
            assert states_in(signals)[-1] == "broken"
            shed = sum(loss.items for loss in lost_in(signals))
        await outbox.commit()
        await outbox.commit()

        assert shed > 1_000
        assert states_in(signals)[-1] == ""
        row = row_of(await outbox.ledger())
        assert row.captured == 4_000
        assert rows_add_up([row])
        assert row.waiting == len(numbers_in(await all_batches(outbox)))
        assert row.shed == sum(loss.items for loss in lost_in(signals))


async def test_receipts_that_cannot_be_written_are_bounded(tmp_path: Path) -> None:
    async with outbox_with(settings(tmp_path)) as outbox:
        for start in range(0, 500, 100):
            capture(outbox, range(start, start + 100), 1_000)
            await outbox.commit()
        batches = await all_batches(outbox)
        with file_size_limit(16 << 10):
            await outbox.settled(PLATFORM, [Receipt(number, TRACES, 100, 0, "", 0) for number in range(1, 10_001)])
            assert await all_batches(outbox) == []
            more = asyncio.create_task(deliver(outbox, batches))
            # What waits for the thread is done in turn, so by then it would have been done.
            await outbox.commit()
            await outbox.commit()
            assert not more.done()
        await outbox.commit()

        async with asyncio.timeout(10):
            await more
        assert await all_batches(outbox) == []
        assert row_of(await outbox.ledger()).delivered == 500


async def test_what_was_shed_from_memory_is_in_the_accounts_of_a_database_that_is_new(tmp_path: Path) -> None:
    signals = RecordedSignals()
    async with outbox_with(settings(tmp_path, memory_bytes=1 << 20), signals=signals) as outbox:
        with file_size_limit(1 << 20):
            capture(outbox, range(5_000), 1_000)
            await outbox.commit()
        shed = sum(loss.items for loss in lost_in(signals))
        (tmp_path / "0000" / "batches.db").unlink()
        await outbox.commit()
        await outbox.commit()

        assert shed > 2_000
        row = row_of(await outbox.ledger())
        assert (row.captured, row.shed, row.waiting) == (5_000, shed, 5_000 - shed)


async def test_an_outbox_that_somebody_deletes_goes_on(tmp_path: Path) -> None:
    signals = RecordedSignals()
    root = tmp_path / "outbox"
    async with outbox_with(settings(root), signals=signals) as outbox:
        capture(outbox, range(10))
        await outbox.commit()
        before = outbox.outbox_id
        shutil.rmtree(root)
        await outbox.commit()
        capture(outbox, range(10, 20))
        await outbox.commit()

        (batch,) = await all_batches(outbox)
        assert numbers_in([batch]) == list(range(10, 20))
        assert (batch.outbox_id, batch.sequence) == (before, 2)
        assert [loss.reason for loss in lost_in(signals)] == ["removed"]
        async with outbox_with(settings(root)) as other:
            assert other.outbox_id != before
            assert {box.outbox_id for box in other.boxes} == {other.outbox_id}
    async with outbox_with(settings(root)) as again:
        assert numbers_in(await all_batches(again)) == list(range(10, 20))


async def test_two_processes_on_one_folder_do_not_meet(tmp_path: Path) -> None:
    async with child("leave", tmp_path, 0, 10, 5) as process, asyncio.timeout(60):
        other_id = await line_of(process)
        async with outbox_with(settings(tmp_path)) as outbox:
            capture(outbox, range(100, 110))
            await outbox.adopt()
            await outbox.commit()

            assert outbox.outbox_id != other_id
            assert numbers_in(await all_batches(outbox)) == list(range(100, 110))
            assert len(outbox.boxes) == 1


async def test_what_a_dead_process_left_is_taken_over_shipped_and_removed(tmp_path: Path) -> None:
    async with outbox_with(settings(tmp_path)) as outbox:
        capture(outbox, range(100, 110))
        async with child("leave", tmp_path, 0, 10, 5) as process:
            dead_id = await line_of(process)
            await outbox.adopt()
            assert len(outbox.boxes) == 1
            process.kill()
            await process.wait()
        adopted = outbox.adopted()

        await outbox.adopt()
        await outbox.commit()
        async with asyncio.timeout(10):
            box = await anext(adopted)

        batches = await all_batches(box)
        assert box.outbox_id == dead_id
        assert {batch.outbox_id for batch in batches} == {dead_id}
        assert numbers_in(batches) == list(range(15))
        assert are_gapless(batches)
        assert numbers_in(await all_batches(outbox)) == list(range(100, 110))
        assert row_of(await outbox.ledger()).waiting == 25

        await deliver(box, batches[:1])
        await outbox.commit()
        assert numbers_in(await all_batches(box)) == list(range(10, 15))
        await deliver(box, batches[1:])
        await outbox.commit()

        async with asyncio.timeout(10):
            await box.ended()
        assert list(outbox.boxes) == [outbox.boxes[0]]
        assert not (tmp_path / "0001").exists()
        assert await box.next(PLATFORM, TRACES, 0, 1) == []
        row = row_of(await outbox.ledger())
        assert (row.captured, row.delivered, row.waiting) == (25, 15, 10)
        await outbox.aclose()
        assert [each async for each in adopted] == []
    async with outbox_with(settings(tmp_path)) as again:
        assert row_of(await again.ledger()).captured == 25


async def test_what_was_taken_over_by_a_process_that_dies_is_taken_over_again(tmp_path: Path) -> None:
    async with child("leave", tmp_path, 0, 10, 5) as one, child("leave", tmp_path, 200, 10, 5) as other:
        start = {await line_of(one): 0, await line_of(other): 200}
    # Whoever starts next takes the first slot for its own, and takes over the second.
    async with child("adopt", tmp_path, 1) as process:
        adopted_id, _, numbers = (await line_of(process)).partition(" ")
        assert await line_of(process) == "done"
    assert numbers == ",".join(map(str, range(start[adopted_id], start[adopted_id] + 10)))

    async with outbox_with(settings(tmp_path)) as outbox:
        await outbox.adopt()
        await outbox.commit()
        left = {box.outbox_id: numbers_in(await all_batches(box)) for box in outbox.boxes}

    assert left.pop(adopted_id) == list(range(start[adopted_id] + 10, start[adopted_id] + 15))
    ((own_id, own),) = left.items()
    assert own == list(range(start[own_id], start[own_id] + 15))


async def test_what_would_pass_the_bound_is_taken_over_when_there_is_room(tmp_path: Path) -> None:
    async with outbox_with(settings(tmp_path, max_bytes=256 << 10)) as outbox:
        async with child("leave", tmp_path, 0, 500, 500) as process:
            await line_of(process)
            process.kill()
        capture(outbox, range(100), 2_000)
        await outbox.commit()
        await outbox.adopt()
        assert len(outbox.boxes) == 1

        await deliver(outbox, await all_batches(outbox))
        await outbox.commit()
        await outbox.adopt()
        await outbox.commit()

        assert numbers_in(await all_batches(outbox.boxes[1])) == list(range(1_000))


async def test_what_alone_passes_the_bound_is_taken_over_and_shed_to_it(tmp_path: Path) -> None:
    signals = RecordedSignals()
    async with outbox_with(settings(tmp_path, max_bytes=16 << 10), signals=signals) as outbox:
        async with child("leave", tmp_path, 0, 1_000, 1_000) as process:
            await line_of(process)
            process.kill()
        await outbox.adopt()
        await outbox.commit()

        assert outbox.size_bytes <= 16 << 10
        assert sum(loss.items for loss in lost_in(signals)) >= 1_000


async def test_a_slot_of_another_release_is_left_alone(tmp_path: Path) -> None:
    async with outbox_with(settings(tmp_path)) as outbox:
        capture(outbox, [1])
    database = tmp_path / "0000" / "batches.db"
    with database.open("r+b") as file:
        # https://www.sqlite.org/fileformat.html: the user version, big-endian.
        file.seek(60)
        file.write((99).to_bytes(4))

    async with outbox_with(settings(tmp_path)) as outbox:
        await outbox.adopt()
        assert (tmp_path / "0001" / "batches.db").exists()
        assert len(outbox.boxes) == 1

    assert not list((tmp_path / "0000").glob("*.corrupt*"))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody can get to: those of pytest are for its user alone."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    inner = folder / "outbox"
    inner.mkdir()
    yield inner
    shutil.rmtree(folder)


async def test_a_folder_that_may_not_be_written_to(open_folder: Path) -> None:
    async with child("lock-out", open_folder) as process:
        found = json.loads((await told_by(process))[-1])

    assert found["states"] == ["read-only", "", "read-only", ""]
    assert found["numbers"] == list(range(44))
    assert found["sequences"] == list(range(1, len(found["sequences"]) + 1))
    assert (found["lost"], found["captured"], found["waiting"]) == (0, 44, 44)


async def test_files_that_may_not_grow(tmp_path: Path) -> None:
    async with child("full", tmp_path) as process:
        found = json.loads((await told_by(process))[-1])

    assert found["states"][0] == found["states"][-1] == ""
    assert set(found["states"]) == {"", "full", "broken"}
    assert found["numbers"] == list(range(3_000))
    assert found["sequences"] == list(range(1, len(found["sequences"]) + 1))
    assert (found["lost"], found["captured"], found["waiting"]) == (0, 3_000, 3_000)


async def test_whoever_waits_is_served_once_the_disk_lets_it_open(tmp_path: Path) -> None:
    root = tmp_path / "outbox"
    root.write_bytes(b"a file where the folder should be")
    async with outbox_with(settings(root)) as outbox:
        capture(outbox, [1])
        waiting = asyncio.create_task(outbox.next(PLATFORM, TRACES, 0, 1))
        await asyncio.sleep(0)
        root.unlink()
        await outbox.commit()

        async with asyncio.timeout(0.9):
            assert numbers_in(await waiting) == [1]


async def test_a_database_that_somebody_else_holds_is_waited_for(tmp_path: Path) -> None:
    signals = RecordedSignals()
    async with outbox_with(settings(tmp_path)) as outbox:
        capture(outbox, [1])
    holder = sqlite3.connect(tmp_path / "0000" / "batches.db", isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    async with outbox_with(settings(tmp_path), signals=signals) as outbox:
        capture(outbox, [2])
        assert states_in(signals) == ["broken"]
        assert await outbox.next(PLATFORM, TRACES, 0, 1) == []
        holder.close()
        await outbox.commit()

        assert numbers_in(await all_batches(outbox)) == [1, 2]
        assert states_in(signals) == ["broken", ""]


async def test_an_end_in_the_middle_of_a_beginning_leaves_nothing_held(tmp_path: Path) -> None:
    for _ in range(20):
        outbox = Outbox(settings(tmp_path), ORIGIN, clock=SystemClock(), signals=RecordedSignals())
        running = asyncio.create_task(outbox.run())
        await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await outbox.aclose()

    assert not (tmp_path / "0001.lock").exists()


async def test_memory_is_bounded_while_the_disk_is_away_and_what_is_shed_is_counted(tmp_path: Path) -> None:
    signals = RecordedSignals()
    root = tmp_path / "outbox"
    root.write_bytes(b"a file where the folder should be")
    async with outbox_with(settings(root, memory_bytes=4 << 20), signals=signals) as outbox:
        before = resident_bytes()
        for start in range(0, 100_000, 10_000):
            capture(outbox, range(start, start + 10_000), 1_000)
            await outbox.commit()
            assert outbox.size_bytes <= 4 << 20
        assert resident_bytes() - before < 32 << 20
        assert states_in(signals) == ["broken"]
        shed = sum(loss.items for loss in lost_in(signals))
        assert await outbox.ledger() == []

        root.unlink()
        await outbox.commit()
        await outbox.commit()

        assert numbers_in(await all_batches(outbox)) == list(range(shed, 100_000))
        row = row_of(await outbox.ledger())
        assert (row.captured, row.shed, row.waiting) == (100_000, shed, 100_000 - shed)
        assert states_in(signals) == ["broken", ""]
    assert sum(loss.items for loss in lost_in(signals)) == shed


async def test_what_a_disk_in_trouble_has_not_let_out_is_told_at_the_end(tmp_path: Path) -> None:
    signals = RecordedSignals()
    root = tmp_path / "outbox"
    root.write_bytes(b"a file where the folder should be")
    async with outbox_with(settings(root, durability=Durability.BATCHED), signals=signals) as outbox:
        capture(outbox, range(7))

    assert [(loss.signal, loss.items, loss.reason) for loss in lost_in(signals)] == [("traces", 7, "closed")]


@pytest.mark.parametrize("policy", [BoundPolicy.REFUSE, BoundPolicy.BLOCK])
async def test_calls_are_kept_out_before_memory_is_full(tmp_path: Path, policy: BoundPolicy) -> None:
    signals = RecordedSignals()
    root = tmp_path / "outbox"
    root.write_bytes(b"a file where the folder should be")
    chosen = settings(root, memory_bytes=1 << 20, policy=policy, block_seconds=0.01)
    async with outbox_with(chosen, signals=signals) as outbox:
        capture(outbox, range(400), 1_000)
        await outbox.commit()
        assert outbox.admit() is None
        capture(outbox, range(400, 500), 1_000)
        await outbox.commit()
        with pytest.raises(OutboxFull):
            await outbox.admit()  # type: ignore[misc]  # it is refused, or waits until it is
        assert lost_in(signals) == []
        root.unlink()
        await outbox.commit()
        await outbox.commit()

        assert outbox.admit() is None


async def test_a_million_captures_leave_nothing_behind(tmp_path: Path) -> None:
    async with outbox_with(settings(tmp_path)) as outbox:
        data = item(1)
        for round_number in range(20):
            for _ in range(50_000):
                outbox.capture(TRACES, 1, data)
            await outbox.commit()
            await deliver(outbox, await all_batches(outbox))
            if round_number == 3:
                before = resident_bytes()

        assert resident_bytes() - before < 8 << 20
        assert outbox.size_bytes == 0
        assert row_of(await outbox.ledger()).delivered == 1_000_000
        assert sum(path.stat().st_size for path in (tmp_path / "0000").iterdir()) < 16 << 20


def resident_bytes() -> int:
    """Return the memory that this process has."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


with tempfile.TemporaryDirectory() as probe:
    MAY_MOUNT = can_mount(Path(probe))

if MAY_MOUNT:
    # Where nothing may be mounted, `test_files_that_may_not_grow` is what there is.

    async def test_a_disk_that_the_outbox_has_filled_itself_is_freed_by_shipping(tmp_path: Path) -> None:
        """Quite full, SQLite could not even delete: some room is left alone for that."""
        signals = RecordedSignals()
        with small_disk(tmp_path, 32 << 20):
            async with outbox_with(settings(tmp_path), signals=signals) as outbox:
                numbers = await captured_until_full(outbox, signals)
                capture(outbox, range(numbers, numbers + 100), 10_000)
                await outbox.commit()
                batches = await all_batches(outbox)
                delivered = len(numbers_in(batches))
                assert numbers - 50 <= delivered <= numbers
                assert states_in(signals) == ["", "full"]

                await deliver(outbox, batches)
                for _ in range(20):
                    await outbox.commit()

                assert states_in(signals) == ["", "full", ""]
                assert numbers_in(await all_batches(outbox)) == list(range(delivered, numbers + 100))
                row = row_of(await outbox.ledger())
                assert (row.captured, row.delivered) == (numbers + 100, delivered)
                assert rows_add_up([row])
        assert lost_in(signals) == []

    async def captured_until_full(outbox: Outbox, signals: RecordedSignals) -> int:
        for number in range(100_000):
            capture(outbox, [number], 10_000)
            if number % 50 == 49:
                await outbox.commit()
                if states_in(signals)[-1] == "full":
                    return number + 1
        raise AssertionError("it was never full")

    async def test_a_disk_that_somebody_else_fills(tmp_path: Path) -> None:
        signals = RecordedSignals()
        with small_disk(tmp_path, 32 << 20):
            async with outbox_with(settings(tmp_path, memory_bytes=1 << 20), signals=signals) as outbox:
                capture(outbox, range(100), 1_000)
                await outbox.commit()
                rest = fill(tmp_path)
                capture(outbox, range(100, 3_000), 1_000)
                await outbox.commit()
                shed = sum(loss.items for loss in lost_in(signals))
                assert states_in(signals) == ["", "full"]
                assert 1_500 < shed < 2_500
                assert await sent_though_it_is_full(outbox) == list(range(100))

                rest.unlink()
                await outbox.commit()
                await outbox.commit()

                assert states_in(signals) == ["", "full", ""]
                found = numbers_in(await all_batches(outbox))
                assert found[-1] == 2_999
                assert found == sorted(found)
                row = row_of(await outbox.ledger())
                assert (row.captured, row.delivered, row.shed) == (3_000, 100, shed)
                assert row.waiting == len(found) == 2_900 - shed

    async def sent_though_it_is_full(box: Box | Outbox) -> list[int]:
        """Receipts are kept in memory meanwhile."""
        batches = await all_batches(box)
        await deliver(box, batches)
        assert await all_batches(box) == []
        return numbers_in(batches)
