"""What `LoadAgents` does with a set's requests where the budget is ample: by default, and for each promise of recall."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.canonical import LoadRequest
from ignis_server.agents.loader import AgentLoader
from ignis_server.agents.model import Project
from ignis_server.agents.selection.hybrid import HybridSelector
from ignis_server.agents.selection.names import NameIndex
from ignis_server.agents.selection.selector import SelectionIndex
from ignis_server.agents.snapshot import Snapshot
from ignis_server.clock import SystemClock
from ignis_server.signals import NoSignals
from perf.selection.labelled import LabelledSet
from perf.selection.methods import embedder

__all__ = ["PROMISES", "Answer", "OperatingPoint", "Service", "operating_point", "recalls_of"]

PROMISES: tuple[float | None, ...] = (None, 0.90, 0.95, 0.99)
AMPLE_TOKENS = 1 << 40


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request gets.

    Attributes:
        places: Of the agents loaded.
        expected_recall: As the answer says.
        answerable: The greatest chance of any of its needs that the catalog has anybody for it.
    """

    places: tuple[int, ...]
    expected_recall: float
    answerable: float


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Means over a set's requests.

    Attributes:
        min_recall: What was asked for; None for the default.
        recall: What is found of the relevant agents.
        saved: The share of the catalog's tokens that is not loaded.
        agents: How many are loaded.
        empty: The share of requests that get nobody.
        expected_recall: What the answers expect.
    """

    dataset: str
    min_recall: float | None
    recall: float
    saved: float
    agents: float
    empty: float
    expected_recall: float


class Service:
    """The use case behind `LoadAgents`, over a set's catalog."""

    def __init__(self, labelled: LabelledSet) -> None:
        selector = HybridSelector(embedder())
        clock = SystemClock()
        catalog = labelled.catalog
        self.index: SelectionIndex = selector.compile(catalog)
        names = NameIndex.of(catalog)
        self._snapshot = Snapshot(catalog, names, self.index, selector.version, clock.now(), timedelta(), artefacts={})
        self._loader = AgentLoader(clock=clock, signals=NoSignals())
        self._places = {agent.agent_id: place for place, agent in enumerate(catalog.agents)}

    def ask(self, requests: Iterable[str], min_recall: float | None = None) -> list[Answer]:
        """Load agents for each request."""
        return [self._ask(request, min_recall) for request in requests]

    def _ask(self, request: str, min_recall: float | None) -> Answer:
        project = Project(brief=request, min_recall=min_recall)
        loaded = self._loader.load(LoadRequest.of(project, AMPLE_TOKENS), self._snapshot)
        return Answer(
            places=tuple(self._places[each.agent.agent_id] for each in loaded.bundle.agents),
            expected_recall=1.0 if loaded.expected_recall is None else loaded.expected_recall,
            answerable=max((need.answerable for need in loaded.needs), default=0.0),
        )


def operating_point(labelled: LabelledSet, answers: Sequence[Answer], min_recall: float | None) -> OperatingPoint:
    """Measure the answers to all requests of a set."""
    tokens = labelled.tokens
    loaded = [tokens[[*answer.places]].sum() for answer in answers]
    return OperatingPoint(
        dataset=labelled.name,
        min_recall=min_recall,
        recall=float(recalls_of(labelled, answers).mean()),
        saved=1 - float(np.mean(loaded) / tokens.sum()),
        agents=float(np.mean([len(answer.places) for answer in answers])),
        empty=float(np.mean([not answer.places for answer in answers])),
        expected_recall=float(np.mean([answer.expected_recall for answer in answers])),
    )


def recalls_of(labelled: LabelledSet, answers: Sequence[Answer]) -> NDArray[np.float64]:
    """Return the recall of each answer."""
    found = [wanted[[*answer.places]].sum() for wanted, answer in zip(labelled.relevant, answers, strict=True)]
    recalls: NDArray[np.float64] = np.array(found) / labelled.relevant.sum(axis=1)
    return recalls
