"""The use case of compiling: every file once, and what it gave kept under a digest of its content."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

import structlog

from ignis_server.agents.artefacts import KeptArtefacts
from ignis_server.agents.cache.artefact_codec import decode_artefact, encode_artefact
from ignis_server.agents.cache.provenance import maker
from ignis_server.agents.last_good import kept_from_before
from ignis_server.agents.selection.selector import Selector
from ignis_server.agents.snapshot import Artefact, Snapshot, build_snapshot, compile_artefacts
from ignis_server.agents.source import RawFile, Sources
from ignis_server.agents.tokenizer import Tokenizer
from ignis_server.clock import Clock
from ignis_server.diagnostics import Diagnostic
from ignis_server.errors import CatalogUnusable
from ignis_server.signals import Signals

__all__ = ["CatalogCompiler"]

log = structlog.get_logger()

# So many are compiled at a time and then kept, so that what is stopped half-way need not begin anew.
FILES_AT_ONCE = 256
# 10 KB an agent. Those of larger catalogs would keep a store that all replicas share busy for too long.
MAX_VECTORS_BYTES = 64 << 20


class CatalogCompiler:
    """Turns files into a snapshot, beside the event loop."""

    def __init__(
        self, *, tokenizer: Tokenizer, selector: Selector, kept: KeptArtefacts, clock: Clock, signals: Signals
    ) -> None:
        self._tokenizer = tokenizer
        self._selector = selector
        self._kept = kept
        self._clock = clock
        self._signals = signals
        # What was compiled last, so that a reload has to look for what is new only.
        self._last: Mapping[str, Artefact] = {}

    async def compile(self, sources: Sources, before: Mapping[str, Artefact] = MappingProxyType({})) -> Snapshot:
        """Compile what is new of the files, and put it together with what is kept of the others.

        Args:
            sources: The files.
            before: What each file gave until now; it is served on where an edit broke the file.

        Raises:
            CatalogUnusable: They hold no agent between them.
        """
        began = self._clock.elapsed_seconds()
        keys = [self._key(file) for file in sources.files]
        artefacts = {key: self._last[key] for key in keys if key in self._last}
        kept = await self._kept.get([key for key in keys if key not in artefacts])
        artefacts |= await asyncio.to_thread(_decoded, kept)
        reused = len(artefacts)
        missing = [(key, file) for key, file in zip(keys, sources.files, strict=True) if key not in artefacts]
        for start in range(0, len(missing), FILES_AT_ONCE):
            artefacts |= await self._compiled(dict(missing[start : start + FILES_AT_ONCE]))
        self._last = artefacts
        by_path = {file.path: artefacts[key] for key, file in zip(keys, sources.files, strict=True)}
        if before:
            now = by_path | kept_from_before(before, by_path, sources.diagnostics)
            snapshot = await asyncio.to_thread(self._built, now, sources.diagnostics)
        else:
            snapshot = await self._started(by_path, sources.diagnostics, keys)
        snapshot = replace(
            snapshot,
            compile_duration=timedelta(seconds=self._clock.elapsed_seconds() - began),
            sources_digest=await asyncio.to_thread(sources.digest),
        )
        if not snapshot.catalog.agents:
            raise CatalogUnusable(
                Path(":".join(map(str, sources.roots))),
                f"none of its {snapshot.catalog.file_count} files holds an agent",
                "`ignis catalog lint` on it says why for each",
            )
        compiled = snapshot.compiled(reused_files=reused)
        log.info(
            "catalog.compiled",
            revision=compiled.revision,
            agents=compiled.agents,
            files=compiled.files,
            reused_files=reused,
            seconds=round(compiled.seconds, 3),
        )
        self._signals.report(compiled)
        return snapshot

    async def _started(
        self, artefacts: Mapping[str, Artefact], unread: Sequence[Diagnostic], keys: Sequence[str]
    ) -> Snapshot:
        """Put a catalog together as another replica may have done before: with the vectors that it kept.

        Every edit changes all vectors, as they depend on how rare words are. So those of reloads are not worth keeping.
        """
        key = self._digest(b"vectors", *(key.encode() for key in sorted(keys)))
        packed = (await self._kept.get([key])).get(key)
        snapshot = await asyncio.to_thread(self._built, artefacts, unread, packed)
        if packed is None:
            vectors = await asyncio.to_thread(snapshot.index.packed_vectors)
            if len(vectors) <= MAX_VECTORS_BYTES:
                await self._kept.put({key: vectors})
        return snapshot

    def _built(
        self, artefacts: Mapping[str, Artefact], unread: Sequence[Diagnostic], packed_vectors: bytes | None = None
    ) -> Snapshot:
        return build_snapshot(
            artefacts,
            unread,
            tokenizer=self._tokenizer,
            selector=self._selector,
            clock=self._clock,
            packed_vectors=packed_vectors,
        )

    async def _compiled(self, files: Mapping[str, RawFile]) -> dict[str, Artefact]:
        compiled = await asyncio.to_thread(
            compile_artefacts, tuple(files.values()), tokenizer=self._tokenizer, selector=self._selector
        )
        await self._kept.put({key: encode_artefact(each) for key, each in zip(files, compiled, strict=True)})
        return dict(zip(files, compiled, strict=True))

    def _key(self, file: RawFile) -> str:
        """Return a key that is another one whenever a file might give anything else."""
        return self._digest(file.path.encode(), file.data)

    def _digest(self, *parts: bytes) -> str:
        digest = hashlib.blake2b(digest_size=16)
        for part in (maker(), self._tokenizer.name, self._selector.version):
            digest.update(f"{part}\0".encode())
        for content in parts:
            digest.update(b"%d\0" % len(content))
            digest.update(content)
        return digest.hexdigest()


def _decoded(kept: Mapping[str, bytes]) -> dict[str, Artefact]:
    decoded = {key: decode_artefact(content) for key, content in kept.items()}
    return {key: artefact for key, artefact in decoded.items() if artefact is not None}
