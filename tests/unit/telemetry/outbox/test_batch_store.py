"""Batches on disk: numbered without gaps, kept until everybody has them, accounted for, and never sent once they are damaged."""

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignis_server.telemetry.model import Batch, LedgerRow, Receipt, Signal
from ignis_server.telemetry.outbox.batch_store import REMEMBERED, BatchStore, Beginning, Loss, SettledBatch
from ignis_server.telemetry.outbox.batching import Draft
from ignis_server.telemetry.outbox.database import move_aside
from ignis_server.telemetry.outbox.segments import Position
from ignis_server.telemetry.outbox.trouble import StoreCorrupt, StoreForeign, StoreTrouble
from support.limits import file_size_limit
from support.outbox import rows_add_up

ALL = frozenset(Signal)
ONE = {"one": ALL}
BOTH = {"one": ALL, "other": frozenset({Signal.TRACES})}
START = Position(0, 0)


def draft(number: int = 0, *, signal: Signal = Signal.TRACES, items: int = 1, size_bytes: int = 100) -> Draft:
    content = number.to_bytes(4) + bytes(size_bytes)
    return Draft(signal, items, 1_000 + number, sha256(content).digest(), b"resource", content)


def receipt(batch: Batch, rejected: int = 0, message: str = "") -> Receipt:
    return Receipt(batch.sequence, batch.signal, batch.items - rejected, rejected, message, 5)


