"""The words of the agents capability: what a definition and a team are."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

__all__ = [
    "AgentDefinition",
    "AgentFilter",
    "AgentFormat",
    "DetailLevel",
    "HeldAgent",
    "HeldBundle",
    "Project",
    "TeamDefinition",
    "TokenPrices",
]


class AgentFormat(StrEnum):
    """The ways in which people write agents down."""

    CLAUDE_SUBAGENT = "claude-subagent"
    AGENT_SKILL = "agent-skill"
    BMAD_AGENT = "bmad-agent"
    COPILOT_AGENT = "copilot-agent"
    COPILOT_CHAT_MODE = "copilot-chat-mode"
    CREWAI_AGENT = "crewai-agent"
    A2A_CARD = "a2a-card"
    PLAIN_MARKDOWN = "plain-markdown"


@dataclass(frozen=True, slots=True)
class AgentDefinition:
    """One agent as its author wrote it, whatever the format of the file.

    `agent_id` is unique in a catalog and follows from the path; `name` is the
    author's and may repeat. `description` is one paragraph, possibly empty;
    `body` is the text that instructs the model, without front matter, with LF
    line ends. `examples` are requests the author quotes as typical, if any.
    `line` is where the definition starts in the file at `path`.
    """

    agent_id: str
    name: str
    description: str
    body: str
    format: AgentFormat
    path: str
    line: int = 1
    category: str = ""
    title: str = ""
    tags: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    model: str = ""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TeamDefinition:
    """A named set of agents that their author wants to work together.

    `members` are agent names as written; a name that the catalog does not hold
    is diagnosed when the catalog is compiled. "*" stands for every agent that
    stands beside the team in the same pack.
    """

    team_id: str
    name: str
    description: str
    members: tuple[str, ...]
    path: str


class DetailLevel(IntEnum):
    """How much of an agent is sent; a greater level holds all of a lesser one."""

    CARD = 1
    CORE = 2
    FULL = 3


@dataclass(frozen=True, slots=True)
class AgentFilter:
    """Which agents are considered at all; an empty condition does not narrow.

    `categories` are case-folded.
    """

    formats: frozenset[AgentFormat] = frozenset()
    categories: frozenset[str] = frozenset()

    def admits(self, definition: AgentDefinition) -> bool:
        """Tell whether all conditions hold for an agent."""
        return (not self.formats or definition.format in self.formats) and (
            not self.categories or definition.category.casefold() in self.categories
        )


@dataclass(frozen=True, slots=True)
class HeldAgent:
    """The exact text of one agent: which, as of which digest, and how much of it."""

    agent_id: str
    digest: str
    detail: DetailLevel


@dataclass(frozen=True, slots=True)
class HeldBundle:
    """What a conversation holds: the epoch that it is in, and its agents in the order in which they were sent."""

    epoch_id: str
    agents: tuple[HeldAgent, ...]


@dataclass(frozen=True, slots=True)
class TokenPrices:
    """Prices of prompt-cached tokens relative to an input token that no cache is involved in.

    The defaults are what the large providers ask: a tenth to read, a quarter more to write.
    """

    cache_read: float = 0.1
    cache_write: float = 1.25


@dataclass(frozen=True, slots=True)
class Project:
    """What a caller asks agents for, and what may be spent on them.

    `tags` are case-folded, sorted and without repetition. References to agents are an id, a unique
    name, or either with "@" and the beginning of a digest. `min_recall` is None for what is worth its tokens,
    without a promise. `held` is None where the caller holds nothing.
    """

    brief: str = ""
    task: str = ""
    tags: tuple[str, ...] = ()
    required_agents: tuple[str, ...] = ()
    required_teams: tuple[str, ...] = ()
    forbidden_agents: tuple[str, ...] = ()
    filter: AgentFilter = AgentFilter()
    budget_tokens: int | None = None
    min_recall: float | None = None
    max_detail: DetailLevel = DetailLevel.FULL
    prices: TokenPrices = TokenPrices()
    held: HeldBundle | None = None
