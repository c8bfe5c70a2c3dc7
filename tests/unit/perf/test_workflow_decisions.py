"""The measurement of decisions: that it measures runs that are what they say."""

from ignis_server.workflow.run import Held
from ignis_server.workflow.words import RunState
from perf.workflow.decisions import chain, decisions, measure


def test_a_run_is_driven_to_its_end_step_by_step() -> None:
    timed: dict[str, list[float]] = {}

    *_, last = decisions(chain(3), timed)

    assert last.run.state is RunState.COMPLETED
    assert {name: len(values) for name, values in timed.items()} == {
        "start": 1,
        "claim": 3,
        "heartbeat": 3,
        "complete": 3,
        "next deadline": 1,
    }


def test_a_run_that_waits_for_a_person_does() -> None:
    *_, last = decisions(chain(3, is_held=True), {})

    assert isinstance(last.run.steps["step-0"].standing, Held)


def test_every_figure_is_one() -> None:
    figures = measure(2, 1)

    assert figures["events"] == 11
    assert all(value > 0 for value in figures.values())
