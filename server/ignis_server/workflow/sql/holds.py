"""Holds in memory: which steps this process has offered to somebody, where no other process hands out the same."""

from collections.abc import Iterable
from datetime import datetime

from ignis_server.workflow.journal import ClaimableStep

__all__ = ["Holds"]


class Holds:
    """Steps that are offered, and until when. One that has gone on is let go at once, so there are no more than callers."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str], datetime] = {}

    def __len__(self) -> int:
        return len(self._until)

    def take(self, found: Iterable[ClaimableStep], limit: int, until: datetime, now: datetime) -> list[ClaimableStep]:
        """Hold the first steps that nobody holds, and return them."""
        free = (each for each in found if self._until.get((each.run_id, each.step_id), now) <= now)
        taken = [each for each, _ in zip(free, range(limit), strict=False)]
        if until > now:
            self._until |= {(each.run_id, each.step_id): until for each in taken}
        return taken

    def let_go(self, run_id: str, step_ids: Iterable[str]) -> None:
        """Hold steps no longer that have gone on."""
        for step_id in step_ids:
            self._until.pop((run_id, step_id), None)

    def expire(self, now: datetime) -> None:
        """Hold no longer what was held for long enough."""
        self._until = {step: until for step, until in self._until.items() if until > now}
