"""A run as it is drawn."""

from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console

from ignis_client import InputKind, RunState, StepFailure, StepState
from ignis_server.cli.run_picture import Picture
from ignis_server.cli.run_view import RunView, asked, elapsed, one_line, runs_table
from support.pictures import BEGAN, a_request, a_run, a_step

NOW = BEGAN + timedelta(seconds=75)


def drawn(picture: Picture, view: RunView | None = None) -> list[str]:
    console = Console(width=160, color_system=None)
    with console.capture() as capture:
        console.print((view or RunView()).render(picture, NOW))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_the_header_says_how_far_the_run_is() -> None:
    run = a_run(a_step("plan", StepState.COMPLETED, attempt=1), a_step("build"))

    assert drawn(Picture(run))[0] == "shop/feature  run-1  ● working  1:15  0 tokens  1/2 steps"


def test_each_step_has_a_line_indented_by_its_depth() -> None:
    run = a_run(
        a_step("plan", StepState.COMPLETED, agent="team/pm", attempt=2, tokens=1_234),
        a_step("build[0]", StepState.WORKING, agent="team/dev", attempt=1),
    )

    lines = drawn(Picture(run, {"build[0]": "half done"}), RunView({"plan": 0, "build": 1}))

    assert lines[2].split() == ["plan", "✓", "completed", "team/pm", "2", "1,234", "1.0", "s"]
    assert lines[3].startswith("  build[0]  ● working")
    assert lines[3].split()[-3:] == ["half", "done", "1:15"]


def test_a_narrow_view_has_agents_without_folders() -> None:
    run = a_run(a_step("plan", StepState.WORKING, agent="a/b/pm", attempt=1))

    assert drawn(Picture(run), RunView(is_narrow=True))[2].split()[3] == "pm"


def test_a_step_tells_what_it_asks_and_why_it_failed() -> None:
    failed = replace(
        a_step("build", StepState.FAILED, attempt=1), failure=StepFailure("busy", "HTTP 429", retryable=True)
    )
    run = a_run(a_step("plan", StepState.INPUT_REQUIRED, attempt=1), failed, requests=(a_request("plan"),))

    _, _, plan, build = drawn(Picture(run))

    assert "asks for approval: Good?" in plan
    assert "busy: HTTP 429" in build


def test_a_failed_run_names_its_failure() -> None:
    run = replace(
        a_run(state=RunState.FAILED), failure=StepFailure("timeout", "too long", retryable=False, step_id="build")
    )

    assert drawn(Picture(run))[-1] == "✗ timeout of step build: too long"


@pytest.mark.parametrize(
    ("ended", "shown", "before", "after"),
    [(0, ["s0", "s1", "s2"], 0, 17), (10, ["s9", "s10", "s11"], 9, 8), (20, ["s17", "s18", "s19"], 17, 0)],
)
def test_where_lines_are_short_the_steps_under_way_are_shown(
    ended: int, shown: list[str], before: int, after: int
) -> None:
    steps = (a_step(f"s{n}", StepState.COMPLETED if n < ended else StepState.PENDING) for n in range(20))

    lines = drawn(Picture(a_run(*steps)), RunView(max_lines=8))

    assert [line.split()[0] for line in lines if line.startswith("s") and "step" not in line] == shown
    assert (f"… {before} steps before" in lines) is bool(before)
    assert (f"… {after} steps after" in lines) is bool(after)
    assert len(lines) <= 8


def test_what_others_wrote_does_not_rule_the_terminal() -> None:
    """A worker's words may come from a model, and a terminal obeys escape sequences."""
    picture = Picture(a_run(a_step("plan", StepState.WORKING, attempt=1)), {"plan": "\x1b[2Jhi\n[red]you"})

    assert "\N{REPLACEMENT CHARACTER}[2Jhi [red]you" in drawn(picture)[2]


def test_choices_stand_behind_a_question() -> None:
    request = a_request("ask", InputKind.QUESTION, "Which?", ("red", "blue"))

    assert asked(request) == "asks: Which? (red, blue)"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3, "0.0 s"), (0.25, "0.2 s"), (9.96, "10.0 s"), (59.9, "59 s"), (61, "1:01"), (3_723, "1:02:03")],
)
def test_times_are_as_exact_as_one_can_read(seconds: float, words: str) -> None:
    assert elapsed(timedelta(seconds=seconds)) == words


def test_lines_are_lines() -> None:
    assert one_line("a\r\n b\t c ") == "a b c"


def test_runs_are_listed_with_state_and_labels() -> None:
    run = replace(a_run(a_step("a"), state=RunState.COMPLETED), labels={"team": "shop"}, end_time=NOW)
    console = Console(width=160, color_system=None)
    with console.capture() as capture:
        console.print(runs_table([run], NOW))

    assert capture.get().splitlines()[1].split() == [
        "run-1",
        "shop/feature",
        "✓",
        "completed",
        "0/1",
        "0",
        "1:15",
        "2026-01-02",
        "03:04:05",
        "team=shop",
    ]
