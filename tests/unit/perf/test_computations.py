"""Computations as Redis tells of them."""

from perf.cache.computations import Computations


def seen(*commands: tuple[float, str]) -> Computations:
    computations = Computations()
    for time, command in commands:
        computations.see(command, time)
    return computations


def computed(time: float, name: str, milliseconds: int = 10_000) -> tuple[tuple[float, str], ...]:
    return (
        (time, f"SET {name}:claim 0a1b PX 5000 NX"),
        (time, f"GET {name}"),
        (time + 0.01, f"SET {name} IGN1 \\x00 PX 7 value PX {milliseconds}"),
        (time + 0.01, f"DEL {name}:claim"),
    )


def test_each_key_that_is_computed_once_counts_once() -> None:
    found = seen(*computed(1, "a"), *computed(2, "b"))

    assert (dict(found.counts), found.needless, found.given_up) == ({"a": 1, "b": 1}, 0, 0)


def test_what_is_computed_while_it_is_held_was_needless_and_what_has_expired_was_not() -> None:
    found = seen(*computed(1, "a"), *computed(5, "a"), *computed(16, "a"))

    assert (dict(found.counts), found.needless) == ({"a": 3}, 1)


def test_what_is_put_anew_before_it_expires_is_no_computation() -> None:
    found = seen(*computed(1, "a"), (10, "SET a value PX 10000"), *computed(12, "b"), (21, "SET a value PX 10000"))

    assert (dict(found.counts), found.needless) == ({"a": 1, "b": 1}, 0)


def test_a_claim_that_ends_without_a_value_was_given_up() -> None:
    found = seen((1, "SET a:claim 0a1b PX 5000 NX"), (2, "DEL a:claim"))

    assert (dict(found.counts), found.given_up) == ({}, 1)
