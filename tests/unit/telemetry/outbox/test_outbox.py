"""The outbox: what is captured comes out in batches, once, in order, and is accounted for."""

import asyncio
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ignis_server.errors import OutboxFull
from ignis_server.signals import OutboxChanged, OutboxMeasured, TelemetryLost
from ignis_server.telemetry.model import LedgerRow, Receipt, Signal
from ignis_server.telemetry.outbox.frames import MAX_DATA_BYTES
from ignis_server.telemetry.outbox.outbox import Outbox
from ignis_server.telemetry.outbox.settings import BoundPolicy, Durability, OutboxSettings
from support.fakes import HandClock, RecordedSignals
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

TRACES, METRICS, LOGS = Signal.TRACES, Signal.METRICS, Signal.LOGS


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def signals() -> RecordedSignals:
    return RecordedSignals()


def settings(root: Path, **chosen: Any) -> OutboxSettings:  # noqa: ANN401 - as the fields are
    defaults = OutboxSettings(root / "outbox", TO_PLATFORM)
    return replace(defaults, **chosen)


def capture(outbox: Outbox, numbers: Sequence[int], signal: Signal = TRACES, size_bytes: int = 8) -> None:
    for number in numbers:
        outbox.capture(signal, 1, item(number, size_bytes))


def lost_in(signals: RecordedSignals) -> list[tuple[str, int, str]]:
    return [(each.signal, each.items, each.reason) for each in signals.reported if isinstance(each, TelemetryLost)]


def states_in(signals: RecordedSignals) -> list[str]:
    return [each.reason for each in signals.reported if isinstance(each, OutboxChanged)]


async def test_what_is_captured_comes_out_in_batches(tmp_path: Path, clock: HandClock) -> None:
    async with outbox_with(settings(tmp_path), clock=clock) as outbox:
        outbox.capture(TRACES, 2, item(1) + item(2))
        outbox.capture(LOGS, 1, item(3))
        outbox.capture(TRACES, 1, item(4))
        await outbox.commit()
        traces, logs = await all_batches(outbox)

        assert (traces.sequence, logs.sequence) == (1, 2)
        assert (numbers_in([traces]), numbers_in([logs])) == ([1, 2, 4], [3])
        assert (traces.items, traces.signal, traces.captured_ns) == (3, TRACES, clock.now_ns())
        assert (traces.resource, traces.outbox_id) == (ORIGIN.resource, outbox.outbox_id)
        assert traces.content.startswith(ORIGIN.scope)
        assert len(outbox.outbox_id) == 32


async def test_strictly_it_survives_the_process_before_anything_else_happens(tmp_path: Path) -> None:
    async with outbox_with(settings(tmp_path)) as outbox:
        outbox.capture(TRACES, 1, item(7))

        (segment,) = (tmp_path / "outbox" / "0000").glob("journal-*.log")
        assert segment.read_bytes().endswith(item(7))


async def test_in_groups_it_survives_once_the_group_is_committed(tmp_path: Path) -> None:
    async with outbox_with(settings(tmp_path, durability=Durability.BATCHED)) as outbox:
        capture(outbox, range(100))
        assert list((tmp_path / "outbox" / "0000").glob("journal-*.log")) == []
        assert outbox.size_bytes > 0

        await outbox.commit()

        assert numbers_in(await all_batches(outbox)) == list(range(100))


async def test_the_next_start_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    async with outbox_with(settings(tmp_path)) as first:
        capture(first, range(10))
    async with outbox_with(settings(tmp_path)) as second:
        capture(second, range(10, 20))
        await second.commit()
        batches = await all_batches(second)

        assert second.outbox_id == first.outbox_id
        assert [batch.sequence for batch in batches] == [1, 2]
        assert numbers_in(batches) == list(range(20))
        await deliver(second, batches)
    async with outbox_with(settings(tmp_path)) as third:
        assert await all_batches(third) == []
        assert row_of(await third.ledger()) == LedgerRow(PLATFORM, TRACES, 20, 20, 0, 0, 0, None, "")
        assert [receipt.sequence for receipt in await third.receipts(PLATFORM, 1, 10)] == [1, 2]


