"""Fakes of ports: small, exact, and turned by hand."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.selection.embedding import Subwords, Vectors
from ignis_server.signals import Signal

__all__ = ["HandClock", "KeptInMemory", "LetterEmbedder", "RecordedSignals", "StoreInMemory", "WordTokenizer"]


class HandClock:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._jumped_seconds = 0.0

    def now(self) -> datetime:
        """Return the moment to which the clock was turned, from 2026 on."""
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self._seconds + self._jumped_seconds)

    def now_ns(self) -> int:
        """Return the same moment in nanoseconds since the epoch."""
        return (self.now() - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1_000

    def elapsed_seconds(self) -> float:
        """Return the seconds by which the clock was turned."""
        return self._seconds

    def turn(self, seconds: float) -> None:
        """Let time pass."""
        self._seconds += seconds

    def jump(self, seconds: float) -> None:
        """Let the date jump, as where somebody sets it; the stopwatch does not notice."""
        self._jumped_seconds += seconds


class WordTokenizer:
    """Takes every word for a token."""

    name = "words"

    def count(self, texts: list[str]) -> list[int]:
        """Return the number of words of each text."""
        return [len(text.split()) for text in texts]


class LetterEmbedder:
    """Takes each letter for a subword with a direction of its own: the same letters, the same meaning."""

    name = "letters"
    dimensions = 26
    vocabulary_size = 26

    def subwords(self, texts: Sequence[str]) -> Subwords:
        """Take texts apart into their letters."""
        letters = [[ord(letter) - ord("a") for letter in text.lower() if "a" <= letter <= "z"] for text in texts]
        starts = np.cumsum([0, *map(len, letters)], dtype=np.int64)
        return Subwords(np.array([letter for each in letters for letter in each], np.int32), starts)

    def embed(self, subwords: Subwords, weights: NDArray[np.float32]) -> Vectors:
        """Return one row of length 1 for each text; zeros where it has no letter."""
        rows = np.zeros((len(subwords), self.dimensions), np.float32)
        np.add.at(
            rows, (np.repeat(np.arange(len(subwords)), np.diff(subwords.starts)), subwords.ids), weights[subwords.ids]
        )
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


class KeptInMemory:
    """Keeps artefacts in a dictionary."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    async def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Return what is kept under some of the keys."""
        return {key: self.values[key] for key in keys if key in self.values}

    async def put(self, values: Mapping[str, bytes]) -> None:
        """Keep values."""
        self.values |= values


class StoreInMemory:
    """Keeps what replicas share in dictionaries, under the same contract as Redis."""

    def __init__(self, clock: HandClock) -> None:
        self.values: dict[str, bytes] = {}
        self._clock = clock
        self._until: dict[str, float] = {}
        self._claimed_until: dict[str, float] = {}
        self._noted: dict[bytes, float] = {}

    async def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Return what is kept under some of the keys."""
        now = self._clock.elapsed_seconds()
        return {key: self.values[key] for key in keys if key in self.values and self._until[key] > now}

    async def put(self, values: Mapping[str, bytes], *, seconds: float) -> None:
        """Keep values for so long."""
        self.values |= values
        self._until |= dict.fromkeys(values, self._clock.elapsed_seconds() + seconds)

    async def claim(self, key: str, *, seconds: float) -> tuple[bool, bytes | None]:
        """Grant a claim unless another one holds."""
        now = self._clock.elapsed_seconds()
        is_granted = self._claimed_until.get(key, 0.0) <= now
        if is_granted:
            self._claimed_until[key] = now + seconds
        return is_granted, (await self.get([key])).get(key)

    async def fulfil(self, key: str, value: bytes, *, seconds: float) -> None:
        """Keep a value, and end its claim."""
        await self.put({key: value}, seconds=seconds)
        await self.give_up(key)

    async def give_up(self, key: str) -> None:
        """End a claim."""
        self._claimed_until.pop(key, None)

    async def note(self, members: Mapping[bytes, float], *, keep: int) -> None:
        """Put members on the list."""
        self._noted |= members
        self._noted = dict(sorted(self._noted.items(), key=lambda each: -each[1])[:keep])

    async def noted(self, limit: int) -> Sequence[bytes]:
        """Return the newest members."""
        return [member for member, _ in sorted(self._noted.items(), key=lambda each: -each[1])][:limit]
