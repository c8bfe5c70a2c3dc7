"""Noticing that a catalog's files have changed: by the system's notices or by polling, and by looking every so often."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import structlog
from watchfiles import awatch

__all__ = ["folder_changes"]

# Editors and checkouts write several files within a moment; one reload serves them all.
QUIET_MS = 50
SETTLE_MS = 500
TICK_SECONDS = 1.0
# After the system refused to watch: a folder that is gone may come back, a limit that is reached may be raised.
RETRY_SECONDS = 5.0

log = structlog.get_logger()


async def folder_changes(roots: Sequence[Path], *, by_polling: bool, check_seconds: float) -> AsyncIterator[None]:
    """Yield when something below the roots may have changed, for as long as it is asked.

    Args:
        roots: Directories.
        by_polling: Look at all files several times a second instead of being told by the system, which knows nothing of
            what other machines do on a network file system.
        check_seconds: Yield after so long even if nothing was noticed: notices get lost where a root is moved away and
            another put in its place.
    """
    while True:
        try:
            # The first tick comes when the watch stands: what happened before nobody was told of.
            left = 0.0
            async for changes in awatch(
                *roots,
                watch_filter=None,
                debounce=SETTLE_MS,
                step=QUIET_MS,
                rust_timeout=int(TICK_SECONDS * 1_000),
                yield_on_timeout=True,
                force_polling=by_polling,
                ignore_permission_denied=True,
            ):
                left -= TICK_SECONDS
                if changes or left < 0:
                    left = check_seconds
                    yield
        except (OSError, RuntimeError) as error:
            log.warning("catalog.not_watched", why=str(error), retry_seconds=RETRY_SECONDS)
            await asyncio.sleep(RETRY_SECONDS)
            yield
