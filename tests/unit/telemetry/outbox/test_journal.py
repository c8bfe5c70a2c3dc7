"""The journal: what it says it has committed can be read back, and damage costs what lies at and behind it."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignis_server.telemetry.model import Signal
from ignis_server.telemetry.outbox.frames import KIND_OF, MAX_DATA_BYTES, SIGNAL_OF
from ignis_server.telemetry.outbox.journal import Captured, Journal, Stretch
from ignis_server.telemetry.outbox.origin import Origin
from ignis_server.telemetry.outbox.segments import Position
from ignis_server.telemetry.outbox.trouble import DiskTrouble, JournalUnwritable
from support.limits import file_size_limit

ORIGIN = Origin(b"resource", b"scope")
START = Position(0, 0)
TRACES = KIND_OF[Signal.TRACES]

captured = st.builds(
    Captured,
    st.sampled_from(sorted(SIGNAL_OF)),
    st.integers(1, 5_000),
    st.integers(0, 2**63 - 1),
    st.binary(max_size=300),
)


def journal_in(folder: Path, *, after: Position = START) -> Journal:
    return Journal(folder, ORIGIN, after=after)


def stretches_of(journal: Journal, start: Position = START) -> list[Stretch]:
    """Read everything from a place on."""
    until, _ = journal.written()
    found = []
    while (stretch := journal.read(start, until)).end != start:
        found.append(stretch)
        start = stretch.end
    return found


def everything_in(journal: Journal, start: Position = START) -> list[Captured]:
    return [
        Captured(frame.kind, frame.items, frame.captured_ns, bytes(frame.data))
        for stretch in stretches_of(journal, start)
        for frame in stretch.frames
        if frame.kind in SIGNAL_OF
    ]


def unreadable_in(journal: Journal) -> int:
    return sum(stretch.unreadable_bytes for stretch in stretches_of(journal))


@given(st.lists(captured, max_size=20))
def test_what_is_appended_is_read_back(tmp_path_factory: pytest.TempPathFactory, given: Sequence[Captured]) -> None:
    folder = tmp_path_factory.mktemp("journal")
    journal = journal_in(folder)

    for each in given:
        journal.append(*each)

    assert everything_in(journal) == list(given)
    assert everything_in(journal_in(folder)) == list(given)
    assert {stretch.origin for stretch in stretches_of(journal_in(folder)) if stretch.frames} <= {ORIGIN}


@given(st.lists(captured, min_size=1, max_size=20))
def test_what_is_appended_with_one_write_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, given: Sequence[Captured]
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    journal = journal_in(folder)

    journal.append_all(given)

    assert everything_in(journal_in(folder)) == list(given)
    _, unsealed = journal.written()
    assert sum(unsealed.items.values()) == sum(each.items for each in given)
    assert unsealed.oldest_ns == given[0].captured_ns


def six_frames(folder: Path) -> list[Captured]:
    journal = journal_in(folder)
    frames = [Captured(TRACES, number, number, bytes([number]) * number * 3) for number in range(1, 7)]
    for frame in frames:
        journal.append(*frame)
    return frames


def is_beginning(found: Sequence[Captured], frames: Sequence[Captured]) -> bool:
    return list(found) == list(frames[: len(found)])


def ends_of(frames: Sequence[Captured], size: int) -> list[int]:
    """Return where each frame ends in a segment of so many bytes, all of which are frames."""
    ends = [size]
    for frame in reversed(frames[1:]):
        ends.insert(0, ends[0] - len(frame.data) - 21)
    return ends


def test_a_segment_cut_off_anywhere_loses_what_was_cut_off(tmp_path: Path) -> None:
    frames = six_frames(tmp_path)
    (segment,) = tmp_path.iterdir()
    content = segment.read_bytes()
    ends = ends_of(frames, len(content))

    for size in range(len(content) + 1):
        segment.write_bytes(content[:size])
        journal = journal_in(tmp_path)
        found = everything_in(journal)

        whole = sum(end <= size for end in ends)
        assert found == frames[:whole]
        read_to = ends[whole - 1] if whole else ends[0] - len(frames[0].data) - 21
        assert unreadable_in(journal) == (size - read_to if size > read_to else size if size < read_to else 0)


def test_a_byte_that_changed_anywhere_loses_what_lies_at_and_behind_it(tmp_path: Path) -> None:
    frames = six_frames(tmp_path)
    (segment,) = tmp_path.iterdir()
    content = segment.read_bytes()
    ends = ends_of(frames, len(content))

    for place in range(len(content)):
        for flipped in (0x01, 0x80, 0xFF):
            damaged = bytearray(content)
            damaged[place] ^= flipped
            segment.write_bytes(damaged)
            journal = journal_in(tmp_path)
            found = everything_in(journal)

            is_head = place < ends[0] - len(frames[0].data) - 21
            assert found == ([] if is_head else frames[: sum(end <= place for end in ends)]), place
            assert unreadable_in(journal) > 0


def test_zeros_that_a_power_cut_left_behind_are_no_frames(tmp_path: Path) -> None:
    frames = six_frames(tmp_path)
    (segment,) = tmp_path.iterdir()
    with segment.open("ab") as file:
        file.write(bytes(4_096))

    journal = journal_in(tmp_path)

    assert everything_in(journal) == frames
    assert unreadable_in(journal) == 4_096


def test_damage_in_one_segment_does_not_reach_the_next(tmp_path: Path) -> None:
    six_frames(tmp_path)
    (first,) = tmp_path.iterdir()
    frames = six_frames(tmp_path)

    first.write_bytes(b"no frame")

    assert everything_in(journal_in(tmp_path)) == frames


def test_a_segment_that_somebody_deleted_costs_that_segment(tmp_path: Path) -> None:
    six_frames(tmp_path)
    journal = journal_in(tmp_path)
    journal.append(TRACES, 1, 1, b"kept")
    (tmp_path / "journal-1.log").unlink()

    assert everything_in(journal) == [Captured(TRACES, 1, 1, b"kept")]
    assert unreadable_in(journal) > 0


def test_files_that_are_no_segments_are_left_alone(tmp_path: Path) -> None:
    for name in ("journal-x.log", "journal-1.log.bak", "batches.db"):
        (tmp_path / name).write_bytes(b"foreign")

    journal = journal_in(tmp_path)
    journal.append(TRACES, 1, 1, b"ours")
    journal.close(Position(2, 0))

    assert {path.name for path in tmp_path.iterdir()} == {"journal-x.log", "journal-1.log.bak", "batches.db"}


def test_what_others_left_is_not_appended_to(tmp_path: Path) -> None:
    six_frames(tmp_path)
    left = (tmp_path / "journal-1.log").read_bytes()

    journal_in(tmp_path).append(TRACES, 1, 1, b"")

    assert (tmp_path / "journal-1.log").read_bytes() == left
    assert sorted(path.name for path in tmp_path.iterdir()) == ["journal-1.log", "journal-2.log"]


def test_a_segment_that_appears_from_somewhere_is_not_overwritten(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    (tmp_path / "journal-1.log").write_bytes(b"another process, where none should be")

    journal.append(TRACES, 1, 1, b"ours")

    assert (tmp_path / "journal-1.log").read_bytes() == b"another process, where none should be"
    assert everything_in(journal) == [Captured(TRACES, 1, 1, b"ours")]


def test_new_segments_come_behind_what_is_said_to_be_in_batches(tmp_path: Path) -> None:
    """A segment that was deleted and came again under its number would be taken for done."""
    journal = journal_in(tmp_path, after=Position(7, 1_000))
    journal.append(TRACES, 1, 1, b"new")

    assert everything_in(journal, Position(7, 1_000)) == [Captured(TRACES, 1, 1, b"new")]
    assert [path.name for path in tmp_path.iterdir()] == ["journal-8.log"]


def test_a_full_segment_gives_way_to_another_and_is_deleted_when_done(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    data = bytes(1 << 20)
    for number in range(6):
        journal.append(TRACES, 1, number, data)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["journal-1.log", "journal-2.log"]
    assert [each.captured_ns for each in everything_in(journal)] == list(range(6))
    until, _ = journal.written()
    assert journal.size_bytes(START) > 6 << 20
    assert journal.size_bytes(until) == 0

    journal.discard(until)

    assert [path.name for path in tmp_path.iterdir()] == ["journal-2.log"]
    assert everything_in(journal, Position(2, 0)) == everything_in(journal)


def test_an_item_larger_than_what_is_read_at_once(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    sizes = [10, (1 << 20) + 5, 10, MAX_DATA_BYTES, 10]
    for size in sizes:
        journal.append(TRACES, 1, 1, bytes(size))

    assert [len(each.data) for each in everything_in(journal)] == sizes
    assert unreadable_in(journal) == 0


def test_everything_done_leaves_nothing_behind(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    journal.append(TRACES, 1, 1, b"x")
    until, _ = journal.written()

    journal.close(until)

    assert list(tmp_path.iterdir()) == []


def test_something_not_done_is_left_behind(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    journal.append(TRACES, 1, 1, b"x")
    until, _ = journal.written()
    journal.append(TRACES, 1, 2, b"y")

    journal.close(until)

    assert [each.data for each in everything_in(journal_in(tmp_path), until)] == [b"y"]


def test_the_last_note_of_how_far_it_is_in_batches_is_found(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    assert journal.marked() == START
    for number in range(3):
        journal.append(TRACES, 1, number, b"x")
        until, _ = journal.written()
        journal.mark(until)

    assert journal_in(tmp_path).marked() == until


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    journal_in(tmp_path).append(TRACES, 1, 1, b"x")

    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600]


def test_what_is_not_sealed_is_counted(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    journal.append(TRACES, 2, 10, b"x")
    journal.append(KIND_OF[Signal.LOGS], 3, 20, b"y")
    _, before = journal.written()

    taken = journal.take_recent()
    journal.append(TRACES, 4, 30, b"z")
    _, between = journal.written()
    journal.count_sealed(taken.gathered.drafts(ORIGIN))

    _, after = journal.written()
    assert (before.items, before.oldest_ns) == ({Signal.TRACES: 2, Signal.METRICS: 0, Signal.LOGS: 3}, 10)
    assert taken.unsealed == before
    assert (between.items, between.oldest_ns) == ({Signal.TRACES: 6, Signal.METRICS: 0, Signal.LOGS: 3}, 10)
    assert (after.items, after.oldest_ns) == ({Signal.TRACES: 4, Signal.METRICS: 0, Signal.LOGS: 0}, 30)


def test_what_is_taken_from_memory_is_what_stands_in_the_journal(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    journal.append(TRACES, 1, 10, b"a")
    first = journal.take_recent()
    journal.append_all([Captured(TRACES, 1, 20, b"b"), Captured(TRACES, 1, 30, b"c")])
    second = journal.take_recent()

    assert [draft.content for draft in first.gathered.drafts(ORIGIN)] == [b"scopea"]
    assert [draft.content for draft in second.gathered.drafts(ORIGIN)] == [b"scopebc"]
    assert second.begin == first.end
    assert [each.data for each in everything_in(journal, first.end)] == [b"b", b"c"]


def test_a_note_between_does_not_part_what_is_in_memory_from_what_is_sealed(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    journal.append(TRACES, 1, 10, b"a")

    position = journal.mark(journal.take_recent().end)
    journal.append(TRACES, 1, 20, b"b")

    assert journal.take_recent().begin == position


def test_memory_is_given_up_where_nobody_takes_it(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    for number in range(5):
        journal.append(TRACES, 1, number, bytes(1 << 20))

    given_up = journal.take_recent()
    journal.append(TRACES, 1, 6, b"y")

    assert (given_up.begin, given_up.gathered.size_bytes) == (None, 0)
    assert (given_up.unsealed.items[Signal.TRACES], given_up.unsealed.oldest_ns) == (5, 0)
    assert [len(each.data) for each in everything_in(journal)] == [1 << 20] * 5 + [1]
    assert journal.take_recent().begin == given_up.end


def test_it_says_when_there_is_enough_for_a_batch(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)

    assert [journal.append(TRACES, 1_000, 1, b"x") for _ in range(2)] == [False, True]


def test_from_many_threads_nothing_is_torn(tmp_path: Path) -> None:
    journal = Journal(tmp_path, ORIGIN, after=START, segment_bytes=10_000)

    def append(thread: int) -> None:
        for number in range(500):
            journal.append(TRACES, 1, thread * 1_000 + number, bytes([thread]) * (number % 50))

    threads = [threading.Thread(target=append, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = everything_in(journal_in(tmp_path))
    assert sorted(each.captured_ns for each in found) == [
        thread * 1_000 + number for thread in range(4) for number in range(500)
    ]
    assert all(set(each.data) <= {each.captured_ns // 1_000} for each in found)


def test_a_folder_that_is_no_more_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    with pytest.raises(DiskTrouble):
        journal_in(folder)
    folder.mkdir()
    journal = journal_in(folder)
    folder.rmdir()

    with pytest.raises(JournalUnwritable):
        journal.append(TRACES, 1, 1, b"x")

    folder.mkdir()
    journal.append(TRACES, 1, 1, b"x")
    assert everything_in(journal) == [Captured(TRACES, 1, 1, b"x")]


def test_a_disk_that_takes_a_part_of_a_frame_gets_it_back(tmp_path: Path) -> None:
    """Behind a torn frame nothing could be read; it is cut off, and what comes later stands in its place."""
    journal = journal_in(tmp_path)
    journal.append(TRACES, 1, 1, b"before")
    (segment,) = tmp_path.iterdir()
    size = segment.stat().st_size

    with file_size_limit(size + 30), pytest.raises(JournalUnwritable) as raised:
        journal.append(TRACES, 1, 2, bytes(100))

    assert raised.value.reason == "full"
    assert segment.stat().st_size == size
    with file_size_limit(size), pytest.raises(JournalUnwritable) as raised:
        journal.append(TRACES, 1, 2, bytes(100))
    assert raised.value.reason == "full"
    journal.append(TRACES, 1, 3, b"after")
    assert [each.data for each in everything_in(journal)] == [b"before", b"after"]
    assert unreadable_in(journal_in(tmp_path)) == 0


def test_a_disk_without_room_for_a_segment_is_left_without_one(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)

    with file_size_limit(10), pytest.raises(JournalUnwritable):
        journal.append(TRACES, 1, 1, b"x")

    assert list(tmp_path.iterdir()) == []


def test_it_can_be_forced_to_disk(tmp_path: Path) -> None:
    journal = Journal(tmp_path, ORIGIN, after=START, is_forced=True)
    journal.force()
    journal.append(TRACES, 1, 1, b"x")
    journal.force()
    (segment,) = tmp_path.iterdir()
    segment.unlink()

    journal.force()
