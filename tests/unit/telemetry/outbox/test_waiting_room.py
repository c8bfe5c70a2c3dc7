"""The waiting room: first in, first out, and the oldest gives way at its bound."""

from ignis_server.telemetry.model import Signal
from ignis_server.telemetry.outbox.frames import KIND_OF
from ignis_server.telemetry.outbox.journal import Captured
from ignis_server.telemetry.outbox.waiting_room import OVERHEAD_BYTES, WaitingRoom

TRACES = KIND_OF[Signal.TRACES]


def captured(number: int, size_bytes: int = 100, items: int = 2) -> Captured:
    return Captured(TRACES, items, number, bytes(size_bytes))


def test_what_waits_is_taken_in_order() -> None:
    room = WaitingRoom(1 << 20)
    for number in range(5):
        room.add(captured(number))

    room.remove(room.first()[:2])

    assert [each.captured_ns for each in room.first()] == [2, 3, 4]
    assert room.waiting().items == {Signal.TRACES: 6, Signal.METRICS: 0, Signal.LOGS: 0}
    assert room.waiting().oldest_ns == 2
    assert room.size_bytes == 3 * (100 + OVERHEAD_BYTES)


def test_at_its_bound_the_oldest_gives_way_and_is_counted() -> None:
    room = WaitingRoom(3 * (100 + OVERHEAD_BYTES))
    for number in range(5):
        room.add(captured(number))

    assert [each.captured_ns for each in room.first()] == [2, 3, 4]
    assert room.take_lost() == room.take_untold() == {Signal.TRACES: 4}
    assert room.take_lost() == room.take_untold() == {}
    assert room.size_bytes <= room.max_bytes


def test_what_was_given_up_while_it_was_written_down_is_not_lost() -> None:
    room = WaitingRoom(2 * (100 + OVERHEAD_BYTES))
    room.add(captured(0))
    room.add(captured(1))
    taken = room.first()

    room.add(captured(2))
    room.remove(taken)

    assert room.take_lost() == {}
    assert room.take_untold() == {}
    assert [each.captured_ns for each in room.first()] == [2]


def test_much_is_taken_in_parts() -> None:
    room = WaitingRoom(1 << 30)
    is_much = [room.add(captured(number, 100_000)) for number in range(5)]

    assert is_much == [False, False, True, True, True]
    assert [each.captured_ns for each in room.first()] == [0, 1]
    room.add(captured(9, 1 << 20))
    room.remove(room.first())
    room.remove(room.first())
    room.remove(room.first())
    assert [each.captured_ns for each in room.first()] == [9]


def test_nothing_waits() -> None:
    room = WaitingRoom(0)

    room.add(captured(1))

    assert room.first() == []
    assert room.waiting().oldest_ns is None
    assert room.take_lost() == {Signal.TRACES: 2}
