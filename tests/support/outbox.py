"""Outboxes for tests: items that are numbers, so that what arrives can be counted, and what a shipper does in a few lines."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from ignis_server.clock import Clock, SystemClock
from ignis_server.signals import NoSignals, Signals
from ignis_server.telemetry.model import Batch, LedgerRow, Receipt, Signal
from ignis_server.telemetry.outbox.box import Box
from ignis_server.telemetry.outbox.origin import Origin
from ignis_server.telemetry.outbox.outbox import Outbox
from ignis_server.telemetry.outbox.sealing import Step, no_step
from ignis_server.telemetry.outbox.settings import OutboxSettings

__all__ = [
    "ORIGIN",
    "PLATFORM",
    "TO_PLATFORM",
    "all_batches",
    "deliver",
    "item",
    "numbers_in",
    "outbox_with",
    "row_of",
    "rows_add_up",
]

ORIGIN: Final = Origin(resource=b"\x0a\x03abc", scope=b"\x0a\x05\x0a\x03ign")
PLATFORM: Final = "platform"
TO_PLATFORM: Final = {PLATFORM: frozenset(Signal)}

NUMBER_BYTES: Final = 8
TAG: Final = b"\x12"


def item(number: int, size_bytes: int = NUMBER_BYTES) -> bytes:
    """Return a number as an item: field 2, as long as it is wanted."""
    content = number.to_bytes(NUMBER_BYTES) + bytes(size_bytes - NUMBER_BYTES)
    length = len(content)
    varint = bytearray()
    while length > 0x7F:
        varint.append(length & 0x7F | 0x80)
        length >>= 7
    return TAG + bytes([*varint, length]) + content


def numbers_in(batches: Iterable[Batch]) -> list[int]:
    """Return the numbers in batches, in their order."""
    return [number for batch in batches for number in _numbers(batch.content.removeprefix(ORIGIN.scope))]


def _numbers(items: bytes) -> Iterator[int]:
    start = 0
    while start < len(items):
        assert items[start : start + 1] == TAG
        length = shift = 0
        start += 1
        while True:
            byte = items[start]
            start += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte <= 0x7F:
                break
        yield int.from_bytes(items[start : start + NUMBER_BYTES])
        start += length
    assert start == len(items)


@asynccontextmanager
async def outbox_with(
    settings: OutboxSettings,
    *,
    clock: Clock | None = None,
    signals: Signals | None = None,
    step: Step = no_step,
) -> AsyncIterator[Outbox]:
    """Have an open outbox until the block ends; nothing happens in it by itself."""
    outbox = Outbox(settings, ORIGIN, clock=clock or SystemClock(), signals=signals or NoSignals(), step=step)
    try:
        await outbox.commit()
        yield outbox
    finally:
        await outbox.aclose()


async def all_batches(
    box: Outbox | Box, destination: str = PLATFORM, signals: Sequence[Signal] = tuple(Signal)
) -> list[Batch]:
    """Return all batches that wait for a destination, in the order of their numbers."""
    found: list[Batch] = []
    for signal in signals:
        after = 0
        while batches := await box.waiting(destination, signal, 1_000, after=after):
            found += batches
            after = batches[-1].sequence
    return sorted(found, key=lambda batch: batch.sequence)


async def deliver(box: Outbox | Box, batches: Iterable[Batch], destination: str = PLATFORM) -> None:
    """Settle batches as delivered."""
    receipts = [Receipt(batch.sequence, batch.signal, batch.items, 0, "", 1) for batch in batches]
    await box.settled(destination, receipts)


def row_of(ledger: Iterable[LedgerRow], signal: Signal = Signal.TRACES, destination: str = PLATFORM) -> LedgerRow:
    """Return one row of a ledger."""
    (row,) = [row for row in ledger if (row.destination, row.signal) == (destination, signal)]
    return row


def rows_add_up(ledger: Iterable[LedgerRow]) -> bool:
    """Tell whether nothing is missing in any account."""
    return all(row.captured == row.delivered + row.rejected + row.shed + row.waiting for row in ledger)
