"""What the span of a load says of the decision."""

from ignis_server.signals import BundleCounts
from ignis_server.telemetry.call_spans import encode_attributes

__all__ = ["load_attributes"]


def load_attributes(outcome: str, counts: BundleCounts | None) -> bytes:
    """Return where an answer came from and what it is as attributes of a span; a refusal has no figures."""
    attributes: dict[str, str | int | bool] = {"ignis.cache.outcome": outcome}
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
