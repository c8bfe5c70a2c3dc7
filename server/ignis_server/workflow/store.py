"""Where runs are kept, and how one hears of what was written there."""

from dataclasses import dataclass

from ignis_server.workflow.journal import Journal
from ignis_server.workflow.wakeups import Wakeups

__all__ = ["Store"]


@dataclass(frozen=True, slots=True)
class Store:
    """A journal, and the wake-ups that it rings."""

    journal: Journal
    wakeups: Wakeups
