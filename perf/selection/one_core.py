"""Keeps a measurement to one core, whatever threads the libraries in it start."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

__all__ = ["one_core"]


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this thread, and those that it starts, to one core until the block ends.

    Limiting numpy's threads is not enough: the pool of tokenizers is none of threadpoolctl's. Without Linux only numpy is
    limited.
    """
    with threadpool_limits(limits=1):
        if sys.platform != "linux":
            yield
            return
        allowed = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {max(allowed)})
        try:
            yield
        finally:
            os.sched_setaffinity(0, allowed)
