"""Choosing by evidence: how well each agent of a catalog answers each need of a project.

The seam between selection and all else: a Selector compiles a catalog once and then answers, purely
and in milliseconds, with a relevance for every pair of need and agent. What is done with it under a
budget is `cover.py`'s affair.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.catalog import Catalog
from ignis_server.agents.embedding import Embedder, Vectors
from ignis_server.agents.passages import PassageIndex
from ignis_server.agents.text_index import Scores, TextIndex
from ignis_server.agents.words import Word, terms_of

__all__ = ["HybridKnobs", "HybridSelector", "MatchedWord", "Relevance", "SelectionIndex", "Selector"]


# Keeps the distance of a score that alone makes up the spread finite: at most 4.5 times the inner one.
MIN_SPREAD = 0.05


@dataclass(frozen=True, slots=True)
class MatchedWord:
    """A word that a need and an agent share, as the need writes it, and what it adds to the agent's score."""

    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class Relevance:
    """How well each agent (column) answers each need (row); columns are places in the catalog.

    `answers` is the chance, 0 to 1, that the agent answers the need; choices are made by it. `lexical` is the
    share of the best lexical score of the need, 0 to 1; `semantic` a cosine, -1 to 1. Both are for explanation.
    """

    needs: tuple[str, ...]
    answers: Scores
    lexical: Scores
    semantic: Scores


class SelectionIndex(Protocol):
    """A compiled catalog that answers for needs; immutable and safe to share between threads."""

    def relevance(self, needs: Sequence[str]) -> Relevance:
        """Weigh every agent of the catalog against every need."""
        ...

    def matched_words(self, words: Iterable[Word], place: int) -> list[MatchedWord]:
        """Return those of some words that an agent shares, in their order."""
        ...

    def alike(self, place: int) -> NDArray[np.bool_]:
        """Return which agents are copies of an agent in all but details; itself among them."""
        ...


class Selector(Protocol):
    """A way of choosing."""

    @property
    def version(self) -> str:
        """Changes whenever the same catalog and needs might get another answer."""
        ...

    def compile(self, catalog: Catalog) -> SelectionIndex:
        """Build the index of a catalog; seconds of CPU for a thousand agents."""
        ...


@dataclass(frozen=True, slots=True)
class HybridKnobs:
    """What fusion can be told; docs/decisions/0004-first-selector.md has the experiment behind each.

    A score is taken as its distance from the mean of the catalog in standard deviations, so that words
    and meaning weigh alike. In a small catalog mean and deviation say little: they are mixed with what is
    usual elsewhere (`usual_*`), as if `prior_agents` more agents had been seen.

    How well an agent answers a need is the product of two things: the chance that this catalog answers the need
    at all, from the distance and cosine of its best agent (`answerable_*`, a logistic regression on requests
    of the catalog against requests of other catalogs), and the agent's odds against that best one, which fall
    by e for each 1/`odds_slope` of distance. The first lets several agents be right at once: with a dozen
    security reviewers in the catalog each of them answers "security review", though none stands out.
    """

    candidates: int = 64
    context_share: float = 0.2
    prior_agents: float = 20.0
    usual_lexical_mean: float = 0.08
    usual_lexical_deviation: float = 0.1
    usual_semantic_mean: float = 0.15
    usual_semantic_deviation: float = 0.09
    odds_slope: float = 0.58
    answerable_per_distance: float = 0.2
    answerable_per_cosine: float = 7.65
    answerable_offset: float = -4.74


class HybridSelector:
    """Words and meaning together: BM25F and static embeddings by passage, fused by z-scores."""

    def __init__(self, embedder: Embedder, knobs: HybridKnobs | None = None) -> None:
        self._embedder = embedder
        self._knobs = knobs or HybridKnobs()

    @property
    def version(self) -> str:
        """Version of the method, and the model behind it."""
        return f"hybrid-1+{self._embedder.name}"

    def compile(self, catalog: Catalog) -> SelectionIndex:
        """Index words and passages of all agents."""
        definitions = [agent.definition for agent in catalog.agents]
        return _HybridIndex(
            TextIndex.build(definitions), PassageIndex.build(definitions, self._embedder), self._embedder, self._knobs
        )


