"""What the span of a load says of the decision: encoded once for all callers who get the same answer."""

from ignis_server.signals import BundleCounts, LoadAnswered
from ignis_server.telemetry.call_spans import encode_attributes
from ignis_server.telemetry.rpc_hook import current_trace

__all__ = ["LoadAttributes"]

# Different answers that are remembered; at the bound all are forgotten and encoded anew.
MAX_KNOWN = 4_096


class LoadAttributes:
    """Notes answers on the spans of the calls that they were given to."""

    def __init__(self) -> None:
        # By outcome and identity: an answer that is found again has the same figures, which are held here, so that no other has
        # their identity.
        self._known: dict[tuple[str, int], tuple[BundleCounts | None, bytes]] = {}

    def note(self, signal: LoadAnswered) -> None:
        """Note an answer on the span of the call that this task serves, if it serves one."""
        trace = current_trace()
        if trace is None:
            return
        key = (signal.outcome, id(signal.counts))
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            known = self._known[key] = (signal.counts, _encoded(signal))
        trace.attributes = known[1]


def _encoded(signal: LoadAnswered) -> bytes:
    attributes: dict[str, str | int | bool] = {"ignis.cache.outcome": signal.outcome}
    counts = signal.counts
    if counts is not None:
        attributes |= {
            "ignis.load.agents": counts.agents,
            "ignis.load.new_tokens": counts.new_tokens,
            "ignis.load.tokens": counts.loaded_tokens,
            "ignis.load.budget_tokens": counts.budget_tokens,
            "ignis.load.load_all_tokens": counts.load_all_tokens,
            "ignis.load.needs": counts.needs,
            "ignis.load.unanswered_needs": counts.unanswered_needs,
        }
    return encode_attributes(attributes)
