"""How long to wait before the next attempt."""

import hashlib
from datetime import timedelta

from ignis_server.workflow.model import RetryPolicy

__all__ = ["backoff"]

# A share of the wait by which some wait shorter, so that what failed together does not come back together.
JITTER = 0.2


def backoff(policy: RetryPolicy, failures: int, key: str) -> timedelta:
    """Return the wait after so many failures: longer each time, never longer than the policy's longest.

    The jitter follows from the key (which step of which run, which attempt) and not from chance, so that the same command
    decided twice gives the same events.
    """
    longest = policy.max_backoff.total_seconds()
    seconds = min(policy.initial_backoff.total_seconds() * policy.backoff_multiplier ** (failures - 1), longest)
    # A checksum will not do: those of keys that differ in one letter are neighbours.
    share = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=4).digest()) / 0xFFFF_FFFF
    return timedelta(seconds=seconds * (1 - JITTER * share))
