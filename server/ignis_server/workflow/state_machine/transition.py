"""One decision under way: the run as it would stand, and the events so far."""

from datetime import datetime

from ignis_server.errors import StepNotFound
from ignis_server.workflow.events import Event, Recorded
from ignis_server.workflow.plan import PlannedStep
from ignis_server.workflow.run import Step
from ignis_server.workflow.state_machine.draft import Draft
from ignis_server.workflow.state_machine.scope import RunScope

__all__ = ["Transition"]


class Transition:
    """Takes events, and applies each at once, so that what is decided next sees it.

    `now` never lies before the run's latest event: where a replica's clock is behind, the run's own time holds.
    """

    def __init__(self, draft: Draft, now: datetime, events: tuple[Recorded, ...] = ()) -> None:
        self.draft = draft
        self.now = max(now, draft.update_time)
        self.events = list(events)
        self.scope = RunScope(draft)

    def emit(self, event: Event) -> None:
        """Let something happen."""
        recorded = Recorded(self.draft.version + 1, self.now, event)
        self.draft.apply(recorded)
        self.events.append(recorded)

    def step(self, step_id: str) -> Step:
        """Return a step as it stands now.

        Raises:
            StepNotFound: The run has none of this id.
        """
        step = self.draft.steps.get(step_id)
        if step is None:
            raise StepNotFound(self.draft.started.run_id, step_id)
        return step

    def planned(self, step: Step) -> PlannedStep:
        """Return what a step is an instance of."""
        return self.draft.plan.steps[step.definition_id]
