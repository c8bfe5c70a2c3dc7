"""The seam between selection and all else: how well each agent of a catalog answers each need of a project.

A Selector compiles a catalog once and then answers, purely and in milliseconds, with a relevance for every
pair of need and agent. What is done with it under a budget is `cover.py`'s affair.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.model import AgentDefinition
from ignis_server.agents.selection.analysis import Analysis
from ignis_server.agents.selection.needs import Need
from ignis_server.agents.selection.postings import Scores
from ignis_server.agents.selection.words import Word

__all__ = ["MatchedWord", "Relevance", "SelectionIndex", "Selector"]


@dataclass(frozen=True, slots=True)
class MatchedWord:
    """A word that a need and an agent share, as the need writes it, and what it adds to the agent's score."""

    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class Relevance:
    """How well each agent (column) answers each need (row); columns are places in the catalog.

    Attributes:
        needs: What was asked for, a need for each row.
        answerable: For each need, the chance that the catalog has anybody for it, 0 to 1.
        chances: For each agent, the chance that it answers anything at all, 0 to 1; the catalog is ranked by it.
        answers: The chance that the agent answers the need and not rather another of its paragraph, 0 to 1; choices
            are made by it.
        standing: How far the agent stands out for the need, in points of score; higher is better.
        recall_without: For each agent, the share of the relevant agents that is expected in a bundle of all that stand
            out further for some need, 0 to 1: a bundle that is to hold more than that has to hold this agent too.
        lexical: The share of the best lexical score of the need, 0 to 1; for explanation, as are the next two.
        semantic: Cosine of the need with the agent's description and best passage, -1 to 1.
        spelling: Cosine of the patterns of characters of the need's paragraph and the agent, 0 to 1.
    """

    needs: tuple[Need, ...]
    answerable: Scores
    chances: Scores
    answers: Scores
    standing: Scores
    recall_without: NDArray[np.float64]
    lexical: Scores
    semantic: Scores
    spelling: Scores

    def beside(self, guests: int) -> Self:
        """Return the relevance with so many more agents behind the others, for whom nothing speaks."""
        if not guests:
            return self
        nothing = np.zeros((len(self.needs), guests), np.float32)
        return replace(
            self,
            chances=np.append(self.chances, np.zeros(guests, np.float32)),
            answers=np.hstack([self.answers, nothing]),
            standing=np.hstack([self.standing, nothing]),
            recall_without=np.append(self.recall_without, np.ones(guests)),
            lexical=np.hstack([self.lexical, nothing]),
            semantic=np.hstack([self.semantic, nothing]),
            spelling=np.hstack([self.spelling, nothing]),
        )


class SelectionIndex(Protocol):
    """A compiled catalog that answers for needs; immutable and safe to share between threads."""

    def relevance(self, needs: Sequence[Need]) -> Relevance:
        """Weigh every agent of the catalog against every need."""
        ...

    def matched_words(self, words: Iterable[Word], place: int) -> list[MatchedWord]:
        """Return those of some words that an agent shares, in their order."""
        ...

    def packed_vectors(self) -> bytes:
        """Return what takes longest to make of the index, for `Selector.index`."""
        ...

    @property
    def kinds(self) -> NDArray[np.int64]:
        """The kind of each agent: those of one kind are copies of each other in all but details."""
        ...


class Selector(Protocol):
    """A way of choosing."""

    @property
    def version(self) -> str:
        """Changes whenever the same catalog and needs might get another answer."""
        ...

    def analyse(self, definitions: Sequence[AgentDefinition]) -> list[Analysis]:
        """Count what of each agent is indexed, whatever else the catalog holds; seconds of CPU for a thousand agents."""
        ...

    def index(self, analyses: Sequence[Analysis], packed_vectors: bytes | None = None) -> SelectionIndex:
        """Build the index of a catalog whose agents, in order, were analysed before; a fraction of that time.

        Args:
            analyses: The agents.
            packed_vectors: Those of an index of the very same agents, which spares half of that fraction; what does not fit
                them is passed over.
        """
        ...
