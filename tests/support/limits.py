"""Limits of this process, as the system enforces them: real errors of the kernel without a disk that is really full."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["file_size_limit"]


@contextmanager
def file_size_limit(size_bytes: int) -> Iterator[None]:
    """Let no file become larger until the block ends; who tries gets a part of it written, or EFBIG."""
    before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))
