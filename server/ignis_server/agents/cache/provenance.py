"""What made a value: a digest of this code and of the libraries under it.

Whatever is kept is kept under it. So a value made by other code is never found, in a fleet that is half upgraded and on a
developer's machine alike, and nobody has to remember to raise a version.
"""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

__all__ = ["maker"]

AGENTS = Path(__file__).parents[1]
# What decides over tokens, terms and subwords; a new release of one may count otherwise.
LIBRARIES = ("bpe-openai", "numpy", "PyStemmer", "PyYAML", "tiktoken", "tokenizers", "wordllama")


@cache
def maker() -> str:
    """Return 32 hexadecimal digits that change with this capability's code, its data files and its libraries."""
    digest = hashlib.blake2b(digest_size=16)
    for file in sorted(path for path in AGENTS.rglob("*") if path.suffix in {".py", ".npz"}):
        digest.update(file.relative_to(AGENTS).as_posix().encode())
        digest.update(hashlib.blake2b(file.read_bytes()).digest())
    for library in LIBRARIES:
        digest.update(f"{library}=={version(library)}".encode())
    return digest.hexdigest()
