"""A process with an outbox, to be killed, starved or locked out: `python -m support.outbox_child SCENARIO ROOT …`.

What it has captured or delivered it tells on standard output, a line each, written before it goes on.
"""

import asyncio
import itertools
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog

from ignis_server.signals import OutboxChanged, TelemetryLost
from ignis_server.telemetry.model import Signal
from ignis_server.telemetry.outbox.outbox import Outbox
from ignis_server.telemetry.outbox.settings import OutboxSettings
from support.fakes import RecordedSignals
from support.limits import file_size_limit
from support.outbox import PLATFORM, TO_PLATFORM, all_batches, deliver, item, numbers_in, outbox_with, row_of

TRACES: Final = Signal.TRACES
NOBODY: Final = 65_534


def tell(line: str) -> None:
    """Write a line past all buffers."""
    os.write(1, f"{line}\n".encode())


async def ship_until_killed(root: Path, first: int) -> None:
    """Capture numbers from a first one on, and deliver some of them meanwhile."""
    async with outbox_with(OutboxSettings(root, TO_PLATFORM, seal_seconds=0.002)) as outbox:
        tasks = [asyncio.create_task(outbox.run()), asyncio.create_task(ship(outbox))]
        for number in itertools.count(first):
            outbox.capture(TRACES, 1, item(number, 200))
            tell(f"c {number}")
            if number % 20 == 0:
                await asyncio.sleep(0)
        await asyncio.gather(*tasks)


async def ship(outbox: Outbox) -> None:
    """Deliver one batch after the other; what is told is delivered, whether its receipt is written or not."""
    after = 0
    while True:
        for batch in await outbox.next(PLATFORM, TRACES, after, 4):
            tell(f"d {batch.outbox_id}/{batch.sequence} {batch.digest.hex()} {','.join(map(str, numbers_in([batch])))}")
            await deliver(outbox, [batch])
            after = batch.sequence


async def crash_at(root: Path, step: str, times: int) -> None:
    """Capture two stretches, seal them, and so again, and be gone when a step is done so many times."""
    seen = Counter[str]()

    def crash(name: str) -> None:
        seen[name] += 1
        if name == step and seen[name] == times:
            os.kill(os.getpid(), signal.SIGKILL)

    async with outbox_with(OutboxSettings(root, TO_PLATFORM), step=crash) as outbox:
        for start in (0, 3_000):
            capture(outbox, range(start, start + 3_000), 400)
            tell(str(start + 3_000))
            await outbox.commit()


async def leave(root: Path, first: int, sealed: int, unsealed: int) -> None:
    """Capture some numbers that are sealed and some that are not, and wait to be killed."""
    async with outbox_with(OutboxSettings(root, TO_PLATFORM)) as outbox:
        for number in range(first, first + sealed):
            outbox.capture(TRACES, 1, item(number))
        await outbox.commit()
        for number in range(first + sealed, first + sealed + unsealed):
            outbox.capture(TRACES, 1, item(number))
        tell(outbox.outbox_id)
        await asyncio.Event().wait()


async def adopt(root: Path, delivered: int) -> None:
    """Take over what is there, deliver so many batches of it, and wait to be killed."""
    async with outbox_with(OutboxSettings(root, TO_PLATFORM)) as outbox:
        await outbox.adopt()
        await outbox.commit()
        for box in outbox.boxes[1:]:
            batches = (await all_batches(box))[:delivered]
            await deliver(box, batches)
            tell(f"{box.outbox_id} {','.join(map(str, numbers_in(batches)))}")
        tell("done")
        await asyncio.Event().wait()


async def lock_out(root: Path) -> None:
    """Capture into a folder that may not be written to, before it ever could be and later on."""
    if os.geteuid() == 0:
        # Modes are nothing to root.
        os.chown(root, NOBODY, NOBODY)
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    lock(root)
    signals = RecordedSignals()
    async with outbox_with(OutboxSettings(root, TO_PLATFORM), signals=signals) as outbox:
        capture(outbox, range(10))
        await outbox.commit()
        unlock(root)
        await outbox.commit()
        capture(outbox, range(10, 20))
        await outbox.commit()
        lock(root / "0000")
        # Six segments: another one cannot be begun.
        capture(outbox, range(20, 44), 1 << 20)
        await outbox.commit()
        unlock(root / "0000")
        await outbox.commit()
        await report(outbox, signals)


def lock(folder: Path) -> None:
    """Let nothing be made in a folder."""
    folder.chmod(0o500)


def unlock(folder: Path) -> None:
    """Let it again."""
    folder.chmod(0o700)


async def run_out_of_room(root: Path) -> None:
    """Capture while no file may grow beyond a MiB, and after that."""
    signals = RecordedSignals()
    async with outbox_with(OutboxSettings(root, TO_PLATFORM), signals=signals) as outbox:
        with file_size_limit(1 << 20):
            for start in range(0, 3_000, 100):
                capture(outbox, range(start, start + 100), 1_000)
                await outbox.commit()
        await outbox.commit()
        await report(outbox, signals)


def capture(outbox: Outbox, numbers: range, size_bytes: int = 8) -> None:
    """Capture numbers."""
    for number in numbers:
        outbox.capture(TRACES, 1, item(number, size_bytes))


async def report(outbox: Outbox, signals: RecordedSignals) -> None:
    """Tell all that there is to know."""
    row = row_of(await outbox.ledger())
    batches = await all_batches(outbox)
    found = {
        "states": [each.reason for each in signals.reported if isinstance(each, OutboxChanged)],
        "lost": sum(each.items for each in signals.reported if isinstance(each, TelemetryLost)),
        "numbers": numbers_in(batches),
        "sequences": [batch.sequence for batch in batches],
        "captured": row.captured,
        "waiting": row.waiting,
    }
    tell(json.dumps(found))


SCENARIOS: Final[dict[str, Callable[..., Awaitable[None]]]] = {
    "ship": ship_until_killed,
    "crash": crash_at,
    "leave": leave,
    "adopt": adopt,
    "lock-out": lock_out,
    "full": run_out_of_room,
}


async def main() -> None:
    """Run a scenario."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    name, root, *rest = sys.argv[1:]
    await SCENARIOS[name](Path(root), *(int(each) if each.isdecimal() else each for each in rest))


if __name__ == "__main__":
    asyncio.run(main())
