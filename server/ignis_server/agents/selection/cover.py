"""Choosing under a budget: the set of agents that covers the needs best for the tokens there are.

The chance that a set answers a need is one less the chance that every agent of it fails; the value of
a set is the sum over all needs. That function has diminishing returns, for which taking the greatest
gain each time is within 1 - 1/e of the best (Nemhauser, Wolsey and Fisher, "An analysis of
approximations for maximizing submodular set functions", 1978). Taking by gain, not by gain per token,
is deliberate: under a budget that holds most of what matters, the latter prefers small agents to
right ones. All that is worth taking is taken as its core before anything is sent in full: a second
agent is worth more than the examples and references of the first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.catalog import CatalogAgent
from ignis_server.agents.model import DetailLevel
from ignis_server.agents.selection.postings import Scores
from ignis_server.errors import BudgetTooSmall

__all__ = [
    "Chosen",
    "Cover",
    "CoverKnobs",
    "Exclusion",
    "Inclusion",
    "Offer",
    "Omitted",
    "Required",
    "Terms",
    "cover_needs",
]


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
    """What was chosen, most useful first, and what was left out, best evidence first.

    Attributes:
        tokens: What was chosen costs so much.
        is_cut: Whether a greater budget would have bought more agents, or more of one.
        expected_recall: The share of the relevant agents among those admitted that is expected to be chosen.
        least_answer: The chance from which on an agent was considered; None where a recall decided that.
    """

    chosen: tuple[Chosen, ...]
    omitted: tuple[Omitted, ...]
    tokens: int
    is_cut: bool
    expected_recall: float
    least_answer: float | None


@dataclass(frozen=True, slots=True)
class CoverKnobs:
    """Where evidence ends; docs/decisions/0005-selection.md has the experiment behind each.

    Attributes:
        min_answer: The chance with which an agent has to answer some need, to be considered.
        min_share: The share that this chance has to be of the best agent's: the surer one agent is, the less is a
            vague one beside it.
        min_gain: What an agent has to add, in answered needs, to be worth its tokens.
        min_evidence: With a lower chance for every need, an agent is not even mentioned as left out.
    """

    min_answer: float = 0.05
    min_share: float = 0.15
    min_gain: float = 0.05
    min_evidence: float = 0.02

    def least_answer(self, offer: "Offer", terms: "Terms") -> float:
        """Return the chance from which on an agent is considered; agents that are called by name set no standard."""
        rivals = offer.answers.max(axis=0, initial=0.0)
        rivals[[*terms.named]] = 0.0
        return max(self.min_answer, self.min_share * float(rivals.max(initial=0.0)))


@dataclass(frozen=True, slots=True)
class Offer:
    """What there is to choose from.

    Attributes:
        agents: All agents of the catalog, whose order breaks ties.
        answers: The chance that each agent (column) answers each need (row), 0 to 1.
        kinds: The kind of each agent. Agents of one kind answer the same, however uncertain that is, so no other is
            taken beside one unless it is required, or a recall is.
        recall_without: For each agent the recall that can be had without it, 0 to 1.
        chances: For each agent the chance that it answers anything at all, 0 to 1.
    """

    agents: Sequence[CatalogAgent]
    answers: Scores
    kinds: NDArray[np.int64]
    recall_without: NDArray[np.float64]
    chances: Scores


@dataclass(frozen=True, slots=True)
class Terms:
    """What a choice must keep to; agents are given by their places.

    Attributes:
        budget_tokens: What the chosen may cost together.
        admitted: Which agents may be taken by evidence.
        min_recall: The recall that the choice is to hold as far as the budget goes; None: what is worth its tokens.
        max_detail: The most detailed level allowed.
        required: Agents to take whatever their evidence, in order; as cards at least.
        named: Agents that the brief calls by name, which are taken before all others but the required.
        forbidden: Agents never to take.
    """

    budget_tokens: int
    admitted: NDArray[np.bool_]
    min_recall: float | None = None
    max_detail: DetailLevel = DetailLevel.FULL
    required: tuple[Required, ...] = ()
    named: tuple[int, ...] = ()
    forbidden: frozenset[int] = frozenset()


@dataclass(slots=True)
class _Purse:
    """The tokens that are left, and what they were spent on."""

    agents: Sequence[CatalogAgent]
    left: int
    max_detail: DetailLevel
    chosen: list[Chosen] = field(default_factory=list)
    is_short: bool = False

    def buy(self, place: int, inclusion: Inclusion) -> bool:
        """Take an agent as its core, or as a card where that does not fit; False where neither does."""
        agent = self.agents[place]
        for detail in (min(DetailLevel.CORE, self.max_detail), DetailLevel.CARD):
            if agent.at(detail).tokens <= self.left:
                self.left -= agent.at(detail).tokens
                self.chosen.append(Chosen(place, detail, inclusion))
                return True
            self.is_short = True
        return False

    def upgrade(self) -> None:
        """Spend what is left on more detail of the agents taken, the first ones first."""
        for number, taken in enumerate(self.chosen):
            agent = self.agents[taken.place]
            for detail in (DetailLevel.FULL, DetailLevel.CORE):
                added = agent.at(detail).tokens - agent.at(taken.detail).tokens
                if not taken.detail < detail <= self.max_detail:
                    continue
                if added <= self.left:
                    self.left -= added
                    self.chosen[number] = Chosen(taken.place, detail, taken.inclusion)
                    break
                self.is_short = True


def cover_needs(offer: Offer, terms: Terms, knobs: CoverKnobs | None = None) -> Cover:
    """Choose agents for needs under a budget.

    Raises:
        BudgetTooSmall: The budget holds not even the cards of the required agents or, where none is
            required, the smallest card of an agent worth taking.
    """
    knobs = knobs or CoverKnobs()
    purse = _Purse(offer.agents, terms.budget_tokens, terms.max_detail)
    _take_required(purse, offer, terms)
    over_budget = _take_by_evidence(purse, offer, terms, knobs)
    purse.upgrade()
    if over_budget and not purse.chosen:
        smallest = min(over_budget, key=lambda place: (offer.agents[place].card.tokens, place))
        raise _too_small(terms.budget_tokens, [offer.agents[smallest]])
    taken = frozenset(each.place for each in purse.chosen)
    return Cover(
        chosen=tuple(purse.chosen),
        omitted=_omitted(offer, terms, knobs, taken=taken, over_budget=over_budget),
        tokens=terms.budget_tokens - purse.left,
        is_cut=purse.is_short,
        expected_recall=_expected_recall(offer, terms, taken),
        least_answer=knobs.least_answer(offer, terms) if terms.min_recall is None else None,
    )


def _take_required(purse: _Purse, offer: Offer, terms: Terms) -> None:
    """Take every required agent: all as cards first, so that one long one cannot crowd out the rest."""
    agents = [offer.agents[each.place] for each in terms.required]
    reserved = sum(agent.card.tokens for agent in agents)
    if agents and reserved > purse.left:
        raise _too_small(purse.left, agents)
    for agent, each in zip(agents, terms.required, strict=True):
        reserved -= agent.card.tokens
        purse.left -= reserved
        purse.buy(each.place, each.inclusion)
        purse.left += reserved


def _take_by_evidence(purse: _Purse, offer: Offer, terms: Terms, knobs: CoverKnobs) -> frozenset[int]:
    """Take the named agents, then that of the greatest gain until none is worth it, then what a recall needs.

    Returns those for which there was no room.
    """
    required = [each.place for each in terms.required]
    allowed = _allowed(offer, terms, knobs)
    unanswered = np.prod(1 - offer.answers[:, required], axis=1)
    named = list(terms.named)
    over_budget: set[int] = set()
    while allowed.any():
        named = [place for place in named if allowed[place]]
        gains = np.where(allowed, unanswered @ offer.answers, -1.0)
        place = named.pop(0) if named else int(np.argmax(gains))
        inclusion = Inclusion.NAMED if place in terms.named else Inclusion.SELECTED
        if gains[place] < knobs.min_gain and inclusion is Inclusion.SELECTED:
            break
        allowed[place] = False
        if purse.buy(place, inclusion):
            unanswered = unanswered * (1 - offer.answers[:, place])
            if terms.min_recall is None:
                allowed &= offer.kinds != offer.kinds[place]
        else:
            over_budget.add(place)
    if terms.min_recall is not None:
        best = offer.answers.max(axis=0, initial=0.0)
        for place in map(int, np.lexsort((-best, offer.recall_without))):
            if allowed[place] and not purse.buy(place, Inclusion.SELECTED):
                over_budget.add(place)
    return frozenset(over_budget)


def _allowed(offer: Offer, terms: Terms, knobs: CoverKnobs) -> NDArray[np.bool_]:
    """Return which agents may be taken by evidence: those that a recall needs, or that answer well enough."""
    required = [each.place for each in terms.required]
    allowed: NDArray[np.bool_]
    if terms.min_recall is None:
        allowed = offer.answers.max(axis=0, initial=0.0) >= knobs.least_answer(offer, terms)
        allowed &= ~np.isin(offer.kinds, offer.kinds[required])
    else:
        allowed = offer.recall_without < terms.min_recall
        allowed[[*terms.named]] = True
    allowed &= terms.admitted
    allowed[[*terms.forbidden, *required]] = False
    return allowed


def _expected_recall(offer: Offer, terms: Terms, taken: frozenset[int]) -> float:
    """Return the greater of two: the highest promise that is kept, and the share that is held of all chances.

    A promise is kept without any of the agents that are missing. Copies of agents taken are not missing.
    """
    considered = terms.admitted.copy()
    considered[[*terms.forbidden]] = False
    considered[[*taken]] = True
    held = considered & np.isin(offer.kinds, offer.kinds[[*taken]])
    kept = float(offer.recall_without[considered & ~held].min(initial=1.0))
    chances = float(offer.chances[considered].sum(dtype=np.float64))
    return max(kept, float(offer.chances[held].sum(dtype=np.float64)) / chances if chances else 0.0)


def _omitted(
    offer: Offer, terms: Terms, knobs: CoverKnobs, *, taken: frozenset[int], over_budget: frozenset[int]
) -> tuple[Omitted, ...]:
    """Return the agents that had evidence and were not taken, best first, each with the reason."""
    best = offer.answers.max(axis=0, initial=0.0)
    least = knobs.least_answer(offer, terms)
    places = [int(place) for place in np.argsort(-best, kind="stable") if best[place] >= knobs.min_evidence]

    def exclusion(place: int) -> Exclusion:
        if place in terms.forbidden:
            return Exclusion.FORBIDDEN
        if place in over_budget:
            return Exclusion.OVER_BUDGET
        is_good = terms.min_recall is None and best[place] >= least
        return Exclusion.REDUNDANT if is_good else Exclusion.WEAK_EVIDENCE

    return tuple(Omitted(place, exclusion(place)) for place in places if terms.admitted[place] and place not in taken)


def _too_small(budget_tokens: int, agents: Sequence[CatalogAgent]) -> BudgetTooSmall:
    return BudgetTooSmall(
        budget_tokens=budget_tokens,
        smallest_tokens=sum(agent.card.tokens for agent in agents),
        smallest_agents=tuple(agent.agent_id for agent in agents),
    )
