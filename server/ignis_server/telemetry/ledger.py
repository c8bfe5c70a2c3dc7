"""The ledger: what callers were given and what it saved them, summed up since the process began.

An entry is one count more, so that it costs next to nothing where answers come out of a cache. The counts are summed up when
metrics are exported, as whole numbers, and leave as counters that are observed.
"""

from collections import Counter
from collections.abc import Iterable
from threading import Lock
from typing import Any

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

__all__ = ["Ledger"]

# Different answers that are counted before they are summed up.
MAX_TALLY = 4_096
BASELINES = ("load_all", "index_only", "cached_load_all")


class Ledger:
    """Sums over all loads that were answered."""

    def __init__(self, instruments: Instruments) -> None:
        # Figures and how often they were given, by outcome and by identity: an answer that is found again has the same.
        self._tally: dict[tuple[str, int], list[Any]] = {}
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

    def enter(self, signal: LoadAnswered) -> None:
        """Count an answer; the same figures, found again in a cache, are counted together."""
        counts = signal.counts
        key = (signal.outcome, id(counts))
        # Callers are answered on one thread, and metrics are exported on another.
        with self._lock:
            entry = self._tally.get(key)
            if entry is None:
                self._tally[key] = [counts, 1]
                is_full = len(self._tally) >= MAX_TALLY
            else:
                entry[1] += 1
                return
        if is_full:
            self.sum_up()

    def sum_up(self) -> None:
        """Add what was counted to the sums."""
        with self._lock:
            for (outcome, _), (counts, times) in self._tally.items():
                self._answers[outcome, counts is None] += times
                if counts is not None:
                    self._add(counts, times)
            self._tally.clear()

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
