"""Agents as the catalog knows them, and what speaks for one."""

from dataclasses import dataclass
from enum import StrEnum

from ignis_client.diagnostics import Diagnostic

__all__ = ["Agent", "AgentFormat", "AgentSummary", "Evidence", "SearchResult"]


class AgentFormat(StrEnum):
    """The way in which an agent was written down."""

    UNKNOWN = "unknown"
    """One that this client is too old to know."""
    CLAUDE_SUBAGENT = "claude-subagent"
    """A Claude Code subagent: Markdown with `name`, `description`, `tools`, `model`."""
    AGENT_SKILL = "agent-skill"
    """An Agent Skill: a folder with a SKILL.md."""
    BMAD_AGENT = "bmad-agent"
    """A BMAD agent: Markdown around one YAML block."""
    COPILOT_AGENT = "copilot-agent"
    """A GitHub Copilot custom agent, `*.agent.md`."""
    COPILOT_CHAT_MODE = "copilot-chat-mode"
    """A GitHub Copilot chat mode, `*.chatmode.md`."""
    CREWAI_AGENT = "crewai-agent"
    """An entry of a CrewAI `agents.yaml`."""
    A2A_CARD = "a2a-card"
    """An A2A agent card in JSON."""
    PLAIN_MARKDOWN = "plain-markdown"
    """Markdown without front matter."""


@dataclass(frozen=True, slots=True)
class AgentSummary:
    """What identifies an agent, and what it is for.

    Attributes:
        id: Unique in the catalog.
        name: The author's name for it; may repeat in a catalog.
        digest: "sha256:" and the hexadecimal SHA-256 of everything that a load could send of it.
        description: What it is for, in the author's words; may be empty.
        format: How it was written down.
        category: The group its author filed it under; may be empty.
        card_tokens: Tokens of its name and description.
        core_tokens: Tokens of its core: the sections that say how it acts.
        full_tokens: Tokens of its full text.
    """

    id: str
    name: str
    digest: str
    description: str
    format: AgentFormat
    category: str
    card_tokens: int
    core_tokens: int
    full_tokens: int


@dataclass(frozen=True, slots=True)
class Agent:
    """Everything that is known of an agent.

    Attributes:
        summary: What identifies it.
        body: The text that instructs the model, without front matter.
        title: The author's longer name for it; may be empty.
        tags: Words that its author filed it under.
        tools: Tools that its author wants it to have, as written.
        model: Model that its author wants it to run on, as written; may be empty.
        examples: Requests that its author quotes as typical for it.
        path: The path of its file below the catalog's root.
        line: The line of that file on which it begins, from 1.
        team_ids: Ids of the teams it belongs to.
        card_content: What a load sends of it as a card.
        core_content: What a load sends of it as its core.
        full_content: What a load sends of it in full.
        core_omitted_sections: Headings of the sections of its body that its core leaves out.
        diagnostics: Remarks on its file.
    """

    summary: AgentSummary
    body: str
    title: str
    tags: tuple[str, ...]
    tools: tuple[str, ...]
    model: str
    examples: tuple[str, ...]
    path: str
    line: int
    team_ids: tuple[str, ...]
    card_content: str
    core_content: str
    full_content: str
    core_omitted_sections: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def id(self) -> str:
        """The agent's id."""
        return self.summary.id


@dataclass(frozen=True, slots=True)
class Evidence:
    """What spoke for an agent.

    Attributes:
        score: The chance that it answers the need that it answers best, 0 to 1, as it was in labelled catalogs.
            1 where the brief calls it by its name.
        lexical: The best match of the brief's words with its own, relative to the best in the catalog: 0
            to 1.
        semantic: Cosine similarity of the need's meaning with its description and best passage, -1 to 1.
        spelling: Similarity of the spelling of the need and what stands around it with its name and description,
            0 to 1.
        matched_terms: Words that the brief and the agent share, as the brief writes them, most telling first.
        need_indexes: Places in `Loaded.needs` of the needs that it answers, most strongly answered first.
            Empty in a SearchResult.
    """

    score: float
    lexical: float
    semantic: float
    spelling: float
    matched_terms: tuple[str, ...]
    need_indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One agent in a ranking.

    Attributes:
        agent: Which agent.
        rank: Place in the ranking, from 1.
        evidence: What speaks for it.
    """

    agent: AgentSummary
    rank: int
    evidence: Evidence

    @property
    def id(self) -> str:
        """The agent's id."""
        return self.agent.id
