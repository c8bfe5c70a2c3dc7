"""Work beside the calls: named tasks that begin anew where they fail, and end with the service."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from ignis_server.signals import BackgroundFailed, Signals

__all__ = ["Background", "background"]

# Long enough not to fill a log, short enough that nobody notices most of what passes by itself.
RETRY_SECONDS = 5.0

log = structlog.get_logger()


class Background:
    """Owns tasks that nobody waits for."""

    def __init__(self, signals: Signals) -> None:
        self._signals = signals
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run work until it ends; where it fails, report it and begin anew."""
        task = asyncio.create_task(self._run(name, work), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except Exception:
                # One of the four places that catch everything: what fails here must not end the service.
                log.exception("background.failed", task=name, retry_seconds=RETRY_SECONDS)
                self._signals.report(BackgroundFailed(name))
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def wait(self) -> None:
        """Wait until all work has ended by itself."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """End all tasks, and wait until they have."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def background(signals: Signals) -> AsyncIterator[Background]:
    """Own background tasks until the block ends."""
    owner = Background(signals)
    try:
        yield owner
    finally:
        await owner.close()