async def test_whoever_waits_is_woken_by_a_new_batch(tmp_path: Path) -> None:
    async with outbox_with(settings(tmp_path)) as outbox:
        waiting = asyncio.create_task(outbox.next(PLATFORM, TRACES, 0, 10))
        await asyncio.sleep(0)
        capture(outbox, [5])
        await outbox.commit()

        async with asyncio.timeout(0.9):
            assert numbers_in(await waiting) == [5]
        assert await outbox.next(PLATFORM, TRACES, 1, 10) == []


async def test_the_ledger_has_what_was_captured_a_moment_ago(tmp_path: Path, clock: HandClock) -> None:
    async with outbox_with(settings(tmp_path), clock=clock) as outbox:
        capture(outbox, range(3))
        captured_ns = clock.now_ns()
        clock.turn(5)
        capture(outbox, range(4), LOGS)
        ledger = await outbox.ledger()
        assert row_of(ledger) == LedgerRow(PLATFORM, TRACES, 3, 0, 0, 0, 3, captured_ns, "")
        assert row_of(ledger, LOGS).waiting == 4

        await outbox.commit()
        first, _ = await all_batches(outbox)
        await outbox.settled(PLATFORM, [Receipt(first.sequence, TRACES, 2, 1, "too old", 9)])
        await outbox.failed(PLATFORM, LOGS, "unreachable")

        ledger = await outbox.ledger()
        assert row_of(ledger) == LedgerRow(PLATFORM, TRACES, 3, 2, 1, 0, 0, None, "too old")
        assert row_of(ledger, LOGS).last_error == "unreachable"
        assert rows_add_up(ledger)


async def test_a_batch_stays_until_each_destination_that_wants_it_has_it(tmp_path: Path) -> None:
    destinations: Mapping[str, Collection[Signal]] = {"all": frozenset(Signal), "logs": frozenset({LOGS})}
    async with outbox_with(settings(tmp_path, destinations=destinations)) as outbox:
        capture(outbox, [1])
        capture(outbox, [2], LOGS)
        await outbox.commit()
        batches = await all_batches(outbox, "all")
        assert numbers_in(await all_batches(outbox, "logs")) == [2]

        await deliver(outbox, batches, "all")

        assert await all_batches(outbox, "all") == []
        (left,) = await all_batches(outbox, "logs")
        await deliver(outbox, [left], "logs")
        assert outbox.size_bytes == 0


async def test_much_is_sealed_before_its_time(tmp_path: Path) -> None:
    """In run, a capture that makes a batch full wakes the sealing up."""
    async with asyncio.timeout(30), outbox_with(settings(tmp_path, seal_seconds=3_600.0)) as outbox:
        running = asyncio.create_task(outbox.run())
        await asyncio.sleep(0)
        # What is done at the beginning is done then.
        await outbox.commit()
        capture(outbox, range(2_000))
        while not (found := await outbox.next(PLATFORM, TRACES, 0, 1)):
            pass
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

        assert found[0].items == 2_000


async def test_it_runs_by_itself(tmp_path: Path, signals: RecordedSignals) -> None:
    chosen = settings(
        tmp_path, durability=Durability.BATCHED, seal_seconds=0.02, fsync_seconds=0.01, adopt_seconds=0.05
    )
    async with asyncio.timeout(30), outbox_with(chosen, signals=signals) as outbox:
        running = asyncio.create_task(outbox.run())
        capture(outbox, [1])
        assert numbers_in(await outbox.next(PLATFORM, TRACES, 0, 1)) == [1]
        while not any(isinstance(each, OutboxMeasured) for each in signals.reported):  # noqa: ASYNC110 - once a second
            await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    assert states_in(signals) == [""]
    assert lost_in(signals) == []


