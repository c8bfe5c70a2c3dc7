"""Choosing under a budget: the set of agents that covers the needs best for the tokens there are.

The chance that a set answers a need is one less the chance that every agent of it fails; the value of
a set is the sum over all needs. That function has diminishing returns, for which taking the greatest
gain each time is within 1 - 1/e of the best (Nemhauser, Wolsey and Fisher, "An analysis of
approximations for maximizing submodular set functions", 1978). Taking by gain, not by gain per token,
is deliberate: under a budget that holds most of what matters, the latter prefers small agents to
right ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.catalog import CatalogAgent
from ignis_server.agents.model import DetailLevel
from ignis_server.agents.text_index import Scores
from ignis_server.errors import BudgetTooSmall

__all__ = ["Chosen", "Cover", "CoverKnobs", "Exclusion", "Inclusion", "Omitted", "Required", "cover_needs"]


class Inclusion(Enum):
    """Why an agent is in the bundle."""

    REQUIRED = "required"
    TEAM = "team"
    NAMED = "named"
    SELECTED = "selected"


class Exclusion(Enum):
    """Why an agent with evidence is not in the bundle."""

    FORBIDDEN = "forbidden"
    OVER_BUDGET = "over-budget"
    REDUNDANT = "redundant"
    WEAK_EVIDENCE = "weak-evidence"


@dataclass(frozen=True, slots=True)
class Required:
    """An agent that must be in the bundle, by its place in the catalog."""

    place: int
    inclusion: Inclusion


@dataclass(frozen=True, slots=True)
class Chosen:
    """An agent of the bundle, at a level of detail."""

    place: int
    detail: DetailLevel
    inclusion: Inclusion


@dataclass(frozen=True, slots=True)
class Omitted:
    """An agent with evidence that is not in the bundle."""

    place: int
    exclusion: Exclusion


@dataclass(frozen=True, slots=True)
class Cover:
    """What was chosen, most useful first, and what was left out, best evidence first."""

    chosen: tuple[Chosen, ...]
    omitted: tuple[Omitted, ...]
    tokens: int


@dataclass(frozen=True, slots=True)
class CoverKnobs:
    """Where evidence ends; docs/decisions/0004-first-selector.md has the experiment behind each.

    An agent is considered while it answers some need with a chance of at least `min_answer`, and is worth its
    tokens while it adds at least `min_gain` of an answered need. One that stays below `min_evidence` for
    every need is not even mentioned as left out.
    """

    min_answer: float = 0.25
    min_gain: float = 0.05
    min_evidence: float = 0.1


@dataclass(slots=True)
class _Purse:
    """The tokens that are left, and what they were spent on."""

    left: int
    chosen: list[Chosen] = field(default_factory=list)

    def buy(self, agent: CatalogAgent, place: int, inclusion: Inclusion, max_detail: DetailLevel) -> bool:
        """Take an agent at the highest level that fits; False where none does."""
        for detail in (DetailLevel.FULL, DetailLevel.CARD):
            if detail <= max_detail and agent.tokens(detail) <= self.left:
                self.left -= agent.tokens(detail)
                self.chosen.append(Chosen(place, detail, inclusion))
                return True
        return False


def cover_needs(
    agents: Sequence[CatalogAgent],
    answers: Scores,
    *,
    budget_tokens: int,
    max_detail: DetailLevel,
    required: Sequence[Required] = (),
    named: frozenset[int] = frozenset(),
    forbidden: frozenset[int] = frozenset(),
    admitted: NDArray[np.bool_] | None = None,
    alike: Callable[[int], NDArray[np.bool_]] | None = None,
    knobs: CoverKnobs = CoverKnobs(),  # noqa: B008 - frozen
) -> Cover:
    """Choose agents for needs under a budget.

    Args:
        agents: All agents of the catalog, whose order breaks ties.
        answers: The chance that each agent (column) answers each need (row), 0 to 1.
        budget_tokens: What the chosen may cost together.
        max_detail: The most detailed level allowed.
        required: Agents to take whatever their evidence, in order; cards at least.
        named: Agents that the brief calls by name.
        forbidden: Agents never to take.
        admitted: Which agents may be taken by evidence; all, if absent.
        alike: Tells which agents are copies of one that was chosen: they answer what it answers, however
            uncertain that is, so none of them is taken beside it.
        knobs: Where evidence ends.

    Raises:
        BudgetTooSmall: The budget holds not even the cards of the required agents or, where none is
            required, the smallest card of an agent worth taking.
    """
    purse = _Purse(budget_tokens)
    _take_required(purse, agents, required, max_detail)
    allowed = np.ones(len(agents), bool) if admitted is None else admitted.copy()
    allowed &= answers.max(axis=0, initial=0.0) >= knobs.min_answer
    allowed[[*forbidden, *(each.place for each in required)]] = False
    unanswered = np.prod(1 - answers[:, [each.place for each in required]], axis=1)
    for each in required:
        allowed &= _unlike(alike, each.place)
    over_budget = _take_by_gain(purse, agents, answers, unanswered, allowed, named, max_detail, alike, knobs)
    if over_budget and not purse.chosen:
        smallest = min(over_budget, key=lambda place: (agents[place].card_tokens, place))
        raise _too_small(budget_tokens, [agents[smallest]])
    omitted = _omitted(answers, purse.chosen, forbidden, frozenset(over_budget), admitted, knobs)
    return Cover(tuple(purse.chosen), omitted, budget_tokens - purse.left)


def _take_required(
    purse: _Purse, agents: Sequence[CatalogAgent], required: Sequence[Required], max_detail: DetailLevel
) -> None:
    """Take every required agent: all as cards first, so that one long one cannot crowd out the rest."""
    cards = sum(agents[each.place].card_tokens for each in required)
    if cards > purse.left:
        raise _too_small(purse.left, [agents[each.place] for each in required])
    reserved = cards
    for each in required:
        agent = agents[each.place]
        reserved -= agent.card_tokens
        purse.left -= reserved
        purse.buy(agent, each.place, each.inclusion, max_detail)
        purse.left += reserved


def _take_by_gain(  # noqa: PLR0913 - one step of one algorithm, named for its own sake
    purse: _Purse,
    agents: Sequence[CatalogAgent],
    answers: Scores,
    unanswered: Scores,
    allowed: NDArray[np.bool_],
    named: frozenset[int],
    max_detail: DetailLevel,
    alike: Callable[[int], NDArray[np.bool_]] | None,
    knobs: CoverKnobs,
) -> list[int]:
    """Take the agent of the greatest gain until none is worth it; return those there was no room for."""
    over_budget = []
    while allowed.any():
        gains = np.where(allowed, unanswered @ answers, -1.0)
        place = int(np.argmax(gains))
        if gains[place] < knobs.min_gain:
            break
        allowed[place] = False
        inclusion = Inclusion.NAMED if place in named else Inclusion.SELECTED
        if purse.buy(agents[place], place, inclusion, max_detail):
            unanswered = unanswered * (1 - answers[:, place])
            allowed &= _unlike(alike, place)
        else:
            over_budget.append(place)
    return over_budget


def _unlike(alike: Callable[[int], NDArray[np.bool_]] | None, place: int) -> NDArray[np.bool_] | bool:
    return True if alike is None else ~alike(place)


def _omitted(  # noqa: PLR0913 - as above
    answers: Scores,
    chosen: Sequence[Chosen],
    forbidden: frozenset[int],
    over_budget: frozenset[int],
    admitted: NDArray[np.bool_] | None,
    knobs: CoverKnobs,
) -> tuple[Omitted, ...]:
    if not len(answers):
        return ()
    best = answers.max(axis=0)
    taken = {each.place for each in chosen}
    omitted = []
    for place in np.argsort(-best, kind="stable"):
        if best[place] < knobs.min_evidence:
            break
        if int(place) in taken or (admitted is not None and not admitted[place]):
            continue
        omitted.append(Omitted(int(place), _exclusion(int(place), best, forbidden, over_budget, knobs)))
    return tuple(omitted)


def _exclusion(
    place: int, best: Scores, forbidden: frozenset[int], over_budget: frozenset[int], knobs: CoverKnobs
) -> Exclusion:
    if place in forbidden:
        return Exclusion.FORBIDDEN
    if place in over_budget:
        return Exclusion.OVER_BUDGET
    return Exclusion.REDUNDANT if best[place] >= knobs.min_answer else Exclusion.WEAK_EVIDENCE


def _too_small(budget_tokens: int, agents: Sequence[CatalogAgent]) -> BudgetTooSmall:
    return BudgetTooSmall(
        budget_tokens=budget_tokens,
        smallest_tokens=sum(agent.card_tokens for agent in agents),
        smallest_agents=tuple(agent.agent_id for agent in agents),
    )
