"""Passages and their vectors."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from ignis_server.agents.model import AgentDefinition, AgentFormat
from ignis_server.agents.selection.analysis import analyse
from ignis_server.agents.selection.embedding import (
    STEPS_OF_ONE,
    TEXTS_AT_ONCE,
    StaticEmbedder,
    Vectors,
    load_wordllama,
)
from ignis_server.agents.selection.knobs import SelectionKnobs
from ignis_server.agents.selection.passages import PassageIndex
from ignis_server.agents.selection.sentences import MAX_PASSAGES, passages_of

KNOBS = SelectionKnobs()
STEP = 1 / STEPS_OF_ONE


def vectors(embedder: StaticEmbedder, texts: list[str]) -> Vectors:
    return embedder.embed(embedder.subwords(texts), np.ones(embedder.vocabulary_size, np.float32))


def definition(body: str, description: str = "", examples: tuple[str, ...] = ()) -> AgentDefinition:
    return AgentDefinition("a", "tailor", description, body, AgentFormat.PLAIN_MARKDOWN, "a.md", examples=examples)


def test_sentences_and_items_are_passages_without_their_markup() -> None:
    body = "# How to *mend*\n\nMend from inside. Then press it flat.\n\n- **thread** of the colour\n1. a sharp needle\n"

    assert passages_of(definition(body, examples=("mend my old coat",))) == [
        "mend my old coat",
        "How to mend",
        "Mend from inside.",
        "Then press it flat.",
        "thread of the colour",
        "a sharp needle",
    ]


def test_code_is_no_passage_even_with_fences_in_fences() -> None:
    body = "Read this first.\n\n````\n```\nmake it so\n```\nand so on\n````\n\nRead this last.\n"

    assert passages_of(definition(body)) == ["Read this first.", "Read this last."]


def test_a_long_body_has_longer_passages_and_not_more() -> None:
    body = "\n".join(f"- the step number {number}" for number in range(1_000))

    passages = passages_of(definition(body))

    assert len(passages) <= MAX_PASSAGES
    assert " ".join(passages).count("the step number") == 1_000


def test_vectors_have_length_one_or_none(embedder: StaticEmbedder) -> None:
    found = vectors(embedder, ["mend clothes", "", " ", "mend"])

    assert found.shape == (4, embedder.dimensions)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1, 0, 0, 1], atol=STEP)


def test_nothing_is_rounded_in_a_cosine_so_that_it_is_the_same_everywhere(embedder: StaticEmbedder) -> None:
    words = [
        "mend",
        "bake",
        "tune",
        "keep",
        "paint",
        "deploy",
        "review",
        "translate",
        "clothes",
        "bread",
        "databases",
        "bees",
        "walls",
        "charts",
        "code",
        "letters",
    ]
    found = vectors(embedder, [f"{one} {other}" for one in words for other in words])

    backwards = np.ascontiguousarray(found[:, ::-1])
    exact = found.astype(np.float64) @ found.astype(np.float64).T
    np.testing.assert_array_equal(found @ found.T, exact)
    np.testing.assert_array_equal(backwards @ backwards.T, exact)


def test_nothing_to_embed_gives_no_rows(embedder: StaticEmbedder) -> None:
    assert vectors(embedder, []).shape == (0, embedder.dimensions)


def test_vectors_without_what_was_taught_are_those_of_wordllama_itself() -> None:
    texts = ["Mend clothes.", "Deploy to Kubernetes with Helm charts and probes", "späße ✓", "x"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import wordllama  # noqa: PLC0415 - slow, and needed here only
    model = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)

    np.testing.assert_allclose(vectors(load_wordllama(), texts), np.asarray(model.embed(texts, norm=True)), atol=STEP)


def test_more_texts_than_are_taken_apart_at_once_are_all_there(embedder: StaticEmbedder) -> None:
    texts = [f"mend coat number {number}" for number in range(2 * TEXTS_AT_ONCE + 1)]

    np.testing.assert_array_equal(vectors(embedder, texts)[-1:], vectors(embedder, texts[-1:]))


def test_the_best_passage_of_each_agent_counts(embedder: StaticEmbedder) -> None:
    agents = [definition("Bake the bread.\n\nTune the database."), definition("Bake the bread."), definition("")]
    index = PassageIndex.build(analyse(agents, embedder, KNOBS), embedder, KNOBS)

    best = index.passage_similarities(index.vectors(["Tune the database.", "Bake the bread."]), np.array([0, 1, 2]))

    np.testing.assert_allclose(best[0, [0, 2]], [1, -1], atol=2 * STEP)
    np.testing.assert_allclose(best[1], [1, 1, -1], atol=2 * STEP)
    assert best[0, 1] < 0.9


def test_what_every_agent_says_tells_little(embedder: StaticEmbedder) -> None:
    trades = ["bakes bread", "tunes databases", "mends clothes", "keeps bees", "paints walls"]
    agents = [definition("", f"An expert who {trade}.") for trade in trades]
    analyses = analyse(agents, embedder, KNOBS)
    weighed = PassageIndex.build(analyses, embedder, replace(KNOBS, rarity_exponent=1.0))
    plain = PassageIndex.build(analyses, embedder, replace(KNOBS, rarity_exponent=0.0))

    def lead(index: PassageIndex) -> float:
        scores = np.sort(index.head_similarities(index.vectors(["an expert who mends clothes"]))[0])
        return float(scores[-1] - scores[-2])

    assert lead(weighed) > lead(plain)
