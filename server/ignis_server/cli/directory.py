"""A catalog of agents as the directory that workflows ask who their agents are."""

from ignis_server.agents.catalog import Catalog
from ignis_server.errors import AgentNotFound, AmbiguousAgent
from ignis_server.workflow import agent_directory
from ignis_server.workflow.agent_directory import KnownAgent, Reference, UnknownAgent

__all__ = ["CatalogDirectory"]


class CatalogDirectory:
    """Looks references up in a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def look_up(self, reference: str, *, near: str) -> Reference:
        """Return whom an id or name means; of several, the one that shares most folders with the file at `near`."""
        try:
            return KnownAgent(self._catalog.agent(reference).agent_id)
        except AgentNotFound as error:
            return UnknownAgent(error.nearest)
        except AmbiguousAgent as error:
            ids = self._named(reference)
            shared = {agent_id: _shared_folders(agent_id, near) for agent_id in ids}
            most = max(shared.values())
            closest = [agent_id for agent_id in ids if shared[agent_id] == most]
            if most and len(closest) == 1:
                return KnownAgent(closest[0])
            return agent_directory.AmbiguousAgent(error.agent_ids)

    def _named(self, name: str) -> list[str]:
        return [agent.agent_id for agent in self._catalog.agents if agent.definition.name.casefold() == name.casefold()]


def _shared_folders(one: str, other: str) -> int:
    count = 0
    for mine, theirs in zip(one.split("/")[:-1], other.split("/")[:-1], strict=False):
        if mine != theirs:
            break
        count += 1
    return count
