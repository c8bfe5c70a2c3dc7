"""What was captured becomes batches by signal, none of them too large."""

from collections.abc import Iterable, Sequence
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from ignis_server.telemetry.model import Signal
from ignis_server.telemetry.outbox.batching import Draft, Gathered
from ignis_server.telemetry.outbox.frames import KIND_OF, SIGNAL_OF, Frame
from ignis_server.telemetry.outbox.origin import Origin

WHO = Origin(b"resource", b"scope")


def frame(signal: Signal, items: int, captured_ns: int, data: bytes) -> Frame:
    return Frame(KIND_OF[signal], items, captured_ns, memoryview(data))


def drafts_of(frames: Iterable[Frame]) -> Sequence[Draft]:
    gathered = Gathered()
    for each in frames:
        gathered.add(*each)
    return gathered.drafts(WHO)


frames_strategy = st.lists(
    st.builds(
        Frame,
        st.sampled_from([*SIGNAL_OF]),
        st.integers(0, 1_500),
        st.integers(0, 10),
        st.binary(max_size=50).map(memoryview),
    ),
    max_size=30,
)


@given(frames_strategy)
def test_all_items_of_a_signal_are_in_its_batches_in_order(frames: list[Frame]) -> None:
    drafts = drafts_of(frames)

    for kind, signal in SIGNAL_OF.items():
        of_signal = [draft for draft in drafts if draft.signal is signal]
        assert b"".join(draft.content.removeprefix(b"scope") for draft in of_signal) == b"".join(
            each.data for each in frames if each.kind == kind
        )
        assert sum(draft.items for draft in of_signal) == sum(each.items for each in frames if each.kind == kind)
    assert all(draft.items <= 2_000 for draft in drafts)
    assert all(draft.digest == sha256(draft.content).digest() for draft in drafts)
    assert {draft.resource for draft in drafts} <= {b"resource"}


def test_a_batch_bears_the_time_of_its_first_item_whatever_the_clock_did_then() -> None:
    (draft,) = drafts_of([frame(Signal.LOGS, 1, 100, b"a"), frame(Signal.LOGS, 1, 50, b"b")])

    assert draft.captured_ns == 100


def test_batches_are_parted_by_items_and_by_bytes() -> None:
    by_items = drafts_of([frame(Signal.TRACES, 1_500, 1, b"a"), frame(Signal.TRACES, 1_500, 2, b"b")])
    by_bytes = drafts_of([frame(Signal.TRACES, 1, number, bytes(600_000)) for number in range(3)])

    assert [draft.items for draft in by_items] == [1_500, 1_500]
    assert [draft.captured_ns for draft in by_bytes] == [0, 1, 2]


def test_it_says_when_there_is_enough_for_a_batch() -> None:
    by_items, by_bytes = Gathered(), Gathered()

    assert [by_items.add(3, 1_000, number, b"x") for number in range(3)] == [False, True, False]
    assert [by_bytes.add(kind, 1, 1, bytes(600_000)) for kind in (3, 4)] == [False, True]
    assert (by_items.items, by_items.oldest_ns, by_bytes.size_bytes) == ({3: 3_000}, 0, 1_200_000)


def test_what_was_captured_at_once_stays_together() -> None:
    (draft,) = drafts_of([frame(Signal.METRICS, 9_000, 1, bytes(3 << 20))])

    assert draft.items == 9_000
