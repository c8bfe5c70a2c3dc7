"""The use case of searching: a ranking of the catalog for one query."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ignis_server.agents.bundle import Evidence
from ignis_server.agents.catalog import CatalogAgent
from ignis_server.agents.explanation import ANSWERS, Explainer
from ignis_server.agents.model import AgentFilter
from ignis_server.agents.selection.needs import needs_of_text
from ignis_server.agents.snapshot import Snapshot
from ignis_server.clock import Clock
from ignis_server.signals import AgentsSearched, Signals

__all__ = ["AgentSearch", "Found", "Ranking"]


@dataclass(frozen=True, slots=True)
class Found:
    """One agent of a ranking; `rank` counts from 1."""

    agent: CatalogAgent
    rank: int
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Ranking:
    """A stretch of a ranking, and where the next one begins, if there is one."""

    snapshot: Snapshot
    found: tuple[Found, ...]
    next_start: int | None


class AgentSearch:
    """Ranks agents by how well they answer a query."""

    def __init__(self, snapshot: Callable[[], Snapshot], *, clock: Clock, signals: Signals) -> None:
        self._snapshot = snapshot
        self._clock = clock
        self._signals = signals

    def search(self, query: str, agent_filter: AgentFilter, *, start: int, limit: int) -> Ranking:
        """Return `limit` agents from place `start` on of the ranking; agents without evidence are not in it."""
        began = self._clock.elapsed_seconds()
        snapshot = self._snapshot()
        relevance = snapshot.index.relevance(needs_of_text(query))
        admitted = snapshot.admitted(agent_filter)
        telling = admitted & ((relevance.lexical > 0).any(axis=0) | (relevance.answers >= ANSWERS).any(axis=0))
        order = [int(place) for place in np.argsort(-relevance.chances, kind="stable") if telling[place]]
        explainer = Explainer(snapshot.index, relevance)
        found = tuple(
            Found(snapshot.catalog.agents[place], start + number, explainer.evidence_for(place))
            for number, place in enumerate(order[start : start + limit], start=1)
        )
        self._signals.report(
            AgentsSearched(
                results=len(order),
                considered=int(admitted.sum()),
                seconds=self._clock.elapsed_seconds() - began,
            )
        )
        return Ranking(snapshot, found, start + limit if start + limit < len(order) else None)