class _HybridIndex:
    def __init__(self, words: TextIndex, passages: PassageIndex, embedder: Embedder, knobs: HybridKnobs) -> None:
        self._words = words
        self._passages = passages
        self._embedder = embedder
        self._knobs = knobs

    def relevance(self, needs: Sequence[str]) -> Relevance:
        """Weigh every agent against every need, and a little against all needs together."""
        if not needs:
            nothing = np.zeros((0, self._words.size), np.float32)
            return Relevance((), nothing, nothing, nothing)
        texts = [*needs, ". ".join(needs)] if len(needs) > 1 else list(needs)
        vectors = self._embedder.embed(texts)
        lexical = np.stack([self._lexical(text) for text in texts])
        semantic = self._semantic(vectors, lexical)
        knobs = self._knobs
        distance = self._distances(lexical, knobs.usual_lexical_mean, knobs.usual_lexical_deviation)
        distance += self._distances(semantic, knobs.usual_semantic_mean, knobs.usual_semantic_deviation)
        count = len(needs)
        answerable = self._answerable(distance[:count], semantic[:count])
        if count > 1:
            distance = (1 - knobs.context_share) * distance[:-1] + knobs.context_share * distance[-1]
        odds = np.exp(knobs.odds_slope * (distance - distance.max(axis=1, keepdims=True)))
        best = np.maximum(lexical[:count].max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return Relevance(
            needs=tuple(needs),
            answers=(answerable * odds).astype(np.float32),
            lexical=lexical[:count] / best,
            semantic=semantic[:count],
        )

    def matched_words(self, words: Iterable[Word], place: int) -> list[MatchedWord]:
        """Return those of some words that an agent shares, in their order."""
        found = ((word.text, self._words.term_scores(word.terms, place)) for word in words)
        return [MatchedWord(text, max(scores.values())) for text, scores in found if scores]

    def alike(self, place: int) -> NDArray[np.bool_]:
        """Return which agents are copies of an agent in all but details; itself among them."""
        return self._passages.alike(place)

    def _lexical(self, text: str) -> Scores:
        """Return BM25F scores as a share of what the rarity of the text's words would allow."""
        terms = set(terms_of(text))
        ceiling = sum(self._words.rarity(term) for term in sorted(terms))
        return (self._words.scores(terms) / (ceiling or 1.0)).astype(np.float32)

    def _semantic(self, vectors: Vectors, lexical: Scores) -> Scores:
        """Return cosines: half the description's, half the best passage's, for likely agents.

        Passages are compared for the most likely agents only: in a trial that lost no recall and took a
        third of the time. The others keep the cosine of their description, less the gap that passages
        usually open.
        """
        similarities = self._passages.head_similarities(vectors)
        combined = similarities.copy()
        likely = self._likely(lexical, similarities)
        for row, places in enumerate(likely):
            best = self._passages.passage_similarities(vectors[row], places)
            heads = similarities[row, places]
            combined[row, places] = np.where(best > -1, (heads + best) / 2, heads)
        return combined

    def _answerable(self, distance: Scores, semantic: Scores) -> Scores:
        """Return for each need, as a column, the chance that the catalog answers it at all."""
        best = np.argmax(distance, axis=1, keepdims=True)
        knobs = self._knobs
        evidence = knobs.answerable_per_distance * np.take_along_axis(distance, best, axis=1)
        evidence += knobs.answerable_per_cosine * np.take_along_axis(semantic, best, axis=1)
        chance: Scores = (1 / (1 + np.exp(-(evidence + knobs.answerable_offset)))).astype(np.float32)
        return chance

    def _likely(self, lexical: Scores, similarities: Scores) -> NDArray[np.int64]:
        knobs = self._knobs
        rough = self._distances(lexical, knobs.usual_lexical_mean, knobs.usual_lexical_deviation)
        rough += self._distances(similarities, knobs.usual_semantic_mean, knobs.usual_semantic_deviation)
        places: NDArray[np.int64] = np.argsort(-rough, axis=1, kind="stable")[:, : knobs.candidates]
        return np.sort(places, axis=1)

    def _distances(self, scores: Scores, usual_mean: float, usual_deviation: float) -> Scores:
        """Return how far scores stand out: in standard deviations from the mean, as if they were not in it.

        Both are shrunk towards what is usual. Leaving a score out of its own yardstick (an externally studentised
        residual; Cook and Weisberg, "Residuals and Influence in Regression", 1982) matters in small catalogs,
        where the one good agent would otherwise make good look ordinary.
        """
        size, prior = scores.shape[1], self._knobs.prior_agents
        mean = (scores.sum(axis=1, keepdims=True) + prior * usual_mean) / (size + prior)
        spread = np.square(scores - mean).sum(axis=1, keepdims=True) + prior * usual_deviation**2
        deviation = np.sqrt(spread / (size + prior))
        inner = (scores - mean) / deviation
        leverage = np.square(inner) / (size + prior)
        distances: Scores = (inner / np.sqrt(np.maximum(1 - leverage, MIN_SPREAD))).astype(np.float32)
        return distances
