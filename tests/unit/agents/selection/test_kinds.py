"""Kinds of agents."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ignis_server.agents.selection import kinds
from ignis_server.agents.selection.embedding import StaticEmbedder
from ignis_server.agents.selection.kinds import Kinds

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=12)


def test_copies_are_of_one_kind_and_others_are_not(embedder: StaticEmbedder) -> None:
    texts = [
        "Mends clothes with needle and thread.",
        "Deploys services to Kubernetes.",
        "",
        "Mends clothes with a needle and thread.",
        "",
    ]
    heads = embedder.embed(embedder.subwords(texts), np.ones(embedder.vocabulary_size, np.float32))

    assert Kinds.of(heads).labels.tolist() == [0, 1, 2, 0, 3]


def test_agents_of_one_kind_find_each_other_however_far_apart() -> None:
    heads = np.eye(kinds.ROWS_AT_ONCE + 2, dtype=np.float32)
    heads[-1] = heads[0]

    assert Kinds.of(heads).labels.tolist() == [*range(kinds.ROWS_AT_ONCE + 1), 0]


@given(LABELS)
def test_the_best_of_a_kind_is_that_of_an_obvious_loop(labels: list[int]) -> None:
    first = [*dict.fromkeys(labels)]
    numbered = np.array([first.index(label) for label in labels])
    scores = np.random.default_rng(0).random((3, len(labels))).astype(np.float32)

    best = Kinds(numbered).best(scores)

    for kind in range(numbered.max() + 1):
        assert best[:, kind].tolist() == scores[:, numbered == kind].max(axis=1).tolist()
