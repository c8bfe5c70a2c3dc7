"""A run as a watch has told it so far: its snapshot, and what every event since has made of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from typing import assert_never

from ignis_client import (
    InputAnswer,
    InputRequest,
    Progress,
    Run,
    RunEvent,
    RunStateChanged,
    Step,
    StepDefinition,
    StepExpanded,
    StepProgress,
    StepState,
    TokenUsage,
)

__all__ = ["Picture", "definition_id_of", "depths_of"]


@dataclass(frozen=True, slots=True)
class Picture:
    """What is known of a run.

    Attributes:
        run: The run, as it stands after the last event.
        told: The last words of the workers that have a step in hand, by the step's id.
    """

    run: Run
    told: Mapping[str, str] = field(default_factory=dict)

    def after(self, said: Run | RunEvent) -> "Picture":
        """Return the picture after what a watch said next."""
        if isinstance(said, Run):
            working = {step.id for step in said.steps if step.state is StepState.WORKING}
            return Picture(said, {step_id: words for step_id, words in self.told.items() if step_id in working})
        run, told = replace(self.run, version=said.version, update_time=said.time), self.told
        match said.change:
            case RunStateChanged(after=state):
                run = replace(run, state=state, end_time=said.time if state.is_terminal else None)
            case Step() as step:
                run = _with_steps(run, (step if each.id == step.id else each for each in run.steps))
                run = _asking(run, (each for each in run.input_requests if each.step_id != step.id))
                told = {step_id: words for step_id, words in told.items() if step_id != step.id}
            case StepExpanded(step_id=step_id, count=count):
                run = _with_steps(run, _expanded(run.steps, step_id, count))
            case InputRequest() as request:
                run = _asking(run, (*(each for each in run.input_requests if each.id != request.id), request))
            case InputAnswer(input_id=input_id):
                run = _asking(run, (each for each in run.input_requests if each.id != input_id))
            case StepProgress(step_id=step_id, message=message):
                told = {**told, step_id: message}
            case None:
                pass
            case unknown:
                assert_never(unknown)
        return Picture(run, told)


def definition_id_of(step_id: str) -> str:
    """Return the id that a step has in its workflow, which instances of a repeated step share."""
    return step_id.partition("[")[0]


def depths_of(steps: Iterable[StepDefinition]) -> dict[str, int]:
    """Return for each step how many steps must end one after another before it can begin."""
    needs = {step.id: step.needs for step in steps}
    depths: dict[str, int] = {}
    for step_id in TopologicalSorter(needs).static_order():
        depths[step_id] = max((depths[each] + 1 for each in needs.get(step_id, ())), default=0)
    return depths


def _with_steps(run: Run, steps: Iterable[Step]) -> Run:
    there = tuple(steps)
    usages = [step.usage for step in there]
    return replace(
        run,
        steps=there,
        progress=Progress(sum(step.state.is_terminal for step in there), len(there)),
        usage=TokenUsage(
            sum(usage.input_tokens for usage in usages),
            sum(usage.output_tokens for usage in usages),
            sum(usage.cache_read_tokens for usage in usages),
            sum(usage.cache_write_tokens for usage in usages),
        ),
    )


def _asking(run: Run, requests: Iterable[InputRequest]) -> Run:
    return replace(run, input_requests=tuple(requests))


def _expanded(steps: Iterable[Step], step_id: str, count: int) -> Iterable[Step]:
    for step in steps:
        if step.id == step_id:
            yield from (replace(step, id=f"{step_id}[{n}]", state=StepState.PENDING) for n in range(count))
        else:
            yield step
