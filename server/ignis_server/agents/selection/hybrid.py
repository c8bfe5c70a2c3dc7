"""The selector in use: words, meaning and spelling together, each need weighed with what stands around it.

Three kinds of evidence are added up, as each misses what the others see. Meaning (static embeddings) and spelling
(patterns of characters) say something of every agent, so they are taken as distances from the catalog's mean in
standard deviations. Words (BM25F) are silent on most agents, and a mean of silence is no yardstick: their score
is taken as it is, in units of a word that only one agent has.

A need is a clause, and is scored as a mixture of the clause, its sentence and its paragraph: the clause says what,
the rest says of what.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.catalog import Catalog
from ignis_server.agents.model import AgentDefinition
from ignis_server.agents.selection.analysis import Analysis, analyse
from ignis_server.agents.selection.embedding import Embedder, Vectors
from ignis_server.agents.selection.kin import Kin
from ignis_server.agents.selection.kinds import Kinds
from ignis_server.agents.selection.knobs import SelectionKnobs
from ignis_server.agents.selection.needs import Need
from ignis_server.agents.selection.passages import PassageIndex
from ignis_server.agents.selection.postings import Scores
from ignis_server.agents.selection.selector import MatchedWord, Relevance
from ignis_server.agents.selection.spelling_index import SpellingIndex
from ignis_server.agents.selection.text_index import TextIndex
from ignis_server.agents.selection.words import Word

__all__ = ["HybridEvidence", "HybridIndex", "HybridSelector"]

# Keeps the distance of a score that alone makes up the spread finite: at most 4.5 times the inner one.
MIN_SPREAD = 0.05
# Keeps the logarithm of a share finite where no word is found.
LEAST_SHARE = 0.0125
# Keeps the logarithm of what is left of certainty finite.
ALMOST_CERTAIN = 1 - 1e-6


class HybridSelector:
    """Words, meaning and spelling, fused."""

    def __init__(self, embedder: Embedder, knobs: SelectionKnobs | None = None) -> None:
        self._embedder = embedder
        self._knobs = knobs or SelectionKnobs()

    @property
    def version(self) -> str:
        """Version of the method, and the model behind it."""
        return f"hybrid-2+{self._embedder.name}"

    def analyse(self, definitions: Sequence[AgentDefinition]) -> list[Analysis]:
        """Count words, subwords and patterns of agents."""
        return analyse(definitions, self._embedder, self._knobs)

    def index(self, analyses: Sequence[Analysis], packed_vectors: bytes | None = None) -> "HybridIndex":
        """Index words, passages and spelling of all agents."""
        return HybridIndex(
            TextIndex.build(analyses, self._knobs),
            PassageIndex.build(analyses, self._embedder, self._knobs, packed_vectors),
            SpellingIndex.build(analyses, self._knobs),
            self._knobs,
        )

    def compile(self, catalog: Catalog) -> "HybridIndex":
        """Analyse and index all agents of a catalog."""
        return self.index(self.analyse([agent.definition for agent in catalog.agents]))


@dataclass(frozen=True, slots=True)
class HybridEvidence:
    """What speaks for each agent (column); a row for each need, but for the first two, which have one for each paragraph.

    Attributes:
        paragraph_of: For each need the row of its paragraph.
        best_share: For each paragraph, the share that the best agent has of what its words could tell at most, 0 to 1.
        best_meaning: For each paragraph, the cosine of the agent that is nearest in meaning.
        words, meaning, spelling: What the need's own words say; of spelling, what its paragraph's do.
        score: All evidence added up, the need's own mixed with its sentence's and its paragraph's.
    """

    paragraph_of: NDArray[np.int64]
    best_share: Scores
    best_meaning: Scores
    words: Scores
    meaning: Scores
    spelling: Scores
    score: Scores

    def best_of_paragraph(self) -> Scores:
        """Return for each need the best score of all needs of its paragraph."""
        best = np.empty_like(self.score)
        for paragraph in range(len(self.best_share)):
            rows = np.flatnonzero(self.paragraph_of == paragraph)
            best[rows] = self.score[rows].max(axis=0)
        return best


class HybridIndex:
    """A compiled catalog."""

    def __init__(
        self, words: TextIndex, passages: PassageIndex, spelling: SpellingIndex, knobs: SelectionKnobs
    ) -> None:
        self._words = words
        self._passages = passages
        self._spelling = spelling
        self._knobs = knobs
        self._kinds = Kinds.of(passages.heads)
        self._kin = Kin(passages.heads, knobs)

    def relevance(self, needs: Sequence[Need]) -> Relevance:
        """Weigh every agent against every need."""
        if not needs or not self._words.size:
            nothing = np.zeros((len(needs), self._words.size), np.float32)
            return Relevance(
                needs=tuple(needs),
                answerable=np.zeros(len(needs), np.float32),
                chances=np.zeros(self._words.size, np.float32),
                answers=nothing,
                standing=nothing,
                recall_without=np.ones(self._words.size),
                lexical=nothing,
                semantic=nothing,
                spelling=nothing,
            )
        evidence = self.evidence(needs)
        answerable = self._answerable(evidence)[evidence.paragraph_of]
        best = evidence.best_of_paragraph()
        standing = self._standing(evidence, best)
        answers = answerable[:, None] * self._relevant(evidence.score)
        affinities = np.exp(self._knobs.affinity * (evidence.score - best))
        return Relevance(
            needs=tuple(needs),
            answerable=answerable,
            chances=_any_of(answers),
            answers=answers * affinities,
            standing=standing,
            recall_without=self._recall_without(standing, answerable),
            lexical=evidence.words / np.maximum(evidence.words.max(axis=1, keepdims=True), np.finfo(np.float32).tiny),
            semantic=evidence.meaning,
            spelling=evidence.spelling,
        )

    def evidence(self, needs: Sequence[Need]) -> HybridEvidence:
        """Gather what speaks for each agent; there is at least one need."""
        knobs = self._knobs
        rows = {text: row for row, text in enumerate(_texts_of(needs))}
        texts = list(rows)
        levels = _Levels.of(needs, rows)
        paragraphs, paragraph_of = np.unique(levels.paragraph, return_inverse=True)
        words = self._words.scores(texts)
        vectors = self._passages.vectors(texts)
        heads = self._passages.head_similarities(vectors)
        spelling = self._spelling.scores([texts[row] for row in paragraphs])
        patterns = (knobs.spelling_weight * self._distances(spelling, knobs.usual_spelling))[paragraph_of]
        known = knobs.words_weight * words
        rough = levels.mixed(known + self._distances(heads, knobs.usual_meaning), knobs) + patterns
        meaning = self._meaning(vectors, heads, _likely(rough, paragraph_of, knobs.passage_candidates))
        scores = known + self._distances(meaning, knobs.usual_meaning)
        ceilings = np.array([self._words.ceiling(texts[row]) for row in paragraphs], np.float32)
        return HybridEvidence(
            paragraph_of=paragraph_of,
            best_share=words[paragraphs].max(axis=1) / ceilings,
            best_meaning=meaning[paragraphs].max(axis=1),
            words=words[levels.clause],
            meaning=meaning[levels.clause],
            spelling=spelling[paragraph_of],
            score=levels.mixed(scores, knobs) + patterns,
        )

    def matched_words(self, words: Iterable[Word], place: int) -> list[MatchedWord]:
        """Return those of some words that an agent shares, in their order."""
        found = ((word.text, self._words.best_term_score(word.terms, place)) for word in words)
        return [MatchedWord(text, score) for text, score in found if score]

    def packed_vectors(self) -> bytes:
        """Return what takes longest to make of the index."""
        return self._passages.packed()

    @property
    def kinds(self) -> NDArray[np.int64]:
        """The kind of each agent: those of one kind are copies of each other in all but details."""
        return self._kinds.labels

    def _meaning(self, vectors: Vectors, heads: Scores, likely: NDArray[np.int64]) -> Scores:
        """Return cosines: of likely agents the head's and the best passage's mixed.

        The others keep the cosine of their head, which on average is as high.
        """
        share = self._knobs.head_share
        best = self._passages.passage_similarities(vectors, likely)
        mixed = share * heads[:, likely] + (1 - share) * best
        meaning = heads.copy()
        meaning[:, likely] = np.where(best > -1, mixed, heads[:, likely])
        return meaning

    def _answerable(self, evidence: HybridEvidence) -> Scores:
        """Return for each paragraph the chance that the catalog answers it at all."""
        knobs = self._knobs
        log_odds = (
            knobs.answerable_offset
            + knobs.answerable_per_cosine * evidence.best_meaning
            + knobs.answerable_per_log_share * np.log(evidence.best_share + LEAST_SHARE)
        )
        return _chances(log_odds)

    def _standing(self, evidence: HybridEvidence, best: Scores) -> Scores:
        """Return how far each agent stands out for each need.

        By the need itself and by its paragraph in equal parts, and by its kin among the best of the paragraph.
        """
        knobs, scores = self._knobs, evidence.score
        highest = scores.max(axis=1, keepdims=True) + best.max(axis=1, keepdims=True)
        _, firsts = np.unique(evidence.paragraph_of, return_index=True)
        kin = np.stack([self._kin.distances(best[row]) for row in firsts])
        standing: Scores = (scores + best - knobs.standing_share * highest) / 2
        standing += knobs.kin_weight * kin[evidence.paragraph_of]
        return standing

    def _recall_without(self, standing: Scores, answerable: Scores) -> NDArray[np.float64]:
        """Return for each agent the highest promise that it is not needed for; 0 where it is needed for all."""
        recalls = np.zeros(standing.shape[1])
        for promise in self._knobs.promises:
            held = answerable >= promise.least_answerable
            highest = standing.max(axis=0, where=held[:, None], initial=-np.inf)
            recalls[highest < promise.cut_off] = promise.recall
        return recalls

    def _relevant(self, scores: Scores) -> Scores:
        """Return the chance that an agent is relevant where the catalog answers.

        The odds of a softmax over the scores, recalibrated: relevant agents may be several. Of each kind the best
        agent alone is a rival, or copies would take each other's chances.
        """
        knobs = self._knobs
        lags = scores - scores.max(axis=1, keepdims=True)
        shares = np.exp(lags)
        rivals = self._kinds.best(shares).sum(axis=1, keepdims=True) - shares
        log_odds = lags - np.log(np.maximum(rivals, np.finfo(np.float32).eps))
        return _chances(knobs.relevant_offset + knobs.relevant_per_log_odds * log_odds)

    def _distances(self, scores: Scores, usual: tuple[float, float]) -> Scores:
        """Return how far scores stand out: in standard deviations from the mean, as if they were not in it.

        Both are shrunk towards what is usual. Leaving a score out of its own yardstick (an externally studentised
        residual; Cook and Weisberg, "Residuals and Influence in Regression", 1982) matters in small catalogs,
        where the one good agent would otherwise make good look ordinary.
        """
        usual_mean, usual_deviation = usual
        size, prior = scores.shape[1], self._knobs.prior_agents
        mean = (scores.sum(axis=1, keepdims=True) + prior * usual_mean) / (size + prior)
        spread = np.square(scores - mean).sum(axis=1, keepdims=True) + prior * usual_deviation**2
        deviation = np.sqrt(spread / (size + prior))
        inner = (scores - mean) / deviation
        leverage = np.square(inner) / (size + prior)
        distances: Scores = (inner / np.sqrt(np.maximum(1 - leverage, MIN_SPREAD))).astype(np.float32)
        return distances


@dataclass(frozen=True, slots=True)
class _Levels:
    """For each need the rows of its clause, its sentence and its paragraph among the texts."""

    clause: NDArray[np.int64]
    sentence: NDArray[np.int64]
    paragraph: NDArray[np.int64]

    @classmethod
    def of(cls, needs: Sequence[Need], rows: Mapping[str, int]) -> Self:
        return cls(
            np.array([rows[need.text] for need in needs]),
            np.array([rows[need.sentence] for need in needs]),
            np.array([rows[need.paragraph] for need in needs]),
        )

    def mixed(self, scores: Scores, knobs: SelectionKnobs) -> Scores:
        """Return the scores of needs (rows) from those of texts."""
        paragraph_share = 1 - knobs.clause_share - knobs.sentence_share
        mixed: Scores = (
            knobs.clause_share * scores[self.clause]
            + knobs.sentence_share * scores[self.sentence]
            + paragraph_share * scores[self.paragraph]
        )
        return mixed


def _texts_of(needs: Sequence[Need]) -> list[str]:
    """Return every text that the needs are scored by, each once."""
    return list(dict.fromkeys(text for need in needs for text in (need.text, need.sentence, need.paragraph)))


def _likely(scores: Scores, paragraph_of: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the places of the likeliest agents of each paragraph, in order; of equals at the end, all."""
    if scores.shape[1] <= count:
        return np.arange(scores.shape[1])
    best = np.stack([scores[paragraph_of == each].max(axis=0) for each in range(paragraph_of.max() + 1)])
    least = np.partition(best, -count, axis=1)[:, -count, None]
    return np.flatnonzero((best >= least).any(axis=0))


def _chances(log_odds: NDArray[np.floating]) -> Scores:
    chances: Scores = (1 / (1 + np.exp(-log_odds))).astype(np.float32)
    return chances


def _any_of(chances: Scores) -> Scores:
    """Return for each column the chance that any of its chances comes true, as if they were independent."""
    misses = np.log1p(-np.minimum(chances, ALMOST_CERTAIN), dtype=np.float64).sum(axis=0)
    any_of: Scores = (-np.expm1(misses)).astype(np.float32)
    return any_of
