"""The use case of loading: from a project to a bundle, with the reasons and the savings."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ignis_server.agents.bundle import LeftOutAgent, LoadedAgent, NeedAnswer, Savings, Unbounded
from ignis_server.agents.canonical import LoadRequest
from ignis_server.agents.catalog import Catalog, CatalogAgent
from ignis_server.agents.epoch import turn_of
from ignis_server.agents.explanation import ANSWERS, Explainer
from ignis_server.agents.loaded import Loaded
from ignis_server.agents.model import Project
from ignis_server.agents.roster import Roster
from ignis_server.agents.selection.cover import Cover, Inclusion, Offer, Omitted, Required, Terms, cover_needs
from ignis_server.agents.selection.names import NameIndex
from ignis_server.agents.selection.needs import needs_of
from ignis_server.agents.selection.postings import Scores
from ignis_server.agents.selection.selector import Relevance
from ignis_server.agents.snapshot import Snapshot
from ignis_server.clock import Clock
from ignis_server.errors import InvalidRequest, Violation
from ignis_server.signals import AgentsLoaded, Signals

__all__ = ["AgentLoader"]

MAX_LEFT_OUT = 20
MAX_AGENTS_OF_A_NEED = 8
MAX_NEED_CHARACTERS = 200

# The relevance of an agent for a need that calls it by its name.
CERTAIN = 1.0


class AgentLoader:
    """Answers for one project at a time, from whatever snapshot it is given."""

    def __init__(self, *, clock: Clock, signals: Signals) -> None:
        self._clock = clock
        self._signals = signals

    def load(self, request: LoadRequest, snapshot: Snapshot) -> Loaded:
        """Choose the agents that a project needs, and put their text together.

        Raises:
            AgentNotFound, AmbiguousAgent, TeamNotFound: A reference of the project leads nowhere.
            BudgetTooSmall: The budget does not hold the smallest bundle that could answer.
            InvalidRequest: An agent is both required and forbidden, or in two versions, or the budget is negative.
        """
        began = self._clock.elapsed_seconds()
        loaded = _loaded(request.project, request.budget_tokens, snapshot)
        self._signals.report(AgentsLoaded(loaded.counts(), self._clock.elapsed_seconds() - began))
        return loaded


def _loaded(project: Project, budget_tokens: int, snapshot: Snapshot) -> Loaded:
    catalog = snapshot.catalog
    roster = Roster.of(snapshot, project.required_agents)
    forbidden = roster.places_of(project.forbidden_agents)
    required = _required(project, roster, catalog, forbidden)
    weighed = snapshot.index.relevance(needs_of(project))
    named_too, named = _certain_of_names(snapshot.names, weighed, f"{project.brief}\n{project.task}")
    relevance = named_too.beside(roster.guests)
    admitted = roster.admitted(project.filter)
    kinds = snapshot.index.kinds
    offer = Offer(
        agents=roster.agents,
        answers=relevance.answers,
        kinds=np.append(kinds, kinds.max(initial=0) + 1 + np.arange(roster.guests)),
        recall_without=relevance.recall_without,
        chances=relevance.chances,
    )
    terms = Terms(
        budget_tokens=budget_tokens,
        admitted=admitted,
        min_recall=project.min_recall,
        max_detail=project.max_detail,
        required=required,
        named=named,
        forbidden=forbidden,
    )
    cover = cover_needs(offer, terms)
    if budget_tokens < 0:
        problem = f"{budget_tokens} is negative: the smallest bundle here is empty, 0 tokens"
        raise InvalidRequest((Violation("budget_tokens", problem),))
    explainer = Explainer(snapshot.index, relevance)
    chosen = _chosen(roster, explainer, cover)
    turn = turn_of(chosen, project.held, roster, forbidden=forbidden, budget=budget_tokens)
    held = frozenset(turn.held_places)
    present = [*dict.fromkeys([*(each.place for each in cover.chosen), *turn.held_places])]
    omitted = [each for each in cover.omitted if each.place not in held]
    considered = [agent for agent, admits in zip(roster.agents, admitted, strict=True) if admits]
    return Loaded(
        catalog_revision=catalog.revision,
        selector_version=snapshot.selector_version,
        bundle=turn.bundle,
        epoch=turn.epoch,
        needs=_needs(roster, relevance, present),
        left_out=_left_out(roster, explainer, omitted, project),
        left_out_more=max(0, len(omitted) - MAX_LEFT_OUT),
        budget_tokens=budget_tokens,
        considered=len(considered),
        savings=Savings.of(turn.bundle.tokens, turn.epoch.tokens - turn.bundle.tokens, considered, project.prices),
        expected_recall=cover.expected_recall if relevance.needs else None,
        least_score=cover.least_answer if relevance.needs else None,
        unbounded=_unbounded(offer, terms, cover) if cover.is_cut else None,
    )


def _required(project: Project, roster: Roster, catalog: Catalog, forbidden: frozenset[int]) -> tuple[Required, ...]:
    """Return the agents that must be loaded, each once: those required by name, then those of teams."""
    inclusions: dict[int, Inclusion] = {}
    contradictions = []
    for reference in project.required_agents:
        place = roster.place_of(reference)
        inclusions[place] = Inclusion.REQUIRED
        if place in forbidden:
            contradictions.append(
                Violation(
                    "required_agents",
                    f"{reference!r} is also in forbidden_agents: leave it out of one of the two",
                )
            )
    if contradictions:
        raise InvalidRequest(tuple(contradictions))
    for reference in project.required_teams:
        for agent_id in catalog.team(reference).agent_ids:
            place = catalog.place_of(agent_id)
            if place not in forbidden:
                inclusions.setdefault(place, Inclusion.TEAM)
    return tuple(Required(place, inclusion) for place, inclusion in inclusions.items())


def _certain_of_names(names: NameIndex, relevance: Relevance, text: str) -> tuple[Relevance, tuple[int, ...]]:
    """Make the agents that a text calls by name certain, and return their places too.

    Each is certain for the need that it answers best. Of several agents of one name, the one that answers best is
    meant, and of equals the first by id.
    """
    mentions = names.mentions_in(text) if relevance.needs else ()
    if not mentions:
        return relevance, ()
    answers, chances = relevance.answers.copy(), relevance.chances.copy()
    best = answers.max(axis=0)
    named = tuple(dict.fromkeys(max(places, key=lambda place: (best[place], -place)) for places in mentions))
    for place in named:
        answers[int(np.argmax(answers[:, place])), place] = CERTAIN
    chances[[*named]] = CERTAIN
    return replace(relevance, answers=answers, chances=chances), named


def _chosen(roster: Roster, explainer: Explainer, cover: Cover) -> list[LoadedAgent]:
    return [
        LoadedAgent(
            agent=roster.agents[chosen.place],
            detail=chosen.detail,
            inclusion=chosen.inclusion,
            evidence=explainer.evidence_for(chosen.place),
            rank=rank,
        )
        for rank, chosen in enumerate(cover.chosen, start=1)
    ]


def _needs(roster: Roster, relevance: Relevance, places: Sequence[int]) -> tuple[NeedAnswer, ...]:
    return tuple(
        NeedAnswer(
            need.text[:MAX_NEED_CHARACTERS],
            _answering(roster.agents, relevance.answers[row], places),
            float(relevance.answerable[row]),
        )
        for row, need in enumerate(relevance.needs)
    )


def _unbounded(offer: Offer, terms: Terms, cover: Cover) -> Unbounded:
    """Choose once more, with a budget that holds the whole catalog."""
    everything = sum(agent.full.tokens for agent in offer.agents)
    whole = cover_needs(offer, replace(terms, budget_tokens=max(everything, terms.budget_tokens)))
    held = {chosen.place for chosen in cover.chosen}
    return Unbounded(
        tokens=whole.tokens,
        added=tuple(offer.agents[chosen.place].agent_id for chosen in whole.chosen if chosen.place not in held),
        expected_recall=whole.expected_recall if len(offer.answers) else None,
    )


def _answering(agents: Sequence[CatalogAgent], answers: Scores, places: Sequence[int]) -> tuple[str, ...]:
    answering = [place for place in places if answers[place] >= ANSWERS]
    answering.sort(key=lambda place: (-answers[place], place))
    return tuple(agents[place].agent_id for place in answering[:MAX_AGENTS_OF_A_NEED])


def _left_out(
    roster: Roster, explainer: Explainer, omitted: Sequence[Omitted], project: Project
) -> tuple[LeftOutAgent, ...]:
    agents = roster.agents
    return tuple(
        LeftOutAgent(
            agent=agents[each.place],
            evidence=explainer.evidence_for(each.place),
            exclusion=each.exclusion,
            tokens=agents[each.place].at(project.max_detail).tokens,
        )
        for each in omitted[:MAX_LEFT_OUT]
    )
