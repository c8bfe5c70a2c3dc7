"""Ids of runs: UUIDs of version 7, which sort by when they were made."""

import os
import time
from typing import Final
from uuid import UUID

__all__ = ["new_run_id"]

VERSION: Final = 0x7
VARIANT: Final = 0b10
RANDOM_A_BITS, RANDOM_B_BITS = 12, 62


def new_run_id() -> str:
    """Return a UUID of version 7 (RFC 9562, section 5.7): milliseconds since the epoch, then chance."""
    chance = int.from_bytes(os.urandom(10))
    random_a = chance & ((1 << RANDOM_A_BITS) - 1)
    random_b = (chance >> RANDOM_A_BITS) & ((1 << RANDOM_B_BITS) - 1)
    milliseconds = time.time_ns() // 1_000_000
    return str(UUID(int=milliseconds << 80 | VERSION << 76 | random_a << 64 | VARIANT << 62 | random_b))