async def test_from_many_threads_at_once(tmp_path: Path) -> None:
    async with outbox_with(settings(tmp_path, seal_seconds=0.001)) as outbox:
        running = asyncio.create_task(outbox.run())
        threads = [
            threading.Thread(target=capture, args=(outbox, range(start, start + 3_000), signal))
            for start, signal in ((0, TRACES), (10_000, TRACES), (20_000, LOGS))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await outbox.commit()

        batches = await all_batches(outbox)
        assert sorted(numbers_in(batches)) == [*range(3_000), *range(10_000, 13_000), *range(20_000, 23_000)]
        assert [batch.sequence for batch in batches] == list(range(1, len(batches) + 1))
        assert rows_add_up(await outbox.ledger())


async def test_a_clock_that_goes_back_orders_nothing(
    tmp_path: Path, clock: HandClock, signals: RecordedSignals
) -> None:
    async with outbox_with(settings(tmp_path, seal_seconds=0.01), clock=clock, signals=signals) as outbox:
        capture(outbox, [1])
        await outbox.commit()
        clock.jump(-86_400)
        capture(outbox, [2])
        await outbox.commit()
        first, second = await all_batches(outbox)

        assert numbers_in([first, second]) == [1, 2]
        assert second.captured_ns < first.captured_ns
        measured = await next_measure(outbox, clock, signals)
        assert measured.age_seconds == 0
        assert measured.limit_bytes == outbox.max_bytes
        assert measured.size_bytes == outbox.size_bytes
        clock.jump(2 * 86_400)
        signals.reported.clear()
        assert (await next_measure(outbox, clock, signals)).age_seconds >= 86_400


async def next_measure(outbox: Outbox, clock: HandClock, signals: RecordedSignals) -> OutboxMeasured:
    """Let a second pass in `run`."""
    running = asyncio.create_task(outbox.run())
    try:
        async with asyncio.timeout(30):
            while True:
                clock.turn(0.5)
                await asyncio.sleep(0.01)
                for each in signals.reported:
                    if isinstance(each, OutboxMeasured):
                        return each
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_what_is_too_large_is_told(tmp_path: Path, signals: RecordedSignals) -> None:
    async with outbox_with(settings(tmp_path), signals=signals) as outbox:
        outbox.capture(METRICS, 3, bytes(MAX_DATA_BYTES + 1))
        await outbox.commit()
        assert outbox.size_bytes == 0

    assert lost_in(signals) == [("metrics", 3, "too-large")]


async def test_what_comes_after_the_end_is_told(tmp_path: Path, signals: RecordedSignals) -> None:
    async with outbox_with(settings(tmp_path), signals=signals) as outbox:
        pass
    outbox.capture(TRACES, 3, item(1))
    await outbox.commit()
    await outbox.adopt()
    await outbox.aclose()

    assert lost_in(signals) == [("traces", 3, "closed")]
    assert await outbox.next(PLATFORM, TRACES, 0, 1) == []
    assert await outbox.ledger() == []
    await outbox.settled(PLATFORM, [Receipt(1, TRACES, 1, 0, "", 1)])
    await outbox.failed(PLATFORM, TRACES, "x")
    assert await outbox.receipts(PLATFORM, 0, 1) == []


async def test_an_outbox_that_nobody_opened_ends_well(tmp_path: Path) -> None:
    outbox = Outbox(settings(tmp_path), ORIGIN, clock=HandClock(), signals=RecordedSignals())
    capture(outbox, [1])
    assert (outbox.outbox_id, list(outbox.boxes)) == ("", [])
    assert await outbox.ledger() == []
    assert await outbox.waiting(PLATFORM, TRACES, 1) == []

    await outbox.aclose()

    async with outbox_with(settings(tmp_path)) as again:
        assert numbers_in(await all_batches(again)) == [1]


# Items of 1,000 bytes, each a batch of its own, of which 128 KiB hold about 80.
SMALL = 128 << 10


async def fill(outbox: Outbox, numbers: Sequence[int]) -> None:
    for number in numbers:
        capture(outbox, [number], size_bytes=1_000)
        await outbox.commit()


async def test_at_the_bound_the_oldest_is_shed(tmp_path: Path, signals: RecordedSignals) -> None:
    async with outbox_with(settings(tmp_path, max_bytes=SMALL), signals=signals) as outbox:
        await fill(outbox, range(200))
        assert outbox.admit() is None

        left = numbers_in(await all_batches(outbox))
        assert outbox.size_bytes <= SMALL
        assert left == list(range(200 - len(left), 200))
        assert 70 < len(left) < 90
        row = row_of(await outbox.ledger())
        assert (row.captured, row.shed, row.waiting) == (200, 200 - len(left), len(left))
        assert sum(items for _, items, _ in lost_in(signals)) == row.shed
        assert {reason for _, _, reason in lost_in(signals)} == {"shed"}


async def test_at_the_bound_calls_are_refused_until_there_is_room(tmp_path: Path, signals: RecordedSignals) -> None:
    chosen = settings(tmp_path, max_bytes=SMALL, policy=BoundPolicy.REFUSE)
    async with outbox_with(chosen, signals=signals) as outbox:
        await fill(outbox, range(60))
        assert outbox.admit() is None
        await fill(outbox, range(60, 76))
        with pytest.raises(OutboxFull) as raised:
            outbox.admit()
        assert raised.value.limit_bytes == SMALL
        assert lost_in(signals) == []

        await deliver(outbox, (await all_batches(outbox))[:20])
        await outbox.commit()

        assert outbox.admit() is None


async def test_what_goes_on_without_calls_is_bounded_all_the_same(tmp_path: Path, signals: RecordedSignals) -> None:
    chosen = settings(tmp_path, max_bytes=SMALL, policy=BoundPolicy.REFUSE)
    async with outbox_with(chosen, signals=signals) as outbox:
        await fill(outbox, range(150))

        assert outbox.size_bytes <= SMALL
        assert lost_in(signals) != []
        with pytest.raises(OutboxFull):
            outbox.admit()


async def test_at_the_bound_calls_wait_for_room(tmp_path: Path) -> None:
    chosen = settings(tmp_path, max_bytes=SMALL, policy=BoundPolicy.BLOCK)
    async with outbox_with(chosen) as outbox:
        await fill(outbox, range(76))
        calls = [asyncio.ensure_future(admitted) for _ in range(5) if (admitted := outbox.admit()) is not None]
        await asyncio.sleep(0)
        assert [call.done() for call in calls] == [False] * 5

        await deliver(outbox, (await all_batches(outbox))[:20])
        await outbox.commit()

        async with asyncio.timeout(10):
            assert await asyncio.gather(*calls) == [None] * 5
        assert outbox.admit() is None


async def test_calls_do_not_wait_for_ever(tmp_path: Path) -> None:
    chosen = settings(tmp_path, max_bytes=SMALL, policy=BoundPolicy.BLOCK, block_seconds=0.01)
    async with outbox_with(chosen) as outbox:
        await fill(outbox, range(76))
        admitted = outbox.admit()
        assert admitted is not None

        with pytest.raises(OutboxFull):
            await admitted


async def test_calls_that_wait_are_let_in_at_the_end(tmp_path: Path) -> None:
    async with outbox_with(settings(tmp_path, max_bytes=SMALL, policy=BoundPolicy.BLOCK)) as outbox:
        await fill(outbox, range(76))
        admitted = outbox.admit()
        assert admitted is not None
        call = asyncio.ensure_future(admitted)
        await asyncio.sleep(0)

    async with asyncio.timeout(10):
        await call
