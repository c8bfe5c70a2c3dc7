"""Meaning as vectors: the port, and wordllama's static embeddings from its own wheel."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer as SubwordTokenizer

__all__ = ["Embedder", "Vectors", "WordllamaEmbedder", "load_wordllama"]

Vectors = NDArray[np.float32]

# No passage worth a vector of its own is longer; text beyond it is cut off.
MAX_CHARACTERS = 2_000
BATCH_TEXTS = 4_096


class Embedder(Protocol):
    """Turns texts into vectors whose dot product is their similarity in meaning; pure."""

    @property
    def name(self) -> str:
        """Model and version: equal names give equal vectors."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of each vector."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row of length 1 for each text; a row of zeros where a text says nothing."""
        ...


class WordllamaEmbedder:
    """Averages wordllama's token vectors: 0.1 ms a request on a CPU, no network, no model server.

    Pools by itself rather than through `WordLlamaInference.embed`, which pads each batch to its longest
    text: three times slower on passages of uneven length.
    """

    def __init__(self, table: Vectors, tokenizer: SubwordTokenizer, *, name: str) -> None:
        self._table = table
        self._tokenizer = tokenizer
        self._name = name
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    @property
    def name(self) -> str:
        """Model and version."""
        return self._name

    @property
    def dimensions(self) -> int:
        """Length of each vector."""
        return int(self._table.shape[1])

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row of length 1 for each text; a row of zeros where a text says nothing."""
        rows = [self._pool(texts[start : start + BATCH_TEXTS]) for start in range(0, len(texts), BATCH_TEXTS)]
        return np.concatenate(rows) if rows else np.zeros((0, self.dimensions), np.float32)

    def _pool(self, texts: Sequence[str]) -> Vectors:
        encoded = self._tokenizer.encode_batch_fast(
            [text.strip()[:MAX_CHARACTERS] for text in texts], add_special_tokens=False
        )
        pooled = np.zeros((len(texts), self.dimensions), np.float32)
        for row, encoding in zip(pooled, encoded, strict=True):
            if encoding.ids:
                np.sum(self._table[encoding.ids], axis=0, out=row)
        lengths = np.linalg.norm(pooled, axis=1, keepdims=True)
        np.divide(pooled, lengths, out=pooled, where=lengths > 0)
        return pooled


def load_wordllama() -> WordllamaEmbedder:
    """Load the model that wordllama's wheel carries; about half a second and 100 MB.

    Raises:
        FileNotFoundError: The installed wheel carries no model.
    """
    # wordllama calls logging.basicConfig when imported, which does nothing where a handler exists.
    logging.getLogger().addHandler(logging.NullHandler())
    import wordllama  # noqa: PLC0415 - slow to import, and only a server needs it

    model = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
    return WordllamaEmbedder(
        np.ascontiguousarray(model.embedding, np.float32),
        model.tokenizer,
        name=f"wordllama-{wordllama.__version__}-l2_supercat-256",
    )
