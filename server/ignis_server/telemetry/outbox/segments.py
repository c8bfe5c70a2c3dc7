"""Segments: the files of the journal, and how they are read back, by whoever wrote them or by another process later."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from ignis_server.telemetry.outbox.frames import MAX_FRAME_BYTES, ORIGIN, End, Frame, first_frame_bytes, read_frames
from ignis_server.telemetry.outbox.origin import Origin

__all__ = ["Head", "Part", "Position", "force", "read_part", "segment_numbers", "segment_path"]

# What is read at once, and so becomes one transaction of the database.
PART_BYTES: Final = 1 << 20
# Enough for a frame to tell how long it is.
LEAD_BYTES: Final = 64

NAME = re.compile(r"journal-(\d{1,18})\.log")


class Position(NamedTuple):
    """A place in the journal: a segment, and bytes from its beginning."""

    segment: int
    offset: int


class Head(NamedTuple):
    """How a segment begins: who captured what is in it, and where that begins."""

    origin: Origin
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a segment that was read.

    Attributes:
        origin: Who captured what is in it; None where that could not be read, and so nothing else.
        frames: What is whole.
        stop: Where that ends.
        is_damaged: Whether what comes next in the segment is no frame, or not all of one.
    """

    origin: Origin | None
    frames: Sequence[Frame]
    stop: int
    is_damaged: bool


def segment_path(folder: Path, number: int) -> Path:
    """Return where a segment is."""
    return folder / f"journal-{number}.log"


def segment_numbers(folder: Path) -> Sequence[int]:
    """Return the numbers of the segments that are in a folder, in no order.

    Raises:
        OSError: The folder cannot be read.
    """
    return [int(found[1]) for entry in folder.iterdir() if (found := NAME.fullmatch(entry.name))]


def read_part(path: Path, start: int, end: int, head: Head | None = None) -> Part:
    """Read about a MiB of a segment from a place on, up to another; one frame at least.

    Args:
        path: The segment. Where it is not there, all of it is damaged.
        start: Where to begin.
        end: Where to end at most; frames were written up to there.
        head: How the segment begins, where that is known.

    Raises:
        OSError: The disk does not let it be read.
    """
    try:
        with path.open("rb") as file:
            head = head or _head(file.fileno())
            if head is None:
                return Part(None, (), start, is_damaged=True)
            return _part(file.fileno(), max(start, head.size_bytes), end, head.origin)
    except FileNotFoundError:
        return Part(None, (), start, is_damaged=True)


def force(path: Path) -> None:
    """Have the system write a file or a folder to disk.

    Raises:
        OSError: That did not work.
    """
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _head(file: int) -> Head | None:
    size = first_frame_bytes(os.pread(file, LEAD_BYTES, 0))
    frames, taken, _ = read_frames(os.pread(file, size, 0))
    if not frames or frames[0].kind != ORIGIN:
        return None
    return Head(Origin.unpacked(bytes(frames[0].data)), taken)


def _part(file: int, start: int, end: int, origin: Origin) -> Part:
    wanted = min(PART_BYTES, end - start)
    content = os.pread(file, wanted, start)
    frames, taken, reason = read_frames(content)
    if not frames and reason is End.CUT_OFF and start + wanted < end:
        # One frame is longer than what is read at once.
        wanted = min(MAX_FRAME_BYTES, end - start)
        content = os.pread(file, wanted, start)
        frames, taken, reason = read_frames(content)
    is_short = len(content) < wanted
    is_cut_off = reason is End.CUT_OFF and start + wanted == end
    return Part(origin, frames, start + taken, reason is End.DAMAGED or is_short or is_cut_off)
