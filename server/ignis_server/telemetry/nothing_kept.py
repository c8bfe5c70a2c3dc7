"""The outbox of a service whose telemetry goes nowhere."""

from collections.abc import Sequence

from ignis_server.telemetry.model import Batch, LedgerRow, Signal
from ignis_server.telemetry.verification import Settled

__all__ = ["NothingKept"]


class NothingKept:
    """Has nothing, of anybody."""

    outbox_id = ""
    size_bytes = 0
    max_bytes = 0

    async def ledger(self) -> Sequence[LedgerRow]:
        """Return no account."""
        return ()

    async def waiting(self, destination: str, signal: Signal, limit: int) -> Sequence[Batch]:  # noqa: ARG002 - as the port has it
        """Return no batch."""
        return ()

    async def receipts(self, destination: str, from_sequence: int, limit: int) -> Sequence[Settled]:  # noqa: ARG002 - as the port has it
        """Return no receipt."""
        return ()
