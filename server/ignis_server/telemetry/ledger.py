"""The ledger: what callers were given and what it saved them, summed up since the process began.

An entry is one count more, so that it costs next to nothing where answers come out of a cache. The counts are summed up when
metrics are exported, as whole numbers, and leave as counters that are observed.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock

from opentelemetry.metrics import Observation

from ignis_server.signal_table import (
    LOAD_AGENTS,
    LOAD_ANSWERS,
    LOAD_BASELINE_TOKENS,
    LOAD_NEEDS,
    LOAD_NEW_TOKENS,
    LOAD_SAVED_TOKENS,
    LOAD_TOKENS,
)
from ignis_server.signals import BundleCounts, LoadAnswered
from ignis_server.telemetry.instruments import Instruments
from ignis_server.telemetry.load_attributes import load_attributes

__all__ = ["Ledger"]

# Different answers that are remembered; at the bound all are summed up and forgotten.
MAX_KNOWN = 4_096
BASELINES = ("load_all", "index_only", "cached_load_all")


@dataclass(slots=True)
class _Entry:
    """An answer: its figures, what spans say of it, and how often it was given since it was last summed up."""

    counts: BundleCounts | None
    attributes: bytes
    times: int = 0


class Ledger:
    """Sums over all loads that were answered."""

    def __init__(self, instruments: Instruments) -> None:
        # By outcome and identity: an answer that is found again has the same figures, which are held here, so that no other has
        # their identity.
        self._known: dict[tuple[str, int], _Entry] = {}
        self._lock = Lock()
        self._answers: Counter[tuple[str, bool]] = Counter()
        self._agents = 0
        self._needs = 0
        self._unanswered_needs = 0
        self._new_tokens = 0
        self._loaded_tokens = 0
        self._baseline_tokens = dict.fromkeys(BASELINES, 0)
        self._saved_tokens = dict.fromkeys(BASELINES, 0)
        # The answers are read first, which sums up what the others read.
        instruments.observe(LOAD_ANSWERS, self._observed_answers)
        instruments.observe(LOAD_AGENTS, lambda: [Observation(self._agents)])
        instruments.observe(LOAD_NEW_TOKENS, lambda: [Observation(self._new_tokens)])
        instruments.observe(LOAD_TOKENS, lambda: [Observation(self._loaded_tokens)])
        instruments.observe(LOAD_NEEDS, self._observed_needs)
        instruments.observe(LOAD_BASELINE_TOKENS, lambda: _by_baseline(self._baseline_tokens))
        instruments.observe(LOAD_SAVED_TOKENS, lambda: _by_baseline(self._saved_tokens))

    def enter(self, signal: LoadAnswered) -> bytes:
        """Count an answer, and return what its span says of it; the same figures, found again in a cache, are counted together."""
        key = (signal.outcome, id(signal.counts))
        # Callers are answered on one thread, and metrics are exported on another.
        with self._lock:
            entry = self._known.get(key)
            if entry is None:
                if len(self._known) >= MAX_KNOWN:
                    self._sum_up()
                    self._known.clear()
                attributes = load_attributes(signal.outcome, signal.counts)
                entry = self._known[key] = _Entry(signal.counts, attributes)
            entry.times += 1
        return entry.attributes

    def sum_up(self) -> None:
        """Add what was counted to the sums."""
        with self._lock:
            self._sum_up()

    def _sum_up(self) -> None:
        for (outcome, _), entry in self._known.items():
            if entry.times:
                self._answers[outcome, entry.counts is None] += entry.times
                if entry.counts is not None:
                    self._add(entry.counts, entry.times)
                entry.times = 0

    def _add(self, counts: BundleCounts, times: int) -> None:
        self._agents += times * counts.agents
        self._needs += times * counts.needs
        self._unanswered_needs += times * counts.unanswered_needs
        self._new_tokens += times * counts.new_tokens
        self._loaded_tokens += times * counts.loaded_tokens
        for name, baseline, bundle in (
            ("load_all", counts.load_all_tokens, counts.loaded_tokens),
            ("index_only", counts.index_only_tokens, counts.loaded_tokens),
            ("cached_load_all", counts.cached_load_all_tokens, counts.cached_loaded_tokens),
        ):
            self._baseline_tokens[name] += times * baseline
            self._saved_tokens[name] += times * (baseline - bundle)

    def _observed_answers(self) -> Iterable[Observation]:
        self.sum_up()
        return [
            Observation(count, {"ignis.cache.outcome": outcome, "ignis.refused": refused})
            for (outcome, refused), count in self._answers.items()
        ]

    def _observed_needs(self) -> Iterable[Observation]:
        return [
            Observation(self._needs - self._unanswered_needs, {"ignis.answered": True}),
            Observation(self._unanswered_needs, {"ignis.answered": False}),
        ]


def _by_baseline(sums: dict[str, int]) -> Iterable[Observation]:
    return [Observation(total, {"ignis.baseline": name}) for name, total in sums.items()]
