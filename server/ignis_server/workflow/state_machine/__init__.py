"""The state machine of runs: `decide` says what a command comes to, `fold` says what events make of a run.

Both are pure. Time is a parameter, chance does not occur, and whoever keeps the events decides when they hold. A caller
appends a decision's events if nobody else has appended any since the state was read, and decides again otherwise.
"""

from ignis_server.workflow.state_machine.answers import (
    Canceled,
    Claimed,
    CommandAnswer,
    Extended,
    Reported,
    Resolved,
    Started,
    Swept,
    Unclaimable,
)
from ignis_server.workflow.state_machine.deadlines import due_commands, next_deadline
from ignis_server.workflow.state_machine.deciding import Decision, decide
from ignis_server.workflow.state_machine.draft import fold
from ignis_server.workflow.state_machine.step_inputs import OutputReference, StepInputs, step_inputs

__all__ = [
    "Canceled",
    "Claimed",
    "CommandAnswer",
    "Decision",
    "Extended",
    "OutputReference",
    "Reported",
    "Resolved",
    "Started",
    "StepInputs",
    "Swept",
    "Unclaimable",
    "decide",
    "due_commands",
    "fold",
    "next_deadline",
    "step_inputs",
]
