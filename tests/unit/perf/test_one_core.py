"""One core: whatever starts within the block is kept to it, and nothing after."""

import os
import threading

import pytest

from perf.selection.one_core import one_core


def cores_of_a_new_thread() -> set[int]:
    seen: list[set[int]] = []
    thread = threading.Thread(target=lambda: seen.append(os.sched_getaffinity(0)))
    thread.start()
    thread.join()
    return seen[0]


def test_threads_started_within_are_kept_to_one_core_and_later_ones_are_not() -> None:
    before = os.sched_getaffinity(0)

    with one_core():
        within = cores_of_a_new_thread()

    assert len(within) == 1
    assert within <= before
    assert cores_of_a_new_thread() == before


def test_cores_are_given_back_where_a_measurement_fails() -> None:
    before = os.sched_getaffinity(0)

    with pytest.raises(RuntimeError), one_core():
        raise RuntimeError

    assert os.sched_getaffinity(0) == before
