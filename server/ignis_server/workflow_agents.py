"""What workflows ask of agents: who a reference means, and what text a step's agent is. Answered by the agents capability."""

from hashlib import sha256

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis_server.agents.answers import Answered, Answers, Refused
from ignis_server.agents.canonical import LoadRequest
from ignis_server.agents.catalog import Catalog
from ignis_server.agents.live import LiveCatalog
from ignis_server.agents.model import Project
from ignis_server.errors import AgentNotFound, AmbiguousAgent
from ignis_server.workflow import agent_directory
from ignis_server.workflow.agent_bundles import AgentBundle, Wish
from ignis_server.workflow.agent_directory import KnownAgent, Reference, UnknownAgent

__all__ = ["CatalogDirectory", "LoadedBundles"]


class LoadedBundles:
    """Loads agents for steps as callers of LoadAgents get them: from a cache where the same was asked before."""

    def __init__(self, live: LiveCatalog, answers: Answers, *, default_budget_tokens: int) -> None:
        self._live = live
        self._answers = answers
        self._default_budget_tokens = default_budget_tokens

    async def load(self, wish: Wish) -> AgentBundle:
        """Return the text of one agent, or of those that fit a brief and a task best.

        Raises:
            AgentNotFound: There is no such agent, or none fits.
            IgnisError: As for a load of the same.
        """
        request = LoadRequest.of(_project(wish), self._default_budget_tokens)
        answer, _ = await self._answers.answer(request, self._live.snapshot)
        match answer:
            case Answered(body):
                return _bundle(wish, pb.LoadAgentsResponse.FromString(body))
            case Refused(error):
                raise error.with_traceback(None)


def _project(wish: Wish) -> Project:
    if wish.agent_id:
        return Project(required_agents=(wish.agent_id,), budget_tokens=wish.budget_tokens)
    return Project(brief=wish.brief, task=wish.task, budget_tokens=wish.budget_tokens)


def _bundle(wish: Wish, loaded: pb.LoadAgentsResponse) -> AgentBundle:
    agents = loaded.bundle.agents
    if not agents:
        raise AgentNotFound(wish.agent_id or wish.task or wish.brief, ())
    content = "".join(each.content for each in agents)
    return AgentBundle(
        agent_id=wish.agent_id or min(agents, key=lambda each: each.rank).agent.id,
        digest=f"sha256:{sha256(content.encode()).hexdigest()}",
        content=content,
        tokens=loaded.bundle.tokens,
        agents=tuple(f"{each.agent.id}@{each.agent.digest}" for each in agents),
    )


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
