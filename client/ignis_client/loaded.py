"""The answer to a load: the bundle, the reasons for it, and what it saves."""

from dataclasses import dataclass, field
from enum import StrEnum

from ignis_client.agents import AgentSummary, Evidence
from ignis_client.bundle import Bundle, LoadedAgent
from ignis_client.epoch import Epoch
from ignis_client.savings import Savings

__all__ = ["CacheOutcome", "ExclusionReason", "LeftOutAgent", "Loaded", "Need", "UnboundedBundle"]


class CacheOutcome(StrEnum):
    """Where an answer came from."""

    UNKNOWN = "unknown"
    """One that this client is too old to know."""
    COMPUTED = "computed"
    """Computed for this call."""
    PROCESS_HIT = "process-hit"
    """Found in the memory of the process that answered."""
    SHARED_HIT = "shared-hit"
    """Found in the cache that the replicas share."""
    COALESCED = "coalesced"
    """Computed by another call for the same answer, for which this one waited."""


class ExclusionReason(StrEnum):
    """Why an agent is not in a bundle."""

    UNKNOWN = "unknown"
    """One that this client is too old to know."""
    FORBIDDEN = "forbidden"
    """The request forbids it."""
    OVER_BUDGET = "over-budget"
    """The budget had no room for it at any level."""
    REDUNDANT = "redundant"
    """What it answers, agents in the bundle answer already."""
    WEAK_EVIDENCE = "weak-evidence"
    """Too little speaks for it."""


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that a brief asks for.

    Attributes:
        text: The words of the brief, at most 200 characters of them.
        answered: Whether the bundle holds an agent that answers it.
        agent_ids: Ids of the agents in the bundle that answer it, best first; at most 8.
        answerable: The chance that the catalog holds anybody for it, whether in the bundle or not: 0 to 1.
    """

    text: str
    answered: bool
    agent_ids: tuple[str, ...]
    answerable: float


@dataclass(frozen=True, slots=True)
class UnboundedBundle:
    """What the same request would get without a budget.

    Attributes:
        tokens: Tokens of the bundle: the smallest budget that cuts nothing off.
        added_agent_ids: The agents that it would hold besides, the most useful first; at most 20.
        added_more_count: How many more it would add.
        expected_recall: As in `Loaded`.
    """

    tokens: int
    added_agent_ids: tuple[str, ...]
    added_more_count: int
    expected_recall: float | None


@dataclass(frozen=True, slots=True)
class LeftOutAgent:
    """An agent that had evidence and is not in the bundle.

    Attributes:
        agent: Which agent.
        evidence: What spoke for it.
        reason: Why it is not in the bundle.
        tokens: Tokens it would have added at the most detailed level that was allowed.
    """

    agent: AgentSummary
    evidence: Evidence
    reason: ExclusionReason
    tokens: int

    @property
    def id(self) -> str:
        """The agent's id."""
        return self.agent.id


@dataclass(frozen=True, slots=True)
class Loaded:
    """The agents that a project needs, with the reasons for every choice.

    Attributes:
        catalog_revision: The revision of the catalog that answered.
        selector_version: The version of the selector that chose; a change of it may change the choice.
        bundle: What to give the model. Empty, and no error, where no agent answers the brief. Where the caller holds
            agents, those that are new.
        needs: What the brief was understood to ask for, in its order.
        left_out: Agents that had evidence but are not in the bundle, best first; at most 20.
        left_out_more_count: Agents that had evidence but are neither in the bundle nor in `left_out`.
        budget_tokens: The budget that was applied.
        savings: What the bundle saves.
        expected_recall: The share of the relevant agents among those considered that the bundle is expected to hold,
            on average over requests like this one, 0 to 1; more was found on every set that was measured. None where
            no need is stated in words.
        least_score: The score from which on an agent was considered. None where `min_recall` decided that, and
            where no need is stated in words.
        epoch: How the bundle continues what the caller holds.
        cache_outcome: Where the answer came from; answers that say the same are equal wherever they came from.
        unbounded: What the same request would get without a budget. None where the budget cut nothing off.
    """

    catalog_revision: str
    selector_version: str
    bundle: Bundle
    needs: tuple[Need, ...]
    left_out: tuple[LeftOutAgent, ...]
    left_out_more_count: int
    budget_tokens: int
    savings: Savings
    expected_recall: float | None
    least_score: float | None
    epoch: Epoch
    cache_outcome: CacheOutcome = field(compare=False)
    unbounded: UnboundedBundle | None

    @property
    def text(self) -> str:
        """The bundle's text: what to give the model."""
        return self.bundle.text

    @property
    def agents(self) -> tuple[LoadedAgent, ...]:
        """The bundle's agents, ordered by id."""
        return self.bundle.agents
