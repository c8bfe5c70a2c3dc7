"""Where the expressions of a run look values up: its inputs, and the outputs of its steps."""

from ignis_server.workflow.expression import Attribute, Index, Inputs, Item, StepValue
from ignis_server.workflow.expression.syntax import Root
from ignis_server.workflow.run import Run, Step
from ignis_server.workflow.state_machine.draft import Draft
from ignis_server.workflow.values import Json, Value, decode
from ignis_server.workflow.words import StepState

__all__ = ["RunScope"]


class RunScope:
    """Looks values up in a run or a draft of one, each only once: what steps that have ended have made does not change.

    `item` and `index` are those of the instance that is looked at; `shared` keeps what is the same for all instances.
    """

    def __init__(self, run: Run | Draft) -> None:
        self.item: Value = None
        self.index: Value = None
        self.shared: dict[tuple[str, str], Json] = {}
        self._run = run
        self._values: dict[Root, Value] = {}

    def value_of(self, root: Root) -> Value:
        """Return what a path begins with; null where a step has no output."""
        match root:
            case Item():
                return self.item
            case Index():
                return self.index
        if root not in self._values:
            self._values[root] = self._looked_up(root)
        return self._values[root]

    def _looked_up(self, root: Inputs | StepValue) -> Value:
        if isinstance(root, Inputs):
            return decode(self._run.started.inputs)
        return self._step_value(root.step_id, root.attribute)

    def _step_value(self, step_id: str, attribute: Attribute) -> Value:
        group = self._run.groups.get(step_id)
        if group is None:
            # A repeated step that was skipped as a whole has no outputs.
            steps = [] if attribute is Attribute.OUTPUTS else [self._run.steps[step_id]]
        else:
            steps = [self._run.steps[f"{step_id}[{index}]"] for index in range(group.count)]
        match attribute:
            case Attribute.STATE:
                is_done = any(step.state is not StepState.SKIPPED for step in steps)
                return (
                    steps[0].state.value if group is None else (StepState.COMPLETED if is_done else StepState.SKIPPED)
                )
            case Attribute.OUTPUT:
                return _output(steps[0])
            case Attribute.OUTPUTS:
                return [_output(step) for step in steps]


def _output(step: Step) -> Value:
    return None if step.output is None else decode(step.output)