class Opened:
    """Stores on one file, the last of them open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: list[BatchStore] = []

    def __call__(self, destinations: Mapping[str, Collection[Signal]] = ONE) -> BatchStore:
        """Open the file, and close it where it was open."""
        self.close()
        self._open.append(BatchStore(self.path, destinations, lambda: Beginning("box", 1, START)))
        return self._open[-1]

    def close(self) -> None:
        """Close it."""
        while self._open:
            self._open.pop().close()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    each = Opened(tmp_path / "batches.db")
    yield each
    each.close()


def waiting(store: BatchStore, destination: str = "one", signal: Signal = Signal.TRACES, after: int = 0) -> list[Batch]:
    batches, losses = store.next_after(destination, signal, after, 1_000)
    assert losses == []
    return list(batches)


def rows(store: BatchStore) -> dict[tuple[str, Signal], LedgerRow]:
    return {(row.destination, row.signal): row for row in store.accounts()}


def test_what_is_put_is_there_as_it_was(opened: Opened) -> None:
    drafts = [draft(1), draft(2, signal=Signal.LOGS, items=7), draft(3)]
    store = opened()

    store.add(drafts, Position(3, 9), {})

    assert is_there(store, drafts)
    assert is_there(opened(), drafts)


def is_there(store: BatchStore, drafts: Sequence[Draft]) -> bool:
    (log,) = waiting(store, signal=Signal.LOGS)
    assert log == Batch("box", 2, Signal.LOGS, 7, 1_002, drafts[1].digest, drafts[1].resource, drafts[1].content)
    assert [batch.sequence for batch in waiting(store)] == [1, 3]
    assert store.sealed == Position(3, 9)
    assert store.size_bytes > sum(len(each.content) for each in drafts)
    return (store.count, store.newest(Signal.METRICS), store.newest(Signal.TRACES)) == (3, 0, 3)


def test_the_next_are_those_behind_a_number_up_to_a_limit(opened: Opened) -> None:
    store = opened()
    store.add([draft(number) for number in range(10)], START, {})

    batches, _ = store.next_after("one", Signal.TRACES, 3, 2)

    assert [batch.sequence for batch in batches] == [4, 5]
    assert store.next_after("nobody", Signal.TRACES, 0, 10) == ([], [])


def test_not_too_much_is_read_at_once_but_always_something(opened: Opened) -> None:
    store = opened()
    store.add([draft(number, size_bytes=3 << 20) for number in range(3)], START, {})
    store.add([draft(9, size_bytes=9 << 20)], START, {})

    assert [batch.sequence for batch in waiting(store)] == [1]
    assert [batch.sequence for batch in waiting(store, after=3)] == [4]


def test_a_batch_is_let_go_when_all_have_it(opened: Opened) -> None:
    store = opened(BOTH)
    store.add([draft(1)], START, {})
    (batch,) = waiting(store)

    store.settle("one", [receipt(batch)])

    assert waiting(store) == []
    assert waiting(store, "other") == [batch]
    assert store.count == 1
    store.settle("other", [receipt(batch)])
    assert (store.count, store.size_bytes) == (0, 0)
    assert opened(BOTH).count == 0


def test_numbers_go_on_when_everything_is_gone(opened: Opened) -> None:
    store = opened()
    store.add([draft(1)], START, {})
    store.settle("one", [receipt(batch) for batch in waiting(store)])

    store = opened()
    store.add([draft(2)], START, {})

    assert [batch.sequence for batch in waiting(store)] == [2]


def test_a_signal_that_goes_nowhere_is_not_kept_and_takes_no_number(opened: Opened) -> None:
    store = opened({"one": frozenset({Signal.LOGS})})

    store.add([draft(1), draft(2, signal=Signal.LOGS)], Position(4, 4), {})

    assert [batch.sequence for batch in waiting(store, signal=Signal.LOGS)] == [1]
    assert store.count == 1
    assert store.sealed == Position(4, 4)


def test_the_account_of_what_was_delivered_rejected_shed_and_waits(opened: Opened) -> None:
    store = opened()
    store.add([draft(number, items=10) for number in range(5)], START, {Signal.TRACES: 3})
    first, second, *_ = waiting(store)
    store.settle("one", [receipt(first), receipt(second, 4, "too old")])
    store.shed(1)

    row = rows(store)["one", Signal.TRACES]

    assert row == LedgerRow("one", Signal.TRACES, 53, 16, 4, 13, 20, 1_003, "too old")
    assert rows_add_up(store.accounts())
    assert list(rows(opened()).values()) == list(rows(opened()).values())
    assert rows(opened())["one", Signal.TRACES] == row


def test_a_receipt_counts_once(opened: Opened) -> None:
    store = opened()
    store.add([draft(1, items=10), draft(2, items=10)], START, {})
    first, second = waiting(store)
    store.shed(1)

    store.settle("one", [receipt(first), receipt(second), receipt(second, 10), Receipt(99, Signal.TRACES, 1, 0, "", 1)])

    row = rows(store)["one", Signal.TRACES]
    assert (row.delivered, row.rejected, row.shed, row.waiting) == (10, 0, 10, 0)


def test_a_receipt_counts_once_though_another_destination_still_waits(opened: Opened) -> None:
    store = opened(BOTH)
    store.add([draft(1, items=10)], START, {})
    (batch,) = waiting(store)

    store.settle("one", [receipt(batch), receipt(batch)])
    store.settle("one", [receipt(batch)])

    assert rows(store)["one", Signal.TRACES].delivered == 10
    assert rows_add_up(store.accounts())


@pytest.mark.parametrize(("claimed", "rejected"), [(99, 10), (-5, 0), (3, 3)])
def test_whatever_a_destination_claims_the_account_adds_up(opened: Opened, claimed: int, rejected: int) -> None:
    store = opened()
    store.add([draft(1, items=10)], START, {})

    store.settle("one", [Receipt(1, Signal.TRACES, 1_000, claimed, "", 1)])

    assert rows(store)["one", Signal.TRACES].rejected == rejected
    assert rows_add_up(store.accounts())


def test_the_oldest_is_shed_for_all_who_wait_for_it(opened: Opened) -> None:
    store = opened(BOTH)
    store.add([draft(1), draft(2, signal=Signal.LOGS, items=5), draft(3)], START, {})
    store.settle("one", [receipt(waiting(store)[0])])
    size = store.size_bytes

    losses = store.shed(size // 2)

    assert losses == [Loss(Signal.TRACES, 1, size // 3), Loss(Signal.LOGS, 5, size // 3)]
    assert store.size_bytes == size // 3
    assert [batch.sequence for batch in waiting(store)] == [3]
    assert (rows(store)["one", Signal.TRACES].shed, rows(store)["other", Signal.TRACES].shed) == (0, 1)
    assert rows(store)["one", Signal.LOGS].shed == 5
    assert rows_add_up(store.accounts())
    store.shed(1 << 30)
    assert store.shed(1) == []


def test_a_new_destination_starts_with_what_is_still_there(opened: Opened) -> None:
    store = opened()
    store.add([draft(number, items=2) for number in range(3)], START, {})
    store.settle("one", [receipt(waiting(store)[0])])

    store = opened(BOTH)

    assert [batch.sequence for batch in waiting(store, "other")] == [2, 3]
    assert rows(store)["other", Signal.TRACES] == LedgerRow("other", Signal.TRACES, 4, 0, 0, 0, 4, 1_001, "")
    assert rows_add_up(store.accounts())


def test_a_destination_that_is_gone_holds_nothing_back(opened: Opened) -> None:
    store = opened(BOTH)
    store.add([draft(number) for number in range(3)], START, {})
    store.settle("one", [receipt(batch) for batch in waiting(store)])
    assert store.count == 3

    store = opened(ONE)

    assert store.count == 0
    assert {destination for destination, _ in rows(store)} == {"one"}


def test_a_destination_by_another_name_gets_what_the_old_one_has_not(opened: Opened) -> None:
    store = opened({"old": ALL})
    store.add([draft(number) for number in range(3)], START, {})
    store.settle("old", [receipt(waiting(store, "old")[0])])

    assert [batch.sequence for batch in waiting(opened({"new": ALL}), "new")] == [2, 3]


def test_receipts_are_remembered(opened: Opened) -> None:
    store = opened(BOTH)
    store.add([draft(1, items=3), draft(2, signal=Signal.LOGS), draft(3)], START, {})
    for signal in (Signal.TRACES, Signal.LOGS):
        store.settle("one", [receipt(batch, 1, "no") for batch in waiting(store, signal=signal)])

    found = opened(BOTH).receipts("one", 2, 10)

    assert [(each.sequence, each.signal, each.digest) for each in found] == [
        (2, Signal.LOGS, draft(2).digest),
        (3, Signal.TRACES, draft(3).digest),
    ]
    (first,) = store_receipts(opened, 0, 1)
    assert (first.delivered, first.rejected, first.message, first.received_ns) == (2, 1, "no", 5)


def store_receipts(opened: Opened, from_sequence: int, limit: int) -> Sequence[SettledBatch]:
    return opened(BOTH).receipts("one", from_sequence, limit)


def test_receipts_of_long_ago_are_forgotten(opened: Opened) -> None:
    store = BatchStore(opened.path, ONE, lambda: Beginning("box", 500, START))
    store.add([draft(1)], START, {})
    store.settle("one", [receipt(batch) for batch in waiting(store)])
    store.close()
    with sqlite3.connect(opened.path) as connection:
        connection.execute("UPDATE outbox SET next_sequence = ?", (REMEMBERED + 998,))
    connection.close()

    store = opened()
    store.add([draft(2)], START, {})
    assert [each.sequence for each in store.receipts("one", 0, 10)] == [500]
    store.add([draft(3), draft(4)], START, {})

    assert store.receipts("one", 0, 10) == []


def test_what_a_destination_says_is_kept_as_far_as_it_is_bearable(opened: Opened) -> None:
    store = opened()
    store.note_error("one", Signal.LOGS, "unreachable " * 1_000)
    store.note_error("nobody", Signal.LOGS, "x")

    assert rows(opened())["one", Signal.LOGS].last_error == ("unreachable " * 1_000)[:512]


def test_the_accounts_of_an_outbox_that_was_taken_over_are_kept_once(opened: Opened) -> None:
    account = [LedgerRow("one", Signal.TRACES, 10, 7, 2, 1, 0, None, "error")]
    store = opened()
    for outbox_id in ("a", "b", "a"):
        store.inherit(outbox_id, account)

    assert opened().inherited() == [LedgerRow("one", Signal.TRACES, 20, 14, 4, 2, 0, None, "")]


def test_the_accounts_of_very_many_outboxes_are_summed_up(opened: Opened) -> None:
    store = opened()
    for number in range(200):
        store.inherit(str(number), [LedgerRow("one", Signal.LOGS, 2, 1, 1, 0, 0, None, "")])

    assert store.inherited() == [LedgerRow("one", Signal.LOGS, 400, 200, 200, 0, 0, None, "")]


def test_a_batch_that_has_changed_on_disk_is_given_up_and_never_sent(opened: Opened) -> None:
    store = opened(BOTH)
    store.add([draft(number, items=4) for number in range(3)], START, {})
    opened.close()
    with sqlite3.connect(opened.path) as connection:
        connection.execute("UPDATE batches SET content = ? WHERE sequence = 2", (b"other",))
    connection.close()

    store = opened(BOTH)
    batches, losses = store.next_after("one", Signal.TRACES, 0, 10)

    assert [batch.sequence for batch in batches] == [1, 3]
    assert [(loss.signal, loss.items) for loss in losses] == [(Signal.TRACES, 4)]
    assert [batch.sequence for batch in waiting(store, "other")] == [1, 3]
    assert rows(store)["other", Signal.TRACES].shed == 4
    assert rows_add_up(store.accounts())


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE batches SET items = 'x'",
        "UPDATE batches SET signal = 'tracks'",
        "UPDATE batches SET digest = 1",
        "UPDATE batches SET content = 1",
        "UPDATE resources SET content = x'00'",
        "DELETE FROM resources",
        "DELETE FROM batches",
    ],
)
def test_a_row_that_is_none_of_ours_is_not_sent(opened: Opened, damage: str) -> None:
    opened().add([draft(1)], START, {})
    opened.close()
    with sqlite3.connect(opened.path) as connection:
        connection.execute(damage)
    connection.close()

    try:
        batches, _ = opened().next_after("one", Signal.TRACES, 0, 10)
    except StoreCorrupt:
        return
    assert batches == []


def test_a_file_that_is_damaged_anywhere_never_gives_out_what_was_not_put(opened: Opened) -> None:
    drafts = [draft(number, size_bytes=1_500, items=number + 1) for number in range(6)]
    opened().add(drafts, Position(1, 1), {})
    opened.close()
    content = opened.path.read_bytes()
    put = {each.content for each in drafts}
    delivered = 0

    for place in range(0, len(content), 131):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        opened.path.write_bytes(damaged)
        for suffix in ("-wal", "-shm"):
            opened.path.with_name(opened.path.name + suffix).unlink(missing_ok=True)
        try:
            batches = used(opened())
        except (StoreCorrupt, StoreTrouble, StoreForeign):
            continue
        finally:
            opened.close()
        assert {batch.content for batch in batches} <= put
        delivered += len(batches)

    assert delivered > 0


def used(store: BatchStore) -> Sequence[Batch]:
    """Do with a store whatever an outbox does."""
    batches, _ = store.next_after("one", Signal.TRACES, 0, 10)
    store.add([draft(0, signal=Signal.LOGS)], Position(2, 2), {})
    store.settle("one", [receipt(batch) for batch in batches[:2]])
    store.accounts()
    store.receipts("one", 0, 10)
    store.shed(1)
    store.oldest_ns()
    store.free_pages()
    store.give_back(1)
    return batches


@pytest.mark.parametrize("size", [0, 1, 99, 100, 4_095, 4_096, 8_192, 12_289])
def test_a_file_that_was_cut_off_never_gives_out_what_was_not_put(opened: Opened, size: int) -> None:
    opened().add([draft(number, size_bytes=1_500) for number in range(6)], Position(1, 1), {})
    opened.close()
    opened.path.write_bytes(opened.path.read_bytes()[:size])

    try:
        batches = used(opened())
    except (StoreCorrupt, StoreTrouble):
        return
    assert {batch.content for batch in batches} <= {draft(number, size_bytes=1_500).content for number in range(6)}


def test_a_database_of_another_release_is_not_touched(opened: Opened) -> None:
    opened().add([draft(1)], START, {})
    opened.close()
    set_version(opened.path, 99)

    with pytest.raises(StoreForeign):
        opened({"another": ALL})

    set_version(opened.path, 1)
    assert [batch.sequence for batch in waiting(opened())] == [1]


def set_version(path: Path, version: int) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


def test_where_the_disk_fails_all_is_as_before(opened: Opened) -> None:
    store = opened()
    store.add([draft(1, items=5)], Position(1, 1), {})
    before = (store.count, store.size_bytes, store.next_sequence, store.sealed, store.accounts())

    with file_size_limit(64 << 10), pytest.raises(StoreTrouble):
        store.add([draft(2), draft(3, size_bytes=1 << 20)], Position(2, 2), {Signal.TRACES: 1})

    assert (store.count, store.size_bytes, store.next_sequence, store.sealed, store.accounts()) == before
    store.add([draft(2)], Position(2, 2), {})
    assert [batch.sequence for batch in waiting(opened())] == [1, 2]


def test_room_is_given_back_to_the_disk(opened: Opened) -> None:
    store = opened()
    store.add([draft(number, size_bytes=1 << 20) for number in range(8)], START, {})
    store.shed(1 << 30)
    free = store.free_pages()
    before = opened.path.stat().st_size

    store.give_back(free)

    assert free > 1_500
    assert store.free_pages() < free // 4
    assert opened.path.stat().st_size < before // 4


def test_only_the_owner_can_read_it(opened: Opened) -> None:
    opened().add([draft(1)], START, {})

    assert {path.stat().st_mode & 0o777 for path in opened.path.parent.iterdir()} == {0o600}


def test_nobody_else_can_open_it(opened: Opened) -> None:
    opened()

    with pytest.raises(StoreTrouble):
        BatchStore(opened.path, ONE, lambda: Beginning("box", 1, START))


def test_damaged_files_are_kept_but_not_all_of_them(tmp_path: Path) -> None:
    path = tmp_path / "batches.db"
    for number in range(4):
        path.write_bytes(bytes(number))
        path.with_name("batches.db-wal").write_bytes(b"log")
        assert move_aside(path) == number + 3
    assert move_aside(path) == 0

    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "batches.db.corrupt-3",
        "batches.db.corrupt-3-wal",
        "batches.db.corrupt-4",
        "batches.db.corrupt-4-wal",
    ]


events = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(st.tuples(st.sampled_from(Signal), st.integers(1, 9)), max_size=4)),
        st.tuples(st.just("settle"), st.sampled_from(["one", "other"]), st.integers(0, 3)),
        st.tuples(st.just("shed"), st.integers(0, 2_000)),
        st.tuples(st.just("open"), st.sampled_from([ONE, BOTH])),
    ),
    max_size=25,
)


@given(events)
def test_whatever_happens_the_accounts_add_up(
    tmp_path_factory: pytest.TempPathFactory, happened: Sequence[tuple[object, ...]]
) -> None:
    opened = Opened(tmp_path_factory.mktemp("store") / "batches.db")
    store, destinations = opened(BOTH), BOTH
    numbers = count()
    for event in happened:
        match event:
            case "add", list(parts):
                store.add([draft(next(numbers), signal=signal, items=items) for signal, items in parts], START, {})
            case "settle", str(destination), int(rejected):
                for signal in Signal:
                    batches, _ = store.next_after(destination, signal, 0, 2)
                    store.settle(destination, [receipt(batch, min(rejected, batch.items)) for batch in batches])
            case "shed", int(size):
                store.shed(size)
            case "open", dict(destinations):
                store = opened(destinations)

        found = rows(store)
        assert rows_add_up(store.accounts())
        for (destination, signal), row in found.items():
            assert row.waiting == sum(batch.items for batch in waiting(store, destination, signal))
        assert found.keys() == {(name, signal) for name, signals in destinations.items() for signal in signals}
        kept = {batch.sequence: batch for name, signal in found for batch in waiting(store, name, signal)}
        assert store.count == len(kept)
        assert store.size_bytes == sum(len(batch.content) + 512 for batch in kept.values())
    opened.close()
