"""The text that a model is given of an agent: one frame around a card, a core or everything.

A frame ends with a line feed and begins with "<", between which o200k_base and its kin always split.
So the tokens of a bundle are the sum of the tokens of its agents, exactly, and can be counted once
when the catalog is compiled; tests/unit/agents/test_rendering.py holds the proof by recount.
"""

from html import escape

from ignis_server.agents.model import AgentDefinition, DetailLevel
from ignis_server.agents.sections import Core

__all__ = ["render_card", "render_core", "render_full"]

MAX_NAMED_SECTIONS = 12


def render_card(agent: AgentDefinition) -> str:
    """Return the frame around the description: enough to know that the agent exists."""
    return _frame(agent, DetailLevel.CARD, agent.description.strip())


def render_core(agent: AgentDefinition, core: Core) -> str:
    """Return the frame around description and core, and a last line on what was left out."""
    more = len(core.omitted) - MAX_NAMED_SECTIONS
    named = "; ".join(core.omitted[:MAX_NAMED_SECTIONS]) + (f"; and {more} more" if more > 0 else "")
    left_out = f"[Left out of this agent: {named}]" if named else ""
    return _frame(agent, DetailLevel.CORE, _paragraphs(agent.description, core.text, left_out))


def render_full(agent: AgentDefinition) -> str:
    """Return the frame around description and body."""
    return _frame(agent, DetailLevel.FULL, _paragraphs(agent.description, agent.body))


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(stripped for part in parts if (stripped := part.strip()))


def _frame(agent: AgentDefinition, detail: DetailLevel, content: str) -> str:
    name, agent_id = (escape(" ".join(text.split())) for text in (agent.name, agent.agent_id))
    return f'<agent name="{name}" id="{agent_id}" detail="{detail.name.lower()}">\n{content}\n</agent>\n'
