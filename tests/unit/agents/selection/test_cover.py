"""Choosing under a budget."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignis_server.agents.catalog import CatalogAgent, Rendered
from ignis_server.agents.model import AgentDefinition, AgentFormat, DetailLevel
from ignis_server.agents.selection.cover import (
    Cover,
    Exclusion,
    Inclusion,
    Offer,
    Required,
    Terms,
    cover_needs,
)
from ignis_server.errors import BudgetTooSmall

FULL, CORE, CARD = DetailLevel.FULL, DetailLevel.CORE, DetailLevel.CARD


def agent(number: int, full: int = 100, card: int = 10, core: int | None = None) -> CatalogAgent:
    definition = AgentDefinition(f"a{number}", f"a{number}", "", "", AgentFormat.PLAIN_MARKDOWN, str(Path("x")))
    return CatalogAgent(
        definition, "", "", card=Rendered("", card), core=Rendered("", core or full), full=Rendered("", full)
    )


def offer(
    *rows: list[float],
    agents: list[CatalogAgent] | None = None,
    copies: frozenset[int] = frozenset(),
    recall_without: list[float] | None = None,
    chances: list[float] | None = None,
) -> Offer:
    """Return an offer of agents whose chances are given need by need; `copies` are of one kind."""
    answers = np.array(rows, np.float32)
    size = answers.shape[1]
    kinds = np.array([size if place in copies else place for place in range(size)])
    return Offer(
        agents or [agent(number) for number in range(size)],
        answers,
        kinds,
        np.array(recall_without or [1.0] * size),
        np.array(chances or [0.0] * size, np.float32),
    )


def terms(budget: int = 1_000, size: int = 3, **wishes: object) -> Terms:
    return Terms(budget_tokens=budget, admitted=np.ones(size, bool), **wishes)  # type: ignore[arg-type]  # by name


def chosen(cover: Cover) -> list[tuple[int, DetailLevel]]:
    return [(each.place, each.detail) for each in cover.chosen]


def test_the_greatest_gain_is_taken_first_and_what_adds_little_is_not() -> None:
    cover = cover_needs(offer([0.9, 0.6, 0.1], [0.0, 0.9, 0.1]), terms())

    assert chosen(cover) == [(1, FULL), (0, FULL)]
    assert cover.tokens == 200


def test_an_agent_that_answers_what_others_answer_is_redundant() -> None:
    cover = cover_needs(offer([0.99, 0.98, 0.1]), terms())

    assert chosen(cover) == [(0, FULL)]
    assert [(each.place, each.exclusion) for each in cover.omitted] == [
        (1, Exclusion.REDUNDANT),
        (2, Exclusion.WEAK_EVIDENCE),
    ]


def test_copies_are_not_taken_beside_each_other() -> None:
    cover = cover_needs(offer([0.5, 0.5, 0.4], copies=frozenset({0, 1})), terms())

    assert chosen(cover) == [(0, FULL), (2, FULL)]


def test_a_card_is_sent_where_the_full_text_has_no_room() -> None:
    cover = cover_needs(offer([0.9, 0.0, 0.0], [0.0, 0.8, 0.0]), terms(budget=115))

    assert chosen(cover) == [(0, FULL), (1, CARD)]
    assert cover.tokens == 110


def test_all_are_taken_as_cores_before_any_is_sent_in_full() -> None:
    agents = [agent(number, core=40) for number in range(3)]

    def at(budget: int) -> list[DetailLevel]:
        cover = cover_needs(
            offer([0.9, 0.0, 0.0], [0.0, 0.8, 0.0], [0.0, 0.0, 0.7], agents=agents), terms(budget=budget)
        )
        return [each.detail for each in cover.chosen]

    assert at(300) == [FULL, FULL, FULL]
    assert at(240) == [FULL, FULL, CORE]
    assert at(120) == [CORE, CORE, CORE]
    assert at(115) == [CORE, CORE, CARD]
    assert at(60) == [CORE, CARD, CARD]


def test_what_has_no_room_at_all_is_said_to_have_none() -> None:
    cover = cover_needs(offer([0.9, 0.0, 0.0], [0.0, 0.8, 0.0]), terms(budget=105))

    assert chosen(cover) == [(0, FULL)]
    assert [(each.place, each.exclusion) for each in cover.omitted] == [(1, Exclusion.OVER_BUDGET)]


def test_cards_only_where_no_more_is_allowed() -> None:
    cover = cover_needs(offer([0.9, 0.0, 0.0]), terms(max_detail=CARD))

    assert chosen(cover) == [(0, CARD)]


def test_required_agents_come_first_and_answer_needs_too() -> None:
    cover = cover_needs(offer([0.9, 0.85, 0.0]), terms(required=(Required(1, Inclusion.TEAM),)))

    assert [(each.place, each.inclusion) for each in cover.chosen] == [(1, Inclusion.TEAM), (0, Inclusion.SELECTED)]


def test_every_required_agent_is_there_before_any_is_there_whole() -> None:
    required = tuple(Required(place, Inclusion.REQUIRED) for place in range(3))

    cover = cover_needs(offer([0.0, 0.0, 0.0]), terms(budget=125, required=required))

    assert chosen(cover) == [(0, FULL), (1, CARD), (2, CARD)]


def test_named_agents_are_taken_before_better_ones() -> None:
    cover = cover_needs(offer([0.9, 0.3, 0.0]), terms(budget=100, named=(1,)))

    assert [(each.place, each.inclusion) for each in cover.chosen] == [(1, Inclusion.NAMED)]


def test_forbidden_and_inadmissible_agents_are_never_taken() -> None:
    admitted = np.array([True, False, True])

    cover = cover_needs(offer([0.9, 0.9, 0.3]), Terms(1_000, admitted, forbidden=frozenset({0}), named=(0,)))

    assert chosen(cover) == [(2, FULL)]
    assert [(each.place, each.exclusion) for each in cover.omitted] == [(0, Exclusion.FORBIDDEN)]


def test_a_budget_below_the_smallest_card_names_that_card() -> None:
    agents = [agent(0, card=30), agent(1, card=20), agent(2, card=5)]

    with pytest.raises(BudgetTooSmall) as caught:
        cover_needs(offer([0.9, 0.8, 0.0], agents=agents), terms(budget=19))

    assert (caught.value.smallest_tokens, caught.value.smallest_agents) == (20, ("a1",))


def test_a_budget_below_the_required_cards_names_them_all() -> None:
    required = (Required(2, Inclusion.REQUIRED), Required(0, Inclusion.TEAM))

    with pytest.raises(BudgetTooSmall) as caught:
        cover_needs(offer([0.0, 0.0, 0.0]), terms(budget=19, required=required))

    assert (caught.value.smallest_tokens, caught.value.smallest_agents) == (20, ("a2", "a0"))


def test_no_needs_give_nothing() -> None:
    nothing = Offer([agent(0)], np.zeros((0, 1), np.float32), np.array([0]), np.ones(1), np.zeros(1, np.float32))

    assert cover_needs(nothing, terms(size=1)) == Cover((), (), 0, is_cut=False, expected_recall=1.0, least_answer=0.05)


def test_a_recall_takes_all_that_it_needs_copies_and_weak_ones_too() -> None:
    choice = offer([0.9, 0.85, 0.01, 0.02], copies=frozenset({0, 1}), recall_without=[0.0, 0.5, 0.9, 0.95])

    assert chosen(cover_needs(choice, terms(size=4))) == [(0, FULL)]
    assert chosen(cover_needs(choice, terms(size=4, min_recall=0.9))) == [(0, FULL), (1, FULL)]
    assert chosen(cover_needs(choice, terms(size=4, min_recall=0.95))) == [(0, FULL), (1, FULL), (2, FULL)]


def test_the_expected_recall_is_what_can_be_had_without_the_best_that_is_missing() -> None:
    choice = offer([0.9, 0.01, 0.02], recall_without=[0.0, 0.5, 0.9])

    assert cover_needs(choice, terms()).expected_recall == pytest.approx(0.5)
    assert cover_needs(choice, terms(min_recall=0.9)).expected_recall == pytest.approx(0.9)
    assert cover_needs(choice, terms(min_recall=0.99)).expected_recall == 1.0
    assert cover_needs(choice, terms(min_recall=0.99, budget=15)).expected_recall == pytest.approx(0.5)
    assert cover_needs(choice, terms(forbidden=frozenset({1}))).expected_recall == pytest.approx(0.9)


def test_where_no_promise_is_kept_the_share_of_all_chances_is_expected() -> None:
    choice = offer([0.9, 0.01, 0.02], recall_without=[0.0, 0.0, 0.3], chances=[0.8, 0.15, 0.05])

    assert chosen(cover_needs(choice, terms())) == [(0, FULL)]
    assert cover_needs(choice, terms()).expected_recall == pytest.approx(0.8)
    assert cover_needs(choice, terms(forbidden=frozenset({1}))).expected_recall == pytest.approx(0.8 / 0.85)
    admitted = np.array([True, False, True])
    assert cover_needs(choice, replace(terms(), admitted=admitted)).expected_recall == pytest.approx(0.8 / 0.85)


def test_copies_of_what_is_chosen_are_not_missing() -> None:
    choice = offer([0.9, 0.85, 0.01], copies=frozenset({0, 1}), recall_without=[0.0, 0.0, 0.95])

    assert cover_needs(choice, terms()).expected_recall == pytest.approx(0.95)


def test_under_a_budget_a_recall_gives_up_what_it_needs_least() -> None:
    choice = offer([0.02, 0.03, 0.01], recall_without=[0.9, 0.5, 0.0])

    cover = cover_needs(choice, terms(budget=20, min_recall=0.99))

    assert chosen(cover) == [(2, CARD), (1, CARD)]
    assert [(each.place, each.exclusion) for each in cover.omitted] == [(0, Exclusion.OVER_BUDGET)]


@pytest.mark.parametrize(
    ("budget", "is_cut"), [(1_000, False), (200, False), (199, True), (100, True), (20, True), (15, True)]
)
def test_a_cover_tells_whether_the_budget_cut_anything(budget: int, is_cut: bool) -> None:  # noqa: FBT001
    assert cover_needs(offer([0.9, 0.0], [0.0, 0.9]), terms(budget, size=2)).is_cut is is_cut


CHANCES = st.integers(0, 100).map(lambda percent: percent / 100)


@given(st.data())
def test_whatever_is_asked_the_terms_are_kept(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 6))
    rows = data.draw(st.lists(st.lists(CHANCES, min_size=size, max_size=size), min_size=1, max_size=3))
    agents = [agent(place, data.draw(st.integers(10, 90)), data.draw(st.integers(1, 10))) for place in range(size)]
    places = st.integers(0, size - 1)
    forbidden = data.draw(st.frozensets(places))
    required = (
        data.draw(st.lists(places.filter(lambda place: place not in forbidden), unique=True))
        if len(forbidden) < size
        else []
    )
    asked = Terms(
        budget_tokens=data.draw(st.integers(1, 300)),
        admitted=np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size))),
        required=tuple(Required(place, Inclusion.REQUIRED) for place in required),
        forbidden=forbidden,
    )

    try:
        cover = cover_needs(offer(*rows, agents=agents), asked)
    except BudgetTooSmall as error:
        too_small = error
    else:
        check_that_terms_are_kept(cover, agents, asked)
        return
    assert too_small.smallest_tokens > asked.budget_tokens


def check_that_terms_are_kept(cover: Cover, agents: list[CatalogAgent], asked: Terms) -> None:
    required = [each.place for each in asked.required]
    taken = [each.place for each in cover.chosen]
    assert cover.tokens == sum(agents[each.place].at(each.detail).tokens for each in cover.chosen)
    assert cover.tokens <= asked.budget_tokens
    assert len(set(taken)) == len(taken)
    assert taken[: len(required)] == required
    assert not asked.forbidden & set(taken)
    assert all(asked.admitted[place] for place in taken[len(required) :])
    assert not {each.place for each in cover.omitted} & set(taken)


def test_a_named_agent_that_is_a_copy_of_one_taken_is_not_taken_too() -> None:
    copies = frozenset({0, 1})

    two = cover_needs(offer([0.9, 0.8, 0.1], copies=copies), terms(named=(1, 0)))
    with_another = cover_needs(offer([0.9, 0.8, 0.1], [0.0, 0.0, 0.9], copies=copies), terms(named=(1, 0)))

    assert [place for place, _ in chosen(two)] == [1]
    assert [place for place, _ in chosen(with_another)] == [1, 2]
