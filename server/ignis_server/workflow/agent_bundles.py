"""The text of a step's agent: a port to whatever loads agents."""

from dataclasses import dataclass
from typing import Protocol

__all__ = ["AgentBundle", "AgentBundles", "Wish"]


@dataclass(frozen=True, slots=True)
class Wish:
    """Whom a step wants: one agent by id, or whoever fits best where that is empty; and what its text may cost."""

    agent_id: str
    brief: str
    task: str
    budget_tokens: int | None


@dataclass(frozen=True, slots=True)
class AgentBundle:
    """Agents' text for a model.

    Attributes:
        agent_id: The agent that was wanted, or that fits best.
        digest: "sha256:" and the hexadecimal digest of the text in UTF-8.
        content: The text.
        tokens: Of the text, exactly.
        agents: Ids of all agents in it, each with "@" and its digest, in order.
    """

    agent_id: str
    digest: str
    content: str
    tokens: int
    agents: tuple[str, ...]


class AgentBundles(Protocol):
    """Loads agents for steps."""

    async def load(self, wish: Wish) -> AgentBundle:
        """Return the text of whom a step wants.

        Raises:
            IgnisError: There is no such agent, nobody fits, or the budget is too small for anybody.
        """
        ...
