"""The text that a model is given of an agent: one frame around a card or around everything.

A frame ends with a line feed and begins with "<", between which o200k_base and its kin always split.
So the tokens of a bundle are the sum of the tokens of its agents, exactly, and can be counted once
when the catalog is compiled; tests/unit/agents/test_rendering.py holds the proof by recount.
"""

from html import escape

from ignis_server.agents.model import AgentDefinition, DetailLevel

__all__ = ["render_card", "render_full"]


def render_card(agent: AgentDefinition) -> str:
    """Return the frame around the description: enough to know that the agent exists."""
    return _frame(agent, DetailLevel.CARD, agent.description.strip())


def render_full(agent: AgentDefinition) -> str:
    """Return the frame around description and body."""
    parts = (agent.description.strip(), agent.body.strip())
    return _frame(agent, DetailLevel.FULL, "\n\n".join(part for part in parts if part))


def _frame(agent: AgentDefinition, detail: DetailLevel, content: str) -> str:
    name, agent_id = (escape(" ".join(text.split())) for text in (agent.name, agent.agent_id))
    return f'<agent name="{name}" id="{agent_id}" detail="{detail.name.lower()}">\n{content}\n</agent>\n'
