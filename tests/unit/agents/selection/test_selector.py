"""The hybrid selector, with the real embedder."""

import random
from pathlib import Path

import numpy as np
import pytest

from ignis_server.agents.selection.embedding import StaticEmbedder
from ignis_server.agents.selection.hybrid import HybridSelector
from ignis_server.agents.selection.needs import Need
from support.catalogs import FILES, catalog_of

NEEDS = tuple(
    map(
        Need.alone,
        (
            "Next.js storefront",
            "Stripe payments",
            "tune slow queries",
            "a review before the release",
            "lease a warehouse",
        ),
    )
)


def test_each_need_is_answered_by_its_agent_and_a_foreign_one_by_nobody(
    tmp_path: Path, embedder: StaticEmbedder
) -> None:
    catalog = catalog_of(tmp_path)

    relevance = HybridSelector(embedder).compile(catalog).relevance(NEEDS)

    best = [catalog.agents[int(place)].definition.name for place in np.argmax(relevance.answers, axis=1)]
    assert best[:4] == ["nextjs-developer", "payments-engineer", "postgres-dba", "security-reviewer"]
    assert (relevance.answers.max(axis=1) > 0.2).tolist() == [True, True, True, True, False]


def test_chances_are_chances(tmp_path: Path, embedder: StaticEmbedder) -> None:
    relevance = HybridSelector(embedder).compile(catalog_of(tmp_path)).relevance(NEEDS)

    for scores, least in ((relevance.answers, 0), (relevance.lexical, 0), (relevance.semantic, -1)):
        assert scores.shape == (len(NEEDS), 8)
        assert np.isfinite(scores).all()
        assert scores.min() >= least
        assert scores.max() <= 1.0001


@pytest.mark.parametrize("seed", range(5))
def test_the_order_in_which_files_are_found_changes_nothing(
    tmp_path: Path, embedder: StaticEmbedder, seed: int
) -> None:
    shuffled = list(FILES.items())
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - no secret

    one = HybridSelector(embedder).compile(catalog_of(tmp_path / "one")).relevance(NEEDS)
    other = HybridSelector(embedder).compile(catalog_of(tmp_path / "other", dict(shuffled))).relevance(NEEDS)

    for name in ("answerable", "chances", "answers", "standing", "recall_without", "lexical", "semantic", "spelling"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_a_catalog_of_one_agent_answers_what_it_can(tmp_path: Path, embedder: StaticEmbedder) -> None:
    name = "backend/postgres-dba.md"
    index = HybridSelector(embedder).compile(catalog_of(tmp_path, {name: FILES[name]}))

    answers = index.relevance((Need.alone("tune slow PostgreSQL queries"), Need.alone("lease a warehouse"))).answers

    assert answers[0, 0] > 0.25 > answers[1, 0]


def test_no_needs_have_no_answers(tmp_path: Path, embedder: StaticEmbedder) -> None:
    assert HybridSelector(embedder).compile(catalog_of(tmp_path)).relevance(()).answers.shape == (0, 8)


def test_the_version_names_method_and_model(embedder: StaticEmbedder) -> None:
    assert HybridSelector(embedder).version == f"hybrid-2+{embedder.name}"
