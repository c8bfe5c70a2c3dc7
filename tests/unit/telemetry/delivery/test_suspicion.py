"""Blame falls on a request only while others pass."""

from ignis_server.telemetry.delivery.suspicion import Suspicion


def test_where_nobody_is_answered_it_is_the_destination() -> None:
    suspicion = Suspicion(answers=5)

    assert [suspicion.failed(5) for _ in range(4)] == [False] * 4
    assert not suspicion.falls_on_request
    assert suspicion.alone == 0


def test_where_others_are_answered_it_is_the_request() -> None:
    suspicion = Suspicion(answers=5)

    assert [suspicion.failed(answers) for answers in (5, 7, 7, 8)] == [False, True, False, True]
    assert suspicion.falls_on_request
    assert suspicion.alone == 2


def test_a_suspicion_ends_when_nobody_was_answered_for_three_tries() -> None:
    suspicion = Suspicion(answers=0)
    suspicion.failed(1)

    states = []
    for _ in range(3):
        suspicion.failed(1)
        states.append(suspicion.falls_on_request)

    assert states == [True, True, False]
