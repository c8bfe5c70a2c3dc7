"""Runs as a client has them, made for tests of what is shown."""

from datetime import UTC, datetime, timedelta

from ignis_client import (
    InputKind,
    InputRequest,
    Progress,
    Run,
    RunChange,
    RunEvent,
    RunState,
    Step,
    StepState,
    TokenUsage,
)

__all__ = ["BEGAN", "a_request", "a_run", "a_step", "an_event"]

BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def a_step(
    step_id: str, state: StepState = StepState.PENDING, *, agent: str = "", attempt: int = 0, tokens: int = 0
) -> Step:
    """Return a step; one that was tried began with its run, and took a second if it has ended."""
    return Step(
        id=step_id,
        state=state,
        agent_id=agent,
        attempt=attempt,
        worker_id="",
        lease_expire_time=None,
        output=None,
        artifacts=(),
        failure=None,
        usage=TokenUsage(input_tokens=tokens),
        start_time=BEGAN if attempt else None,
        end_time=BEGAN + timedelta(seconds=1) if attempt and state.is_terminal else None,
        output_digest="",
        output_size_bytes=0,
    )


def a_request(
    step_id: str, kind: InputKind = InputKind.APPROVAL, prompt: str = "Good?", choices: tuple[str, ...] = ()
) -> InputRequest:
    """Return something that a step asks."""
    return InputRequest(f"{step_id}.1", step_id, kind, prompt, BEGAN, None, choices)


def a_run(*steps: Step, state: RunState = RunState.WORKING, requests: tuple[InputRequest, ...] = ()) -> Run:
    """Return a run of steps."""
    return Run(
        id="run-1",
        definition_id="shop/feature",
        definition_digest="sha256:0",
        state=state,
        steps=steps,
        input_requests=requests,
        failure=None,
        create_time=BEGAN,
        update_time=BEGAN,
        end_time=None,
        version=1,
        labels={},
        progress=Progress(sum(step.state.is_terminal for step in steps), len(steps)),
        usage=TokenUsage(),
    )


def an_event(change: RunChange | None, version: int = 2) -> RunEvent:
    """Return an event two seconds after the run began."""
    return RunEvent(version, BEGAN + timedelta(seconds=2), change)
