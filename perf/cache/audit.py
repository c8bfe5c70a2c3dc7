"""What was answered, checked: against a computation from nothing, and against what the same replica had answered before."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis_server.agents.canonical import LoadRequest
from ignis_server.agents.loader import AgentLoader
from ignis_server.agents.selection.embedding import load_embedder
from ignis_server.agents.selection.hybrid import HybridSelector
from ignis_server.agents.snapshot import Snapshot, compile_snapshot
from ignis_server.agents.source import read_directories
from ignis_server.agents.tokenizer import load_o200k_base
from ignis_server.agents.wire.loading import from_loaded, to_project
from ignis_server.clock import SystemClock
from ignis_server.errors import IgnisError
from ignis_server.settings import Settings
from ignis_server.signals import NoSignals
from perf.cache.replay import Asked

__all__ = ["Audit", "Recomputation", "compiled"]


def compiled(folders: Sequence[Path]) -> list[Snapshot]:
    """Compile versions of a catalog, each from nothing."""
    tokenizer, selector = load_o200k_base(), HybridSelector(load_embedder())
    return [
        compile_snapshot(read_directories((folder,)), tokenizer=tokenizer, selector=selector, clock=SystemClock())
        for folder in folders
    ]


class Recomputation:
    """Answers requests by the snapshots of all versions, without any cache."""

    def __init__(self, versions: Sequence[Snapshot], requests: Sequence[bytes]) -> None:
        self._by_revision = {snapshot.catalog.revision: snapshot for snapshot in versions}
        self._requests = requests
        self._loader = AgentLoader(clock=SystemClock(), signals=NoSignals())
        self._known: dict[tuple[int, str], bytes] = {}

    @property
    def revisions(self) -> list[str]:
        """The revisions, the oldest first."""
        return list(self._by_revision)

    def agrees(self, asked: Asked) -> bool:
        """Tell whether an answer is that of its revision; an error, which names none, may be that of any."""
        revisions = [asked.revision] if asked.revision else self.revisions
        return any(asked.answer == self._answer(asked.request, revision) for revision in revisions)

    def _answer(self, number: int, revision: str) -> bytes:
        answer = self._known.get((number, revision))
        if answer is None:
            answer = self._known[number, revision] = self._computed(number, revision)
        return answer

    def _computed(self, number: int, revision: str) -> bytes:
        project = to_project(pb.LoadAgentsRequest.FromString(self._requests[number]))
        budget_tokens = Settings.model_fields["default_budget_tokens"].default
        try:
            loaded = self._loader.load(LoadRequest.of(project, budget_tokens), self._by_revision[revision])
        except IgnisError as error:
            return str(error).encode()
        response = pb.LoadAgentsResponse.FromString(from_loaded(loaded))
        response.ClearField("cache_outcome")
        return response.SerializeToString(deterministic=True)


@dataclass(frozen=True, slots=True)
class Audit:
    """How many answers were not what they should be.

    Attributes:
        checked: Answers that were looked at.
        wrong: Those that differ from a computation from nothing.
        old: Those of a revision that the same replica had left before the call began.
    """

    checked: int
    wrong: int
    old: int

    @classmethod
    def of(cls, asked: Sequence[Asked], recomputation: Recomputation) -> "Audit":
        """Check all answers."""
        return cls(
            checked=len(asked),
            wrong=sum(not recomputation.agrees(each) for each in asked),
            old=_old(asked, recomputation.revisions),
        )


def _old(asked: Sequence[Asked], revisions: Sequence[str]) -> int:
    ages = {revision: age for age, revision in enumerate(revisions)}
    by_replica: dict[str, list[Asked]] = {}
    for each in asked:
        if each.revision:
            by_replica.setdefault(each.replica, []).append(each)
    return sum(_old_of_one(calls, ages) for calls in by_replica.values())


def _old_of_one(calls: Sequence[Asked], ages: dict[str, int]) -> int:
    """Count answers of a revision older than one that had been answered by when their call began."""
    ended = sorted(calls, key=lambda each: each.ended)
    newest, place, old = 0, 0, 0
    for call in sorted(calls, key=lambda each: each.began):
        while place < len(ended) and ended[place].ended <= call.began:
            newest = max(newest, ages[ended[place].revision])
            place += 1
        old += ages[call.revision] < newest
    return old
