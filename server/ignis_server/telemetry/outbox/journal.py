"""The journal: what is captured is appended here first, with one write, and is committed when that returns.

It is a row of files, its segments. Each begins with a frame that says who captured; what is captured follows. What the system has
taken survives the end of this process in any way, and a power cut once the system has written it to disk or was made to. See
docs/decisions/0010-outbox.md.
"""

import os
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

from ignis_server.telemetry.model import Signal
from ignis_server.telemetry.outbox.batching import Draft, Gathered
from ignis_server.telemetry.outbox.frames import KIND_OF, ORIGIN, SEALED, SIGNAL_OF, Frame, encoded_frame
from ignis_server.telemetry.outbox.origin import Origin
from ignis_server.telemetry.outbox.segments import (
    Head,
    Position,
    force,
    read_part,
    segment_numbers,
    segment_path,
)
from ignis_server.telemetry.outbox.trouble import DiskTrouble, JournalUnwritable, Reason, reason_of

__all__ = ["Captured", "Journal", "Recent", "Stretch", "Unsealed"]

SEGMENT_BYTES: Final = 4 << 20
# What was appended is also kept in memory until it is in batches, up to so much; beyond, it is read from the disk again.
RECENT_BYTES: Final = 4 << 20

PLACE = struct.Struct("<QQ")


