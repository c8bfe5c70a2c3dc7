"""Runs as they stood when somebody last had to do with them, so that not all of their events are read each time."""

from collections import OrderedDict
from typing import Final

from ignis_server.workflow.run import Run

__all__ = ["KnownRuns"]

# Of state beside outputs: a run without steps, and a step.
RUN_BYTES: Final = 6_144
STEP_BYTES: Final = 1_100


class KnownRuns:
    """Keeps the runs that were used last, up to so many bytes; others are read again."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._runs: OrderedDict[str, tuple[Run, int]] = OrderedDict()
        self.size_bytes = 0

    def get(self, run_id: str) -> Run | None:
        """Return a run as it stood; it may have gone on since."""
        known = self._runs.get(run_id)
        if known is None:
            return None
        self._runs.move_to_end(run_id)
        return known[0]

    def put(self, run: Run) -> None:
        """Keep a run, unless a later state of it is known."""
        known = self._runs.get(run.id)
        if known is not None and known[0].version > run.version:
            return
        self.forget(run.id)
        size = RUN_BYTES + STEP_BYTES * len(run.steps) + len(run.started.inputs) + run.output_bytes
        if size > self._max_bytes:
            return
        self._runs[run.id] = (run, size)
        self.size_bytes += size
        while self.size_bytes > self._max_bytes:
            _, (_, gone) = self._runs.popitem(last=False)
            self.size_bytes -= gone

    def forget(self, run_id: str) -> None:
        """Keep a run no longer."""
        known = self._runs.pop(run_id, None)
        if known is not None:
            self.size_bytes -= known[1]
