"""From a sequence of BMAD entries to steps that need each other in that order."""

from collections.abc import Iterable
from dataclasses import replace

from ignis_server.workflow.formats.bmad.decisions import Decision, Decisions
from ignis_server.workflow.formats.bmad.step import BmadStep
from ignis_server.workflow.formats.bmad.words import identifier, rendered, unique
from ignis_server.workflow.formats.reading import Lines, Reading
from ignis_server.workflow.formats.yaml_tree import MappingNode, Node
from ignis_server.workflow.limits import MAX_PROMPT_CHARACTERS
from ignis_server.workflow.model import InputDefinition, InputType, StepDefinition, StepKind
from ignis_server.workflow.values import encode

__all__ = ["SequenceReader"]


class SequenceReader:
    """Takes entries one by one, and keeps what the steps after them depend on."""

    def __init__(self, reading: Reading) -> None:
        self.lines = Lines()
        self.steps: list[StepDefinition] = []
        self._reading = reading
        self._decisions = Decisions(reading)
        self._repeated: dict[str, InputDefinition] = {}
        self._makers: dict[str, list[str]] = {}
        # What the next step follows, the condition that holds from here on, and the list that is repeated over.
        self._last: tuple[str, ...] = ()
        self._guard = ""
        self._for_each = ""

    @property
    def inputs(self) -> tuple[InputDefinition, ...]:
        """What a run may be given."""
        return (*self._decisions.inputs.values(), *self._repeated.values())

    def add(self, node: Node) -> None:
        """Take the next entry."""
        if not isinstance(node, MappingNode):
            fact = f"an entry of the sequence is the text {rendered(node)[:40]!r}; it is kept as a milestone"
            self._reading.warning(node.line, "not-a-step", fact, "write a mapping with an agent and what it is to do")
            self._put(
                StepDefinition(id=identifier(rendered(node)), kind=StepKind.MILESTONE, instruction=rendered(node)),
                node.line,
            )
            return
        step = BmadStep(node)
        self._remark_on(step)
        if step.routes:
            self._add_routes(step)
        else:
            self._add_step(step)

    def _remark_on(self, step: BmadStep) -> None:
        for each in step.node.repeated():
            fact = f"the key {each.key} stands here again; this one replaces the one above"
            self._reading.warning(each.line, "duplicate-key", fact, "remove one of the two")
        for each in step.unknown:
            fact = f"BMAD has no key {each.key} in a step; it is kept in the instruction"
            self._reading.warning(each.line, "unknown-key", fact, "check its spelling")

    def _add_step(self, step: BmadStep) -> None:
        condition = self._condition(step)
        self._begin_or_end_repetition(step)
        definition = StepDefinition(
            id=step.identifier,
            kind=StepKind.WORK if step.is_work else StepKind.MILESTONE,
            agent=self._agent(step),
            is_selected=step.is_work and not step.agents,
            instruction=step.instruction(),
            needs=self._needs(step),
            when=_both(self._guard, condition),
            for_each=self._for_each,
            outputs=step.documents if step.is_work else (),
            is_optional=step.is_optional,
        )
        place = f"steps[{len(self.steps)}]"
        self._put(definition, step.line, made=step.documents)
        for part, key in (("agent", "agent"), ("when", "condition"), ("for_each", "repeats")):
            self.lines.put(f"{place}.{part}", step.line_of(key))

    def _add_routes(self, step: BmadStep) -> None:
        """Make a step of each route. A route that does not continue ends the workflow."""
        names = tuple(route.key for route in step.routes)
        going_on = tuple(
            route.key for route in step.routes if isinstance(route.value, MappingNode) and route.value.get("continue")
        )
        decision = self._decisions.routes(step.identifier, names, (going_on or names)[0], step.line_of("routes"))
        self._ask(decision, f"{step.instruction()}\n\n{step.text('routes')}", step.line_of("routes"))
        # A question that was put before holds under the same condition.
        guard, needs = self._guard, self._last
        last = list(needs)
        for route in step.routes:
            branch = BmadStep(route.value) if isinstance(route.value, MappingNode) else None
            if branch is None or not branch.is_work:
                continue
            definition = StepDefinition(
                id=identifier(f"{step.identifier}-{route.key}"),
                agent=self._agent(branch),
                is_selected=not branch.agents,
                instruction=branch.instruction(),
                needs=needs,
                when=_both(guard, decision.is_(route.key)),
                outputs=branch.documents,
            )
            last.append(self._put(definition, route.line, made=branch.documents))
        self._last = tuple(last)
        if going_on and len(going_on) < len(names):
            ways = " or ".join(decision.is_(each) for each in going_on)
            self._guard = _both(guard, ways if len(going_on) == 1 else f"({ways})")
            ends = ", ".join(each for each in names if each not in going_on)
            fact = f"the steps below are done on the way {', '.join(going_on)} only; {ends} ends the workflow"
            self._reading.note(step.line_of("routes"), "routes-mapped", fact, "nothing to do")

    def _condition(self, step: BmadStep) -> str:
        name = step.text("condition")
        if not name:
            return ""
        expression, decision = self._decisions.condition(name, step.line_of("condition"))
        if decision:
            self._ask(decision, f"{name}?\n\n{step.text('notes')}", step.line_of("condition"))
        # The condition of a way holds for everything on it.
        return "" if expression in self._guard else expression

    def _ask(self, decision: Decision, prompt: str, line: int) -> None:
        self._put(decision.question(prompt.strip()[:MAX_PROMPT_CHARACTERS], self._last, self._guard), line)

    def _begin_or_end_repetition(self, step: BmadStep) -> None:
        """Repeat a step and those after it, until an entry says that this is where the cycle ends."""
        what = step.text("repeats")
        if what:
            self._for_each = f"inputs.{self._repeated_over(what, step.line_of('repeats'))}"
        elif self._for_each and step.title.startswith("repeat_"):
            fact = f"the cycle that {step.title} closes is repeated over {self._for_each}"
            self._reading.note(step.line, "repetition-mapped", fact, "nothing to do")
            self._for_each = ""

    def _repeated_over(self, what: str, line: int) -> str:
        key = identifier(what)
        words = what.removeprefix("for_each_").replace("_", " ")
        self._repeated[key] = InputDefinition(
            key,
            InputType.LIST,
            f"What to repeat over: an item for each {words}",
            is_required=False,
            default=encode([words]),
        )
        fact = f'"{what}" repeats this step and those below it up to the end of the cycle; a run has one {words}'
        remedy = f"start the run with the input {key}, a list with an item for each {words}"
        self._reading.note(line, "repetition-mapped", fact, remedy)
        return key

    def _agent(self, step: BmadStep) -> str:
        if not step.is_work:
            fact = "no agent is named; the step says that a point was reached, and ends at once"
            self._reading.note(step.line, "milestone", fact, "name an agent if somebody is to do it")
            return ""
        if not step.agents:
            fact = f"the agent is {step.text('agent')}: the loader chooses one when the step is claimed"
            self._reading.note(step.line_of("agent"), "agent-selected", fact, "name an agent if it is to be that one")
            return ""
        if len(step.agents) > 1:
            fact = f"of the agents {', '.join(step.agents)} the first does it"
            self._reading.note(step.line_of("agent"), "first-agent", fact, "name another one if it is to be that")
        return step.agents[0]

    def _needs(self, step: BmadStep) -> tuple[str, ...]:
        """Return the step before, and those that make what this one requires, so that it is given their outputs."""
        makers: list[str] = []
        for key in ("requires", "validates", "implements", "updates"):
            for wanted in step.texts(key):
                found = self._makers_of(wanted)
                makers += found
                if not found and key == "requires":
                    fact = f"no step before makes {wanted}; the project is expected to have it"
                    remedy = "write the document's name as the step that creates it does, if one does"
                    self._reading.note(step.line_of(key), "required-of-project", fact, remedy)
        return tuple(dict.fromkeys((*self._last, *makers)))

    def _makers_of(self, wanted: str) -> list[str]:
        if wanted.startswith("all_"):
            return [maker for makers in self._makers.values() for maker in makers]
        names = (wanted, *wanted.split("_or_"))
        return [maker for name in names for maker in self._makers.get(name, ())]

    def _put(self, step: StepDefinition, line: int, made: Iterable[str] = ()) -> str:
        """Add a step under an id of its own, and let the next one follow it."""
        named = replace(step, id=unique(step.id, {each.id for each in self.steps}))
        self.lines.put(f"steps[{len(self.steps)}]", line)
        self.steps.append(named)
        for document in made:
            self._makers.setdefault(document, []).append(named.id)
        self._last = (named.id,)
        return named.id


def _both(one: str, other: str) -> str:
    return " and ".join(part for part in (one, other) if part)