class Captured(NamedTuple):
    """Something that was captured: the kind of its frame, how many items it is, when that was, and their bytes."""

    kind: int
    items: int
    captured_ns: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the journal that was read.

    Attributes:
        origin: Who captured what is in it; None where that could not be read, and so nothing else.
        frames: What is whole.
        end: Where to read on.
        is_own: Whether this process has written it.
        unreadable_bytes: What is damaged, or cut off, and what lies behind that in the segment.
    """

    origin: Origin | None
    frames: Sequence[Frame]
    end: Position
    is_own: bool
    unreadable_bytes: int


@dataclass(frozen=True, slots=True)
class Unsealed:
    """What this process has captured and is in no batch yet: items by signal, and when the oldest of them was captured."""

    items: dict[Signal, int]
    oldest_ns: int | None


@dataclass(frozen=True, slots=True)
class Recent:
    """What was appended last.

    Attributes:
        begin: Where the first of it stands; None where something before it is in no batch yet and no longer in memory.
        end: Where all of it ends.
        gathered: What it is, from there on.
        unsealed: What this process has captured up to the end that is in no batch yet, this included.
    """

    begin: Position | None
    end: Position
    gathered: Gathered
    unsealed: Unsealed


class Journal:
    """The segments in one folder: those that were found there, and those that this process appends to.

    A process appends to segments of its own only, so that what it finds is never in its way, damaged or not. Appending may be
    done from any thread.
    """

    def __init__(
        self,
        folder: Path,
        origin: Origin,
        *,
        after: Position,
        is_forced: bool = False,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        """Find what is there.

        Args:
            folder: Where the segments are.
            origin: Who captures.
            after: A place before which everything is in batches; new segments come behind it.
            is_forced: Whether new segments are to survive a power cut; `force` does that for what is in them.
            segment_bytes: A segment that has as much is followed by another.

        Raises:
            DiskTrouble: The folder cannot be read.
        """
        self._folder = folder
        self.origin = origin
        self._head = encoded_frame(ORIGIN, 0, 0, origin.packed())
        self._is_forced = is_forced
        self._segment_bytes = segment_bytes
        self._lock = Lock()
        try:
            self._sizes = {number: self._path(number).stat().st_size for number in segment_numbers(folder)}
        except OSError as error:
            raise DiskTrouble(reason_of(error) or "broken") from error
        self._first_own = max([*self._sizes, after.segment]) + 1
        self._segment = self._first_own
        self._offset = 0
        self._file = -1
        self._is_closed = False
        self._unforced: set[int] = set()
        # What was appended since a place; None: not all of it.
        self._recent = Gathered()
        self._recent_begin: Position | None = Position(self._segment, 0)
        # What is neither there nor in batches, by kind of frame; those in the first places are no items.
        self._behind = [0] * (max(SIGNAL_OF) + 1)
        self._behind_ns: int | None = None

    def written(self) -> tuple[Position, Unsealed]:
        """Return where it ends, and what this process has captured up to there that is in no batch yet."""
        with self._lock:
            return Position(self._segment, self._offset), self._unsealed()

    def append(self, kind: int, items: int, captured_ns: int, data: bytes) -> bool:
        """Append what was captured; it is committed when this returns.

        Returns:
            Whether there is enough for a batch.

        Raises:
            JournalUnwritable: It is not committed, and nothing of it is in the journal.
        """
        frame = encoded_frame(kind, items, captured_ns, data)
        with self._lock:
            self._write(frame)
            return self._recent.add(kind, items, captured_ns, data) and self._is_enough()

    def append_all(self, captured: Sequence[Captured]) -> None:
        """Append much that was captured with one write; all of it is committed when this returns.

        Raises:
            JournalUnwritable: None of it is committed.
        """
        frames = [encoded_frame(*each) for each in captured]
        with self._lock:
            self._write(b"".join(frames))
            for each in captured:
                self._recent.add(*each)
            self._is_enough()

    def take_recent(self) -> Recent:
        """Return what was appended since this was last called, and keep it in memory no longer.

        Whoever takes it puts it into batches, or reads it from the disk later.
        """
        with self._lock:
            end = Position(self._segment, self._offset)
            if self._is_cut_off():
                # What is in memory is sealed all the same; what comes is written where it can be found.
                self._leave()
            recent = Recent(self._recent_begin, end, self._recent, self._unsealed())
            self._forget_recent()
            self._recent_begin = end
            return recent

    def mark(self, sealed: Position) -> Position:
        """Note how far it is in batches, for the day that the database is lost; where that cannot be written, it is not.

        Returns:
            Where to read on: behind the note, where nothing was appended in between.
        """
        with self._lock, suppress(JournalUnwritable):
            is_last = sealed == Position(self._segment, self._offset)
            if self._file >= 0:
                self._write(encoded_frame(SEALED, 0, 0, PLACE.pack(*sealed)))
                if is_last:
                    self._recent_begin = Position(self._segment, self._offset)
                    return self._recent_begin
        return sealed

    def marked(self) -> Position:
        """Return how far it was in batches by the last note that can be read; the very beginning where there is none.

        Raises:
            DiskTrouble: A segment cannot be read.
        """
        marked = Position(0, 0)
        position, (until, _) = marked, self.written()
        while (stretch := self.read(position, until)).end != position:
            for frame in stretch.frames:
                if frame.kind == SEALED and len(frame.data) == PLACE.size:
                    marked = Position(*PLACE.unpack(frame.data))
            position = stretch.end
        return marked

    def read(self, position: Position, until: Position) -> Stretch:
        """Read on from a place, about a MiB, up to where it ended when `written` was asked.

        Returns:
            The next stretch with anything in it; an empty one where there is none.

        Raises:
            DiskTrouble: The segment cannot be read.
        """
        for segment in sorted(number for number in list(self._sizes) if position.segment <= number <= until.segment):
            start = position.offset if segment == position.segment else 0
            is_last = segment == until.segment
            end = until.offset if is_last else self._sizes[segment]
            if start < end:
                behind = until if is_last else Position(segment + 1, 0)
                stretch = self._read(segment, start, end, behind)
                if stretch.frames or stretch.unreadable_bytes:
                    return stretch
        return Stretch(self.origin, (), max(position, until), is_own=True, unreadable_bytes=0)

    def count_sealed(self, drafts: Sequence[Draft]) -> None:
        """Note that items that this process has written, and that were taken, are in batches now."""
        with self._lock:
            for draft in drafts:
                self._behind[KIND_OF[draft.signal]] -= draft.items
                self._behind_ns = draft.captured_ns
            self._settle_behind()

    def count_lost(self, items: Mapping[Signal, int]) -> None:
        """Note that items that this process has written, and that were taken, can no longer be read."""
        with self._lock:
            for signal, lost in items.items():
                self._behind[KIND_OF[signal]] -= lost
            self._settle_behind()

    def leave(self) -> None:
        """Append to another segment from now on: this one is no longer what was written."""
        with self._lock:
            self._leave()

    def size_bytes(self, sealed: Position) -> int:
        """Return the bytes that are behind a place; what lies before it goes with its segment."""
        with self._lock:
            sizes = self._sizes | {self._segment: self._offset}
        return sum(size for segment, size in sizes.items() if segment > sealed.segment) + max(
            0, sizes.get(sealed.segment, 0) - sealed.offset
        )

    def discard(self, sealed: Position) -> None:
        """Delete the segments that end before a place.

        Raises:
            DiskTrouble: A segment cannot be deleted.
        """
        for segment in [number for number in list(self._sizes) if number < sealed.segment]:
            try:
                self._path(segment).unlink(missing_ok=True)
            except OSError as error:
                raise DiskTrouble(reason_of(error) or "broken") from error
            with self._lock:
                del self._sizes[segment]
                self._unforced.discard(segment)

    def force(self) -> None:
        """Have the system write to disk what it was given; what was appended before survives a power cut then.

        Raises:
            DiskTrouble: That did not work, and it is not known how much is on disk.
        """
        with self._lock:
            segments = sorted(self._unforced)
            self._unforced = {self._segment} & self._unforced
        for segment in segments:
            try:
                force(self._path(segment))
            except FileNotFoundError:
                continue
            except OSError as error:
                with self._lock:
                    self._unforced.update(segments)
                raise DiskTrouble(reason_of(error) or "broken") from error

    def close(self, sealed: Position) -> None:
        """Append no more; where everything is in batches, nothing is left behind."""
        with self._lock:
            self._leave()
            self._is_closed = True
            is_done = sealed >= Position(self._segment, self._offset)
        if is_done:
            with suppress(DiskTrouble):
                self.discard(Position(self._segment + 1, 0))

    def _unsealed(self) -> Unsealed:
        recent = self._recent.items
        items = {signal: self._behind[kind] + recent.get(kind, 0) for kind, signal in SIGNAL_OF.items()}
        return Unsealed(items, self._recent.oldest_ns if self._behind_ns is None else self._behind_ns)

    def _is_enough(self) -> bool:
        """Do not let what is in memory become too much, and tell whether there is enough for a batch: there is."""
        if self._recent.size_bytes > RECENT_BYTES:
            self._forget_recent()
            self._recent_begin = None
        return True

    def _forget_recent(self) -> None:
        for kind, items in self._recent.items.items():
            self._behind[kind] += items
        if self._behind_ns is None:
            self._behind_ns = self._recent.oldest_ns
        self._recent = Gathered()

    def _settle_behind(self) -> None:
        if not any(self._behind):
            self._behind_ns = None

    def _is_cut_off(self) -> bool:
        """Tell whether somebody has made the segment shorter that is being appended to."""
        return self._file >= 0 and os.fstat(self._file).st_size < self._offset

    def _write(self, data: bytes) -> None:
        if self._file < 0 or self._offset >= self._segment_bytes:
            self._begin()
        try:
            written = os.write(self._file, data)
        except OSError as error:
            self._take_back()
            raise JournalUnwritable(reason_of(error) or "broken") from error
        if written != len(data):
            self._take_back()
            raise JournalUnwritable("full")
        self._offset += written

    def _take_back(self) -> None:
        """Cut off what was written in part; where even that fails, the segment is left to be read up to there."""
        try:
            os.ftruncate(self._file, self._offset)
        except OSError:
            self._leave()

    def _begin(self) -> None:
        """Begin a segment."""
        if self._is_closed:
            raise JournalUnwritable("broken")
        self._leave()
        segment = self._segment + 1 if self._segment in self._sizes else self._segment
        try:
            # Nobody else's is overwritten, should somebody else ever write here.
            while (path := self._path(segment)).exists():
                segment += 1
            # Appending, so that what is written after something was taken back follows what is left.
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        except OSError as error:
            raise JournalUnwritable(reason_of(error) or "broken") from error
        try:
            reason: Reason | None = "full" if os.write(file, self._head) != len(self._head) else None
            if self._is_forced:
                force(self._folder)
        except OSError as error:
            reason = reason_of(error) or "broken"
        if reason:
            os.close(file)
            with suppress(OSError):
                path.unlink()
            raise JournalUnwritable(reason)
        self._file, self._segment, self._offset = file, segment, len(self._head)
        self._sizes[segment] = 0
        self._unforced.add(segment)

    def _leave(self) -> None:
        """End the segment that is being appended to."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            self._sizes[self._segment] = self._offset

    def _read(self, segment: int, start: int, end: int, behind: Position) -> Stretch:
        is_own = segment >= self._first_own
        head = Head(self.origin, len(self._head)) if is_own else None
        try:
            part = read_part(self._path(segment), start, end, head)
        except OSError as error:
            raise DiskTrouble(reason_of(error) or "broken") from error
        if part.is_damaged:
            return Stretch(part.origin, part.frames, behind, is_own, unreadable_bytes=end - part.stop)
        read_to = Position(segment, part.stop) if part.stop < end else behind
        return Stretch(part.origin, part.frames, read_to, is_own, unreadable_bytes=0)

    def _path(self, segment: int) -> Path:
        return segment_path(self._folder, segment)
