"""A snapshot: everything one call reads, compiled from the same files at the same moment."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.assembly import assemble
from ignis_server.agents.catalog import Catalog, CatalogAgent
from ignis_server.agents.compilation import CompiledFile, compile_files
from ignis_server.agents.history import History
from ignis_server.agents.model import AgentFilter
from ignis_server.agents.selection.analysis import Analysis
from ignis_server.agents.selection.names import NameIndex
from ignis_server.agents.selection.selector import SelectionIndex, Selector
from ignis_server.agents.source import RawFile, Sources
from ignis_server.agents.tokenizer import Tokenizer
from ignis_server.clock import Clock
from ignis_server.diagnostics import Diagnostic, Severity
from ignis_server.signals import CatalogCompiled

__all__ = ["Artefact", "Snapshot", "build_snapshot", "compile_artefacts", "compile_snapshot"]


@dataclass(frozen=True, slots=True)
class Artefact:
    """All that one file gives, compiled: its agents, and in parallel what selection counted of each."""

    file: CompiledFile
    analyses: tuple[Analysis, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Snapshot:
    """A compiled catalog with its indexes; immutable and safe to share.

    Attributes:
        catalog: The agents and teams.
        names: Finds agents that a text calls by name.
        index: Weighs agents against needs.
        selector_version: The selector that made the index.
        compile_time: When it was compiled.
        compile_duration: How long that took.
        artefacts: What each file gave, by path.
        unread: What there is to say of files that could not be read.
        sources_digest: That of the files as they were read; empty where they were not.
        history: The revisions that were served before.
    """

    catalog: Catalog
    names: NameIndex
    index: SelectionIndex
    selector_version: str
    compile_time: datetime
    compile_duration: timedelta
    artefacts: Mapping[str, Artefact]
    unread: tuple[Diagnostic, ...] = ()
    sources_digest: bytes = b""
    history: History = field(default_factory=History)

    def agent(self, reference: str) -> CatalogAgent:
        """Return the agent of an id or unique name, either with "@" and a digest, which may be of a past revision.

        Raises:
            AgentNotFound: Nothing has this id or name, or not with this digest.
            AmbiguousAgent: Several agents have this name.
        """
        retired = self.retired(reference)
        return retired or self.catalog.agent(reference)

    def retired(self, reference: str) -> CatalogAgent | None:
        """Return the agent of a past revision that a reference means, if it means none of the present one."""
        return None if self.catalog.has(reference) else self.history.find(reference)

    def admitted(self, agent_filter: AgentFilter) -> NDArray[np.bool_]:
        """Return which agents a filter lets through, by place."""
        return np.array([agent_filter.admits(agent.definition) for agent in self.catalog.agents], bool)

    def compiled(self, *, reused_files: int = 0) -> CatalogCompiled:
        """Return what to report of the compilation, of which so many files were found compiled already."""
        severities = [diagnostic.severity for diagnostic in self.catalog.diagnostics]
        return CatalogCompiled(
            revision=self.catalog.revision,
            files=self.catalog.file_count,
            reused_files=reused_files,
            agents=len(self.catalog.agents),
            full_tokens=sum(agent.full.tokens for agent in self.catalog.agents),
            errors=severities.count(Severity.ERROR),
            warnings=severities.count(Severity.WARNING),
            seconds=self.compile_duration.total_seconds(),
        )


def compile_artefacts(files: Sequence[RawFile], *, tokenizer: Tokenizer, selector: Selector) -> list[Artefact]:
    """Compile files, each for itself; seconds of CPU for a thousand agents, so keep it off an event loop."""
    compiled = compile_files(files, tokenizer)
    analyses = iter(selector.analyse([agent.definition for file in compiled for agent in file.agents]))
    return [Artefact(file, tuple(next(analyses) for _ in file.agents)) for file in compiled]


def build_snapshot(  # noqa: PLR0913 - two are what is put together, four what it takes
    artefacts: Mapping[str, Artefact],
    unread: Iterable[Diagnostic],
    *,
    tokenizer: Tokenizer,
    selector: Selector,
    clock: Clock,
    packed_vectors: bytes | None = None,
) -> Snapshot:
    """Put compiled files together to a snapshot, in a fraction of the time that they took to compile.

    Args:
        artefacts: What each file gave, by path.
        unread: What there is to say of files that could not be read.
        tokenizer: Counts what only shows when files come together, such as a new id for one that two claim.
        selector: The one that analysed them.
        clock: Tells the time, and how long this took; what went before is the caller's to add.
        packed_vectors: Those of the index of the same files, if they are known.
    """
    began = clock.elapsed_seconds()
    in_path_order = [artefacts[path] for path in sorted(artefacts)]
    assembly = assemble([artefact.file for artefact in in_path_order], unread, tokenizer)
    analyses = [analysis for artefact in in_path_order for analysis in artefact.analyses]
    in_order = sorted(zip(assembly.places, range(len(analyses)), strict=True))
    index = selector.index([analyses[number] for _, number in in_order], packed_vectors)
    return Snapshot(
        catalog=assembly.catalog,
        names=NameIndex.of(assembly.catalog),
        index=index,
        selector_version=selector.version,
        compile_time=clock.now(),
        compile_duration=timedelta(seconds=clock.elapsed_seconds() - began),
        artefacts=artefacts,
        unread=tuple(unread),
    )


def compile_snapshot(sources: Sources, *, tokenizer: Tokenizer, selector: Selector, clock: Clock) -> Snapshot:
    """Compile files into a snapshot from nothing; seconds of CPU for a thousand agents."""
    began = clock.elapsed_seconds()
    compiled = compile_artefacts(sources.files, tokenizer=tokenizer, selector=selector)
    artefacts = {file.path: artefact for file, artefact in zip(sources.files, compiled, strict=True)}
    snapshot = build_snapshot(artefacts, sources.diagnostics, tokenizer=tokenizer, selector=selector, clock=clock)
    return replace(snapshot, compile_duration=timedelta(seconds=clock.elapsed_seconds() - began))
