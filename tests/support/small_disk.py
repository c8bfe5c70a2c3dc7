"""A disk that is small enough to be filled: a file system in memory, where this process may mount one."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["can_mount", "fill", "small_disk"]


def can_mount(folder: Path) -> bool:
    """Tell whether this process may mount a file system: mostly where it is root."""
    if not _mounted(folder, size_bytes=1 << 20):
        return False
    _unmount(folder)
    return True


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """Have a folder on a disk of its own until the block ends."""
    assert _mounted(folder, size_bytes)
    try:
        yield folder
    finally:
        _unmount(folder)


def fill(folder: Path) -> Path:
    """Fill the disk to the last byte, and return the file to delete."""
    path = folder / "somebody else's"
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 4_096, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    return path


def _mounted(folder: Path, size_bytes: int) -> bool:
    command = ("mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=700", "tmpfs", str(folder))
    try:
        return os.geteuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def _unmount(folder: Path) -> None:
    subprocess.run(("umount", str(folder)), check=True)  # noqa: S607 - wherever it is
