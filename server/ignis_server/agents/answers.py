"""Answers to loads: the port that the service asks, and the adapter that computes each one."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from ignis_server.agents.canonical import LoadRequest
from ignis_server.agents.loaded import Loaded
from ignis_server.agents.loader import AgentLoader
from ignis_server.agents.snapshot import Snapshot
from ignis_server.agents.visibility import Views
from ignis_server.errors import (
    AgentNotFound,
    AmbiguousAgent,
    BudgetTooSmall,
    IgnisError,
    InvalidRequest,
    TeamNotFound,
)
from ignis_server.signals import BundleCounts, LoadAnswered, Signals

__all__ = ["Answer", "Answered", "Answers", "ComputedAnswers", "CountedAnswers", "Encode", "Outcome", "Refused"]

# What a load refuses because of the request and the catalog, and would refuse again.
REFUSALS = (AgentNotFound, AmbiguousAgent, BudgetTooSmall, InvalidRequest, TeamNotFound)


class Outcome(StrEnum):
    """Where an answer came from."""

    COMPUTED = "computed"
    PROCESS_HIT = "process-hit"
    SHARED_HIT = "shared-hit"
    COALESCED = "coalesced"


@dataclass(frozen=True, slots=True)
class Answered:
    """A bundle: the message, as it is sent when it is found in memory, and its figures."""

    body: bytes
    counts: BundleCounts


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that this catalog cannot answer."""

    error: IgnisError


Answer: TypeAlias = Answered | Refused


class Encode(Protocol):
    """Turns what was loaded into a message."""

    def __call__(self, loaded: Loaded) -> bytes:
        """Return the message as bytes."""
        ...


class Answers(Protocol):
    """Whoever answers loads."""

    async def answer(self, request: LoadRequest, snapshot: Snapshot) -> tuple[Answer, Outcome]:
        """Return the answer that a snapshot gives to a request, and where it came from."""
        ...


class ComputedAnswers:
    """Computes every answer."""

    def __init__(self, loader: AgentLoader, views: Views, encode: Encode) -> None:
        self._loader = loader
        self._views = views
        self._encode = encode

    async def answer(self, request: LoadRequest, snapshot: Snapshot) -> tuple[Answer, Outcome]:
        """Compute an answer; milliseconds of CPU."""
        view = await self._views.of(snapshot, request.visibility)
        try:
            loaded = self._loader.load(request, view)
        except REFUSALS as error:
            return Refused(error), Outcome.COMPUTED
        return Answered(self._encode(loaded), loaded.counts()), Outcome.COMPUTED


class CountedAnswers:
    """Reports every answer that a caller gets, wherever it came from."""

    def __init__(self, answers: Answers, signals: Signals) -> None:
        self._answers = answers
        self._signals = signals

    async def answer(self, request: LoadRequest, snapshot: Snapshot) -> tuple[Answer, Outcome]:
        """Pass on an answer, and report it."""
        answer, outcome = await self._answers.answer(request, snapshot)
        self._signals.report(LoadAnswered(outcome, answer.counts if isinstance(answer, Answered) else None))
        return answer, outcome
