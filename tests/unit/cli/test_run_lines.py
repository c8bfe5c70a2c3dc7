"""Events as lines."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ignis_client import (
    Answer,
    Approval,
    InputAnswer,
    InputKind,
    Rejection,
    RunChange,
    RunState,
    RunStateChanged,
    StepExpanded,
    StepFailure,
    StepProgress,
    StepState,
)
from ignis_server.cli.run_lines import event_line, run_line
from support.pictures import BEGAN, a_request, a_run, a_step, an_event

FAILED = replace(
    a_step("build", StepState.BACKING_OFF, attempt=1), failure=StepFailure("busy", "HTTP 429", retryable=True)
)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (RunStateChanged(RunState.SUBMITTED, RunState.WORKING), "run: submitted -> working"),
        (a_step("plan", StepState.WORKING, agent="pm", attempt=2), "step plan: working, attempt 2, pm"),
        (a_step("plan", StepState.COMPLETED, attempt=1, tokens=5), "step plan: completed, attempt 1, 5 tokens"),
        (FAILED, "step build: backing-off, attempt 1, busy: HTTP 429"),
        (a_request("plan"), "step plan asks for approval: Good? [input plan.1]"),
        (a_request("a", InputKind.QUESTION, "Which?", ("x", "y")), "step a asks: Which? (x, y) [input a.1]"),
        (InputAnswer("plan.1", Approval("fine")), "input plan.1: approved: fine"),
        (InputAnswer("plan.1", Rejection("bad", fail_run=True)), "input plan.1: rejected, and the run fails: bad"),
        (InputAnswer("a.1", Answer("x"), is_default=True), "input a.1: answered by default, as nobody did in time: x"),
        (StepProgress("plan", 1, "half\ndone"), "step plan: half done"),
        (StepExpanded("build", 3), "step build: repeated 3 times"),
        (None, "something happened that this program is too old to know"),
    ],
)
def test_each_event_is_one_line_with_its_time(change: RunChange | None, line: str) -> None:
    assert event_line(an_event(change)) == f"03:04:07 {line}"


def test_a_run_is_summed_up_with_its_failure() -> None:
    run = replace(
        a_run(a_step("a", StepState.FAILED), state=RunState.FAILED),
        failure=StepFailure("timeout", "too long", retryable=False, step_id="a"),
        end_time=BEGAN + timedelta(seconds=3),
    )

    assert run_line(run) == (
        "run run-1 of shop/feature is failed: 1 of 1 steps ended, 0 tokens, 3.0 s, step a: timeout: too long"
    )
