"""Steps that come up: skipped, repeated, asked of a person, passed at once, or ready for a worker."""

from datetime import datetime, timedelta

from ignis_server.workflow.events import InputRequested, StepCompleted, StepExpanded, StepHeld, StepReady, StepSkipped
from ignis_server.workflow.expression import EvaluationFault, Expression, evaluate
from ignis_server.workflow.limits import MAX_FOR_EACH_WIDTH, MAX_RUN_STEPS
from ignis_server.workflow.model import Question, StepKind
from ignis_server.workflow.plan import PlannedStep
from ignis_server.workflow.run import Step
from ignis_server.workflow.state_machine.failing import BadEnd, fail
from ignis_server.workflow.state_machine.step_inputs import check_bound_inputs
from ignis_server.workflow.state_machine.transition import Transition
from ignis_server.workflow.values import EMPTY, Value, with_article
from ignis_server.workflow.words import Failure, InputKind, SkipReason

__all__ = ["open_step"]


def open_step(transition: Transition, planned: PlannedStep) -> None:
    """Decide what becomes of a step all of whose needs have ended."""
    step = transition.step(planned.definition.id)
    try:
        when = planned.when
        if when and not when.is_of_item and not _holds(when, transition):
            transition.emit(StepSkipped(step.id, SkipReason.CONDITION))
        elif planned.for_each:
            _expand(transition, planned, step, _items(planned.for_each, transition))
        else:
            _begin(transition, planned, step)
    except EvaluationFault as fault:
        fail(transition, step, BadEnd(Failure("expression", str(fault))))


def _expand(transition: Transition, planned: PlannedStep, step: Step, items: list[Value]) -> None:
    if not items:
        transition.emit(StepSkipped(step.id, SkipReason.EMPTY_LIST))
        return
    transition.emit(StepExpanded(step.id, len(items)))
    scope = transition.scope
    for index, item in enumerate(items):
        scope.item, scope.index = item, index
        instance = transition.step(f"{step.id}[{index}]")
        try:
            if planned.when and planned.when.is_of_item and not _holds(planned.when, transition):
                transition.emit(StepSkipped(instance.id, SkipReason.CONDITION))
            else:
                _begin(transition, planned, instance)
        except EvaluationFault as fault:
            fail(transition, instance, BadEnd(Failure("expression", str(fault))))
    scope.item = scope.index = None


def _begin(transition: Transition, planned: PlannedStep, step: Step) -> None:
    match planned.definition.kind:
        case StepKind.MILESTONE:
            transition.emit(StepCompleted(step.id, EMPTY))
        case StepKind.QUESTION:
            _ask(transition, planned.definition.question or Question(""), step)
        case StepKind.WORK:
            if planned.inputs:
                # What its worker will be given must be there: it is known now, and does not change any more.
                check_bound_inputs(planned, transition.scope)
            transition.emit(StepReady(step.id))


def _ask(transition: Transition, question: Question, step: Step) -> None:
    transition.emit(StepHeld(step.id))
    transition.emit(
        InputRequested(
            f"{step.id}.question",
            step.id,
            InputKind.QUESTION,
            question.prompt,
            question.choices,
            _expire_time(transition.now, question.timeout),
        )
    )


def _expire_time(now: datetime, timeout: timedelta | None) -> datetime | None:
    return None if timeout is None else now + timeout


def _holds(expression: Expression, transition: Transition) -> bool:
    value = evaluate(expression, transition.scope)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise EvaluationFault(f"`when` gives {with_article(value)}, and a condition is true or false: {expression.source}")


def _items(expression: Expression, transition: Transition) -> list[Value]:
    value = evaluate(expression, transition.scope)
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise EvaluationFault(f"`for_each` gives {with_article(value)}, and a list is needed: {expression.source}")
    if len(value) > MAX_FOR_EACH_WIDTH:
        raise EvaluationFault(
            f"`for_each` gives {len(value)} items, more than the {MAX_FOR_EACH_WIDTH} allowed: {expression.source}"
        )
    if len(value) + len(transition.draft.steps) > MAX_RUN_STEPS:
        raise EvaluationFault(
            f"`for_each` gives {len(value)} items, with which the run would have more than {MAX_RUN_STEPS} steps"
        )
    return list(value)
