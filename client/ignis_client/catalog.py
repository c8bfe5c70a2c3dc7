"""What a catalog holds, in figures."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ignis_client.agents import AgentFormat, AgentSummary
from ignis_client.diagnostics import Severity

__all__ = ["Catalog", "CatalogChange", "CategoryCount", "FormatCount", "SeverityCount", "Team"]


@dataclass(frozen=True, slots=True)
class FormatCount:
    """How many agents there are of a format."""

    format: AgentFormat
    agent_count: int


@dataclass(frozen=True, slots=True)
class CategoryCount:
    """How many agents there are in a category; it is empty for agents that have none."""

    category: str
    agent_count: int


@dataclass(frozen=True, slots=True)
class SeverityCount:
    """How many remarks there are of a severity."""

    severity: Severity
    diagnostic_count: int


@dataclass(frozen=True, slots=True)
class Team:
    """A set of agents that their author wants to work together.

    Attributes:
        id: Unique in the catalog.
        name: The author's name for it.
        description: What it is for; may be empty.
        agent_ids: Ids of its members that the catalog holds, in order.
    """

    id: str
    name: str
    description: str
    agent_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Catalog:
    """One snapshot of a catalog.

    Attributes:
        revision: Digest of everything it holds; equal content has an equal revision everywhere.
        agent_count: How many agents it holds.
        full_tokens: Tokens of all agents in full: what loading everything costs.
        card_tokens: Tokens of all cards.
        tokenizer: The encoding that tokens are counted with, such as "o200k_base".
        selector_version: The version of the selector that serves it.
        formats: How many agents there are of each format, ordered by format.
        categories: How many agents there are in each category, ordered by category.
        teams: Its teams, ordered by id.
        diagnostics: How many remarks of each severity there are on its files.
        file_count: How many files were read, those that hold no agent included.
        compile_time: When the server compiled it, in UTC.
        compile_duration: How long that took.
        default_budget_tokens: The budget of a load that states none.
    """

    revision: str
    agent_count: int
    full_tokens: int
    card_tokens: int
    tokenizer: str
    selector_version: str
    formats: tuple[FormatCount, ...]
    categories: tuple[CategoryCount, ...]
    teams: tuple[Team, ...]
    diagnostics: tuple[SeverityCount, ...]
    file_count: int
    compile_time: datetime
    compile_duration: timedelta
    default_budget_tokens: int


@dataclass(frozen=True, slots=True)
class CatalogChange:
    """The step from one revision of a catalog to a later one.

    Attributes:
        revision: What is served from now on.
        previous_revision: What the watch knew before; empty where it begins with all agents.
        added: Agents that are new, ordered by id; all of them where the watch begins.
        changed: Agents whose text or metadata is another, ordered by id, as they are now.
        removed_ids: Ids of agents that are gone, in order.
        time: When the revision went live on the server that tells, in UTC.
    """

    revision: str
    previous_revision: str
    added: tuple[AgentSummary, ...]
    changed: tuple[AgentSummary, ...]
    removed_ids: tuple[str, ...]
    time: datetime
