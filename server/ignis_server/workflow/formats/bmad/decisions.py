"""Decisions in BMAD workflows: what a person would decide is an input with a default, and on request a question.

For a condition `c` the run has the input `c`, one of "no" (the default), "yes" and "ask". With "ask", the step
`decide-c` asks a person when the run gets there. For a step with routes the choices are the names of the routes.
"""

from dataclasses import dataclass

from ignis_server.workflow.formats.bmad.words import identifier, unique
from ignis_server.workflow.formats.reading import Reading
from ignis_server.workflow.model import InputDefinition, InputType, Question, StepDefinition, StepKind
from ignis_server.workflow.values import encode

__all__ = ["Decision", "Decisions"]

ASK = "ask"
YES, NO = "yes", "no"

# A run that gets there has done what the condition asks for.
USUALLY_YES = frozenset({"epic_complete"})


@dataclass(frozen=True, slots=True)
class Decision:
    """One thing to decide: its name in the file, the input and the step that decide it, and the answers."""

    name: str
    key: str
    step_id: str
    answers: tuple[str, ...]

    def is_(self, answer: str) -> str:
        """Return the expression that holds where a run's input or a person gave an answer."""
        return f'(inputs.{self.key} == "{answer}" or steps.{self.step_id}.output.answer == "{answer}")'

    def question(self, prompt: str, needs: tuple[str, ...], guard: str) -> StepDefinition:
        """Return the step that asks a person where a run wants that."""
        is_asked = f'inputs.{self.key} == "{ASK}"'
        return StepDefinition(
            id=self.step_id,
            kind=StepKind.QUESTION,
            needs=needs,
            when=f"{guard} and {is_asked}" if guard else is_asked,
            question=Question(prompt, self.answers),
        )


class Decisions:
    """What is to be decided in one sequence."""

    def __init__(self, reading: Reading) -> None:
        self.inputs: dict[str, InputDefinition] = {}
        self._reading = reading
        self._decisions: dict[str, Decision] = {}
        self._routes: dict[str, Decision] = {}

    def condition(self, name: str, line: int) -> tuple[str, Decision | None]:
        """Return the expression of a condition, empty where it always holds, and the decision where it is a new one."""
        route = name.removesuffix("_path")
        if route in self._routes:
            return self._routes[route].is_(route), None
        if name.startswith("after_"):
            fact = f"the condition {name} says what the order says already, and is taken to hold"
            self._reading.note(line, "condition-of-order", fact, "nothing to do")
            return "", None
        if name in self._decisions:
            return self._decisions[name].is_(YES), None
        decision = self._new(name, (YES, NO), YES if name in USUALLY_YES else NO, line)
        return decision.is_(YES), decision

    def routes(self, name: str, routes: tuple[str, ...], default: str, line: int) -> Decision:
        """Return the decision between routes, each of which is an answer."""
        decision = self._new(name, routes, default, line)
        self._routes = dict.fromkeys(routes, decision)
        return decision

    def _new(self, name: str, answers: tuple[str, ...], default: str, line: int) -> Decision:
        key = unique(identifier(name), self.inputs)
        decision = Decision(name, key, identifier(f"decide-{key}"), answers)
        self._decisions[name] = decision
        self.inputs[key] = InputDefinition(
            key,
            InputType.TEXT,
            f'"{name}" is for a person to decide: {", ".join(answers)}, or {ASK} to have one asked on the way',
            is_required=False,
            default=encode(default),
            choices=(*answers, ASK),
        )
        fact = f'"{name}" is for a person to decide; a run takes it for "{default}"'
        remedy = f"start the run with the input {key} as {', '.join(answers)}, or {ASK} to have a person asked"
        self._reading.note(line, "decision-mapped", fact, remedy)
        return decision
