"""Slots: several processes on one folder, each in a part of it that no other one touches, and parts that somebody left behind.

A slot is a folder and a lock beside it. The system lets go of a lock when its process ends, in whatever way, so a slot that can be
locked belongs to nobody.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from ignis_server.telemetry.outbox.segments import force, segment_numbers
from ignis_server.telemetry.outbox.trouble import DiskTrouble, reason_of

__all__ = ["DATABASE", "Slot", "claim_slots", "orphaned_slots"]

# Far more processes than share a machine; each takes the first that is free.
MAX_SLOTS: Final = 1_000
DATABASE: Final = "batches.db"


class Slot:
    """A slot that this process holds."""

    def __init__(self, number: int, folder: Path, lock: int) -> None:
        self.number = number
        self.folder = folder
        self._lock = lock

    @property
    def database(self) -> Path:
        """Where its batches are."""
        return self.folder / DATABASE

    def is_lost(self) -> bool:
        """Tell whether somebody has removed its folder or its lock."""
        try:
            return not self.folder.exists() or not _is_of(self._lock, _lock_path(self.folder))
        except OSError:
            return True

    def renew(self) -> None:
        """Make folder and lock anew that were removed.

        Raises:
            DiskTrouble: They could not be made, or another process has taken the slot.
        """
        path = _lock_path(self.folder)
        try:
            _make_folder(self.folder)
            if _is_of(self._lock, path):
                return
            lock = _locked(path)
        except OSError as error:
            raise DiskTrouble(reason_of(error) or "broken") from error
        if lock is None:
            raise DiskTrouble("broken")
        os.close(self._lock)
        self._lock = lock

    def release(self) -> None:
        """Let another process have it."""
        os.close(self._lock)

    def remove(self) -> None:
        """Delete what is in it, but for damaged databases that were kept, and let go of it.

        What cannot be deleted stays, and is found to be empty the next time.
        """
        with suppress(OSError):
            for entry in list(self.folder.iterdir()):
                if ".corrupt-" not in entry.name:
                    entry.unlink()
            self.folder.rmdir()
        self.release()


def claim_slots(root: Path) -> Iterator[Slot]:
    """Return slots that nobody held, lowest first; whoever takes none but the first leaves the others alone.

    Raises:
        DiskTrouble: The folder cannot be used, or all slots are taken.
    """
    try:
        _make_folder(root)
        for number in range(MAX_SLOTS):
            folder = root / f"{number:04}"
            lock = _locked(_lock_path(folder))
            if lock is not None:
                slot = Slot(number, folder, lock)
                _make_folder(folder)
                yield slot
    except OSError as error:
        raise DiskTrouble(reason_of(error) or "broken") from error
    raise DiskTrouble("broken")


def orphaned_slots(root: Path) -> Iterator[Slot]:
    """Return slots that hold something and that nobody held.

    Raises:
        DiskTrouble: The folder cannot be used.
    """
    try:
        for folder in sorted(root.glob("[0-9][0-9][0-9][0-9]")):
            if _holds_anything(folder):
                lock = _locked(_lock_path(folder))
                if lock is not None:
                    yield Slot(int(folder.name), folder, lock)
    except OSError as error:
        raise DiskTrouble(reason_of(error) or "broken") from error


def _holds_anything(folder: Path) -> bool:
    try:
        return (folder / DATABASE).exists() or bool(segment_numbers(folder))
    except FileNotFoundError:
        # Another process was faster.
        return False


def _make_folder(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A power cut must not take the folder with all that is forced to disk in it; some file systems do not know how.
        with suppress(OSError):
            force(folder.parent)


def _lock_path(folder: Path) -> Path:
    return folder.with_suffix(".lock")


def _locked(path: Path) -> int | None:
    """Return an open lock; None where another process, or another part of this one, holds it."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Somebody may have removed the file in between, and made another.
        if _is_of(lock, path):
            return lock
    except BlockingIOError:
        pass
    except BaseException:
        os.close(lock)
        raise
    os.close(lock)
    return None


def _is_of(lock: int, path: Path) -> bool:
    try:
        return path.stat().st_ino == os.fstat(lock).st_ino
    except FileNotFoundError:
        return False
