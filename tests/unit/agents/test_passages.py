"""Passages and their vectors."""

import warnings
from pathlib import Path

import numpy as np

from ignis_server.agents.embedding import WordllamaEmbedder
from ignis_server.agents.model import AgentDefinition, AgentFormat
from ignis_server.agents.passages import MAX_PASSAGES, PassageIndex, passages_of


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


def test_vectors_have_length_one_or_none(embedder: WordllamaEmbedder) -> None:
    vectors = embedder.embed(["mend clothes", "", " ", "mend"])

    assert vectors.shape == (4, embedder.dimensions)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 0, 0, 1], atol=1e-5)


def test_nothing_to_embed_gives_no_rows(embedder: WordllamaEmbedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dimensions)


def test_vectors_are_those_of_wordllama_itself(embedder: WordllamaEmbedder) -> None:
    texts = ["Mend clothes.", "Deploy to Kubernetes with Helm charts and probes", "späße ✓", "x"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import wordllama  # noqa: PLC0415 - slow, and needed here only
    model = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)

    np.testing.assert_allclose(embedder.embed(texts), model.embed(texts, norm=True), atol=1e-5)


def test_the_best_passage_of_each_agent_counts(embedder: WordllamaEmbedder) -> None:
    agents = [definition("Bake the bread.\n\nTune the database."), definition("Bake the bread."), definition("")]
    index = PassageIndex.build(agents, embedder)
    need = embedder.embed(["Tune the database."])[0]

    best = index.passage_similarities(need, np.array([0, 1, 2]))

    assert abs(best[0] - 1) < 1e-5
    assert best[1] < 0.9
    assert best[2] == -1


def test_copies_are_alike_and_others_are_not(embedder: WordllamaEmbedder) -> None:
    agents = [
        definition("x", "Mends clothes with needle and thread."),
        definition("y", "Mends clothes with a needle and thread."),
        definition("z", "Deploys services to Kubernetes."),
    ]

    assert PassageIndex.build(agents, embedder).alike(0).tolist() == [True, True, False]
