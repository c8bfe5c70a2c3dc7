"""What is lost is never lost in silence: a signal and a line of the log for all of one kind that is lost at once."""

from collections import Counter
from collections.abc import Sequence

import structlog

from ignis_server.signals import LossReason, Signals, TelemetryLost
from ignis_server.telemetry.outbox.batch_store import Loss

__all__ = ["report_losses"]

log = structlog.get_logger()


def report_losses(losses: Sequence[Loss], reason: LossReason, signals: Signals) -> None:
    """Report losses, summed up by signal."""
    items, sizes = Counter[str](), Counter[str]()
    for loss in losses:
        name = loss.signal.value if loss.signal else "unknown"
        items[name] += loss.items
        sizes[name] += loss.size_bytes
    for name, size_bytes in sizes.items():
        log.error("outbox.lost", reason=reason, signal=name, items=items[name], size_bytes=size_bytes)
        signals.report(TelemetryLost(name, items[name], size_bytes, reason))
