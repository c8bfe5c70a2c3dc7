"""Fakes of ports: small, exact, and turned by hand."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from ignis_server.agents.embedding import Vectors
from ignis_server.signals import Signal

__all__ = ["HandClock", "LetterEmbedder", "RecordedSignals", "WordTokenizer"]


class HandClock:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def now(self) -> datetime:
        """Return the moment to which the clock was turned, from 2026 on."""
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self._seconds)

    def elapsed_seconds(self) -> float:
        """Return the seconds by which the clock was turned."""
        return self._seconds

    def turn(self, seconds: float) -> None:
        """Let time pass."""
        self._seconds += seconds


class WordTokenizer:
    """Takes every word for a token."""

    name = "words"

    def count(self, texts: list[str]) -> list[int]:
        """Return the number of words of each text."""
        return [len(text.split()) for text in texts]


class LetterEmbedder:
    """Takes the counts of a text's letters for its meaning: the same letters, the same meaning."""

    name = "letters"
    dimensions = 26

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row of length 1 for each text; zeros where it has no letter."""
        rows = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for letter in text.lower():
                if "a" <= letter <= "z":
                    row[ord(letter) - ord("a")] += 1
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        np.divide(rows, lengths, out=rows, where=lengths > 0)
        return rows


class RecordedSignals:
    """Keeps the signals that were reported."""

    def __init__(self) -> None:
        self.reported: list[Signal] = []

    def report(self, signal: Signal) -> None:
        """Keep a signal."""
        self.reported.append(signal)
