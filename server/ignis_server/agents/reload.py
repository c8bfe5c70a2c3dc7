"""The use case of reloading: read, compile aside, prepare, swap."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog

from ignis_server.agents.compiler import CatalogCompiler
from ignis_server.agents.history import CatalogStep
from ignis_server.agents.live import LiveCatalog
from ignis_server.agents.snapshot import Snapshot
from ignis_server.agents.source import Sources
from ignis_server.errors import CatalogUnusable
from ignis_server.signals import CatalogReloaded, Signals

__all__ = ["CatalogReloader"]

log = structlog.get_logger()


class CatalogReloader:
    """Keeps the live catalog as its files are. Calls go on meanwhile; those under way finish on their snapshot.

    A file that an edit broke is served as it was, and a diagnostic says so. Files that cannot be served at all change
    nothing.
    """

    def __init__(
        self,
        live: LiveCatalog,
        compiler: CatalogCompiler,
        *,
        read: Callable[[], Sources],
        prepare: Callable[[Snapshot, Snapshot], Awaitable[None]],
        signals: Signals,
    ) -> None:
        """Make a reloader.

        Args:
            live: What serves the catalog.
            compiler: Compiles its files.
            read: Reads them; runs on a thread.
            prepare: Run with the present snapshot and the one that comes next, before that goes live.
            signals: Told of each reload.
        """
        self._live = live
        self._compiler = compiler
        self._read = read
        self._prepare = prepare
        self._signals = signals
        self._seen = live.snapshot.sources_digest

    async def run(self, changes: AsyncIterator[object]) -> None:
        """Reload after each change, for as long as there are any."""
        async for _ in changes:
            await self.reload()

    async def reload(self) -> None:
        """Serve what the files hold now; where they cannot be used, go on as before and report it."""
        try:
            sources, digest = await asyncio.to_thread(self._read_and_digest)
            if digest == self._seen:
                return
            snapshot = await self._compiler.compile(sources, before=self._live.snapshot.artefacts)
        except CatalogUnusable as error:
            log.warning("catalog.kept", why=str(error))
            self._signals.report(CatalogReloaded("kept"))
            return
        if snapshot.catalog.revision != self._live.snapshot.catalog.revision:
            successor = self._live.successor(snapshot)
            await self._prepare(self._live.snapshot, successor)
            self._report(successor.history.step(self._live.snapshot.catalog.revision, successor.catalog), successor)
            self._live.replace(successor)
        self._seen = digest

    def _read_and_digest(self) -> tuple[Sources, bytes]:
        sources = self._read()
        return sources, sources.digest()

    def _report(self, step: CatalogStep, successor: Snapshot) -> None:
        seconds = successor.compile_duration.total_seconds()
        self._signals.report(
            CatalogReloaded("replaced", len(step.added), len(step.changed), len(step.removed_ids), seconds)
        )
        log.info(
            "catalog.replaced",
            revision=step.revision,
            previous_revision=step.previous_revision,
            added=len(step.added),
            changed=len(step.changed),
            removed=len(step.removed_ids),
            seconds=round(seconds, 3),
        )
