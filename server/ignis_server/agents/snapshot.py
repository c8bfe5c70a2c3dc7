"""A snapshot: everything one call reads, compiled from the same files at the same moment."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.catalog import Catalog
from ignis_server.agents.compilation import compile_catalog
from ignis_server.agents.model import AgentFilter, Severity
from ignis_server.agents.selection.names import NameIndex
from ignis_server.agents.selection.selector import SelectionIndex, Selector
from ignis_server.agents.source import Sources
from ignis_server.agents.tokenizer import Tokenizer
from ignis_server.clock import Clock
from ignis_server.signals import CatalogCompiled, Signals

__all__ = ["Snapshot", "compile_snapshot"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A compiled catalog with its indexes; immutable and safe to share."""

    catalog: Catalog
    names: NameIndex
    index: SelectionIndex
    selector_version: str
    compile_time: datetime
    compile_duration: timedelta

    def admitted(self, agent_filter: AgentFilter) -> NDArray[np.bool_]:
        """Return which agents a filter lets through, by place."""
        return np.array([agent_filter.admits(agent.definition) for agent in self.catalog.agents], bool)


def compile_snapshot(
    sources: Sources, *, tokenizer: Tokenizer, selector: Selector, clock: Clock, signals: Signals
) -> Snapshot:
    """Compile files into a snapshot; seconds of CPU for a thousand agents, so keep it off an event loop."""
    start = clock.elapsed_seconds()
    catalog = compile_catalog(sources, tokenizer)
    names = NameIndex.of(catalog)
    index = selector.compile(catalog)
    seconds = clock.elapsed_seconds() - start
    severities = [diagnostic.severity for diagnostic in catalog.diagnostics]
    signals.report(
        CatalogCompiled(
            revision=catalog.revision,
            files=catalog.file_count,
            agents=len(catalog.agents),
            full_tokens=sum(agent.full.tokens for agent in catalog.agents),
            errors=severities.count(Severity.ERROR),
            warnings=severities.count(Severity.WARNING),
            seconds=seconds,
        )
    )
    return Snapshot(catalog, names, index, selector.version, clock.now(), timedelta(seconds=seconds))
