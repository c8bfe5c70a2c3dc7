"""Values that tell whether they still are what was put away.

A cache that several programs share may hand out what was cut short, overwritten by another program, or written by another
release. A sealed value begins with four letters that no other program writes, and the digest of what follows.
"""

import hashlib
from typing import Final

__all__ = ["sealed", "unsealed"]

# The last letter is the version of this form.
MAGIC: Final = b"IGN1"
DIGEST_BYTES: Final = 16
HEAD_BYTES: Final = len(MAGIC) + DIGEST_BYTES


def sealed(content: bytes) -> bytes:
    """Return content with its seal."""
    return MAGIC + _digest(content) + content


def unsealed(value: bytes) -> bytes | None:
    """Return the content of a sealed value; None where it is not whole, or none of ours."""
    content = value[HEAD_BYTES:]
    return content if value[:HEAD_BYTES] == MAGIC + _digest(content) else None


def _digest(content: bytes) -> bytes:
    # Processors have instructions for this one: half the time of BLAKE2 on an answer of 27 KB.
    return hashlib.sha256(content).digest()[:DIGEST_BYTES]
