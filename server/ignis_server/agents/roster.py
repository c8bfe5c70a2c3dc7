"""The roster: whom one load may choose from, which is the catalog and the past versions that the request pins."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.catalog import CatalogAgent, is_pin
from ignis_server.agents.model import AgentFilter
from ignis_server.agents.snapshot import Snapshot
from ignis_server.errors import InvalidRequest, Violation

__all__ = ["Roster"]


@dataclass(frozen=True, slots=True)
class Roster:
    """Agents by place. The first are those of the catalog, in its order; a pinned version stands in for its successor.

    Versions of agents that the catalog no longer holds at all stand behind them.
    """

    agents: tuple[CatalogAgent, ...]
    _snapshot: Snapshot
    _pinned: Mapping[str, int]
    _places: Mapping[str, int]

    @classmethod
    def of(cls, snapshot: Snapshot, required_agents: Iterable[str]) -> Self:
        """Put the past versions that references pin beside the agents of a snapshot.

        Raises:
            AgentNotFound, AmbiguousAgent: A reference with a digest leads nowhere.
            InvalidRequest: Two references pin different versions of one agent.
        """
        catalog = snapshot.catalog
        agents = list(catalog.agents)
        places: dict[str, int] = {}
        pinned: dict[str, int] = {}
        contradictions = []
        for reference in required_agents:
            if not is_pin(reference):
                continue
            version = snapshot.agent(reference)
            agent_id = version.agent_id
            if agent_id not in places:
                places[agent_id] = catalog.place_of_id(agent_id) if catalog.has_id(agent_id) else len(agents)
                agents[places[agent_id] : places[agent_id] + 1] = [version]
            elif agents[places[agent_id]].digest != version.digest:
                contradictions.append(
                    Violation(
                        "required_agents", f"{reference!r} is another version of {agent_id}: require one of the two"
                    )
                )
            pinned[reference] = places[agent_id]
        if contradictions:
            raise InvalidRequest(tuple(contradictions))
        return cls(tuple(agents), snapshot, pinned, places)

    @property
    def guests(self) -> int:
        """How many agents stand behind those of the catalog."""
        return len(self.agents) - len(self._snapshot.catalog.agents)

    def place_of(self, reference: str) -> int:
        """Return the place of an agent that is required; errors as `Catalog.place_of`."""
        place = self._pinned.get(reference)
        return self._snapshot.catalog.place_of(reference) if place is None else place

    def place_of_id(self, agent_id: str) -> int | None:
        """Return the place of the agent that has an id, if there is one."""
        catalog = self._snapshot.catalog
        return catalog.place_of_id(agent_id) if catalog.has_id(agent_id) else self._places.get(agent_id)

    def places_of(self, references: Iterable[str]) -> frozenset[int]:
        """Return the places of agents that are forbidden; a past version that nobody requires has none.

        Raises:
            AgentNotFound, AmbiguousAgent: A reference leads nowhere.
        """
        places = set()
        for reference in references:
            retired = self._snapshot.retired(reference)
            if retired is None:
                places.add(self._snapshot.catalog.place_of(reference))
            else:
                places.update(place for place in self._pinned.values() if self.agents[place] is retired)
        return frozenset(places)

    def admitted(self, agent_filter: AgentFilter) -> NDArray[np.bool_]:
        """Return which agents a filter lets through, by place: none of the guests."""
        return np.append(self._snapshot.admitted(agent_filter), np.zeros(self.guests, bool))
