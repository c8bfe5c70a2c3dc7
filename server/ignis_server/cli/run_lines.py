"""What happens in a run, as one line for each event: for logs, pipes and terminals that are none."""

from typing import assert_never

from ignis_client import (
    Answer,
    Approval,
    InputAnswer,
    InputRequest,
    Rejection,
    Run,
    RunEvent,
    RunStateChanged,
    Step,
    StepExpanded,
    StepProgress,
)
from ignis_server.cli.run_view import asked, elapsed, one_line, tokens_of

__all__ = ["decision_words", "event_line", "run_line"]


def run_line(run: Run) -> str:
    """Return where a run stands."""
    progress = run.progress
    parts = [f"{progress.ended_steps:,} of {progress.known_steps:,} steps ended", f"{tokens_of(run.usage):,} tokens"]
    if run.end_time is not None:
        parts.append(elapsed(run.end_time - run.create_time))
    if run.failure is not None:
        of = f"step {run.failure.step_id}: " if run.failure.step_id else ""
        parts.append(f"{of}{run.failure.code}: {run.failure.message}")
    return one_line(f"run {run.id} of {run.definition_id} is {run.state.value}: {', '.join(parts)}")


def event_line(event: RunEvent) -> str:
    """Return what happened, and when by the server's clock in UTC."""
    return one_line(f"{event.time:%H:%M:%S} {_happened(event)}")


def decision_words(answer: InputAnswer) -> str:
    """Return what a person decided."""
    by_default = " by default, as nobody did in time" if answer.is_default else ""
    match answer.decision:
        case Approval(comment=comment):
            return f"approved{by_default}{_because(comment)}"
        case Rejection(comment=comment, fail_run=fails):
            return f"rejected{', and the run fails' if fails else ''}{_because(comment)}"
        case Answer(value=value):
            return f"answered{by_default}: {value}"
        case None:
            return "decided in a way that this program is too old to know"
        case unknown:
            assert_never(unknown)


def _happened(event: RunEvent) -> str:
    match event.change:
        case RunStateChanged(before=before, after=after):
            return f"run: {before.value} -> {after.value}"
        case InputAnswer() as answer:
            return f"input {answer.input_id}: {decision_words(answer)}"
        case None:
            return "something happened that this program is too old to know"
        case of_step:
            return f"step {_happened_to_step(of_step)}"


def _happened_to_step(change: Step | InputRequest | StepProgress | StepExpanded) -> str:
    match change:
        case Step() as step:
            return f"{step.id}: {', '.join(_facts(step))}"
        case InputRequest() as request:
            return f"{request.step_id} {asked(request)} [input {request.id}]"
        case StepProgress(step_id=step_id, message=message):
            return f"{step_id}: {message}"
        case StepExpanded(step_id=step_id, count=count):
            return f"{step_id}: repeated {count:,} times"
        case unknown:
            assert_never(unknown)


def _facts(step: Step) -> list[str]:
    facts = [step.state.value]
    if step.attempt:
        facts.append(f"attempt {step.attempt}")
    if step.agent_id:
        facts.append(step.agent_id)
    if tokens_of(step.usage):
        facts.append(f"{tokens_of(step.usage):,} tokens")
    if step.failure is not None and not step.output_digest:
        facts.append(f"{step.failure.code}: {step.failure.message}")
    return facts


def _because(comment: str) -> str:
    return f": {comment}" if comment else ""
