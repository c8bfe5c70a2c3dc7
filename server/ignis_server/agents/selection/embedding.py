"""Meaning as vectors: the port, and a table of static embeddings that a larger model has taught."""

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding
from tokenizers import Tokenizer as SubwordTokenizer

from ignis_server.agents.selection.distilled import Distilled

__all__ = [
    "Embedder",
    "StaticEmbedder",
    "Subwords",
    "Vectors",
    "load_embedder",
    "load_wordllama",
    "pack_vectors",
    "unpack_vectors",
]

Vectors = NDArray[np.float32]

# No passage worth a vector of its own is longer; text beyond it is cut off.
MAX_CHARACTERS = 2_000
# An encoding holds 50 times the memory of its numbers until it is dropped.
TEXTS_AT_ONCE = 1_024
# As many as a request has; threads would take longer to wake than to encode them.
FEW_TEXTS = 64
# Vectors are made of such steps. So a product of two is a multiple of 2^-22 and, with all sums on the way to it, below 2: that
# has room in the 24 bits of a float. Sums that nothing is rounded in are the same in whatever order a processor takes them.
# Cosines differ by some 0.0002 from those of vectors that are not rounded.
STEPS_OF_ONE = 1 << 11
STEP_NUMBER = np.dtype("<i2")


@dataclass(frozen=True, slots=True)
class Subwords:
    """Texts taken apart into subwords: their numbers, one text after the other, and where each text begins.

    `starts` has one entry more than there are texts; the last is the length of `ids`.
    """

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]

    @classmethod
    def joined(cls, parts: Sequence["Subwords"]) -> "Subwords":
        """Put texts one after another."""
        ids = np.concatenate([np.zeros(0, np.int32), *(part.ids for part in parts)])
        lengths = np.concatenate([np.zeros(0, np.int64), *(np.diff(part.starts) for part in parts)])
        return cls(ids, np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths))))

    def __len__(self) -> int:
        return len(self.starts) - 1


class Embedder(Protocol):
    """A table of vectors for subwords: the meaning of a text is the weighted mean of its subwords'; pure."""

    @property
    def name(self) -> str:
        """Model and version: equal names give equal vectors."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of each vector."""
        ...

    @property
    def vocabulary_size(self) -> int:
        """How many subwords there are; their numbers are below it."""
        ...

    def subwords(self, texts: Sequence[str]) -> Subwords:
        """Take texts apart."""
        ...

    def embed(self, subwords: Subwords, weights: NDArray[np.float32]) -> Vectors:
        """Return one row of length 1, about, for each text; a row of zeros where a text says nothing.

        Products of rows are exact, so cosines do not depend on the processor.

        Args:
            subwords: The texts.
            weights: What each subword of the vocabulary weighs.
        """
        ...


class StaticEmbedder:
    """A table and its tokenizer: 0.1 ms a request on a CPU, no network, no model server.

    Pools by itself rather than through `WordLlamaInference.embed`, which knows no weights and pads each batch to
    its longest text: three times slower on passages of uneven length.

    Attributes:
        table: A vector for each subword; not to be changed.
        tokenizer: What takes texts apart into these subwords.
    """

    def __init__(self, table: Vectors, tokenizer: SubwordTokenizer, *, name: str) -> None:
        self.table = table
        self.tokenizer = tokenizer
        self._name = name
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()

    @property
    def name(self) -> str:
        """Model and version."""
        return self._name

    @property
    def dimensions(self) -> int:
        """Length of each vector."""
        return int(self.table.shape[1])

    @property
    def vocabulary_size(self) -> int:
        """How many subwords the table has."""
        return len(self.table)

    def subwords(self, texts: Sequence[str]) -> Subwords:
        """Take texts apart."""
        ids = [np.array(encoding.ids, np.int32) for encoding in self._encodings(texts)]
        starts = np.zeros(len(ids) + 1, np.int64)
        starts[1:] = np.cumsum([len(each) for each in ids])
        return Subwords(np.concatenate(ids) if ids else np.zeros(0, np.int32), starts)

    def _encodings(self, texts: Sequence[str]) -> Iterator[Encoding]:
        cut = [text.strip()[:MAX_CHARACTERS] for text in texts]
        if len(cut) <= FEW_TEXTS:
            yield from (self.tokenizer.encode(text, add_special_tokens=False) for text in cut)
            return
        for start in range(0, len(cut), TEXTS_AT_ONCE):
            yield from self.tokenizer.encode_batch_fast(cut[start : start + TEXTS_AT_ONCE], add_special_tokens=False)

    def embed(self, subwords: Subwords, weights: NDArray[np.float32]) -> Vectors:
        """Return one row of length 1, about, for each text; a row of zeros where a text says nothing."""
        vectors = np.zeros((len(subwords), self.dimensions), np.float32)
        for row, start, end in zip(vectors, subwords.starts, subwords.starts[1:], strict=False):
            ids = subwords.ids[start:end]
            # In double precision what differs between processors is far below a step.
            pooled = weights[ids].astype(np.float64) @ self.table[ids].astype(np.float64)
            length = math.sqrt(pooled @ pooled)
            if length:
                np.rint(pooled * (STEPS_OF_ONE / length), out=pooled)
                np.multiply(pooled, 1 / STEPS_OF_ONE, out=row, casting="same_kind")
        return vectors


def pack_vectors(vectors: Vectors) -> bytes:
    """Return vectors as steps of two bytes each: nothing is lost."""
    return (vectors * STEPS_OF_ONE).astype(STEP_NUMBER).tobytes()


def unpack_vectors(packed: bytes, dimensions: int) -> Vectors:
    """Return the vectors that some bytes hold, a row each.

    Raises:
        ValueError: They hold no whole number of rows.
    """
    steps = np.frombuffer(packed, STEP_NUMBER).reshape(-1, dimensions)
    return steps.astype(np.float32) * np.float32(1 / STEPS_OF_ONE)


def load_embedder() -> StaticEmbedder:
    """Load wordllama's table with what it was taught; about half a second and 100 MB.

    Raises:
        FileNotFoundError: The installed wheel carries no model.
        ValueError: It carries another model than the one that was taught.
    """
    plain = load_wordllama()
    return StaticEmbedder(Distilled.read().added_to(plain.table), plain.tokenizer, name=f"distilled-1+{plain.name}")


def load_wordllama() -> StaticEmbedder:
    """Load the model that wordllama's wheel carries, as it is.

    Raises:
        FileNotFoundError: The installed wheel carries no model.
    """
    # wordllama calls logging.basicConfig when imported, which does nothing where a handler exists.
    logging.getLogger().addHandler(logging.NullHandler())
    import wordllama  # noqa: PLC0415 - slow to import, and only a server needs it

    model = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
    return StaticEmbedder(
        np.ascontiguousarray(model.embedding, np.float32),
        model.tokenizer,
        name=f"wordllama-{wordllama.__version__}-l2_supercat-256",
    )
