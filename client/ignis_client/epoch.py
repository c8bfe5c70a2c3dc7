"""Epochs: how one bundle continues another, so that a provider's prompt cache need not begin anew."""

from dataclasses import dataclass
from enum import StrEnum

from ignis_client.bundle import DetailLevel

__all__ = ["Epoch", "EpochReason", "HeldAgent", "HeldBundle"]


class EpochReason(StrEnum):
    """Why an epoch began, or that it goes on."""

    UNKNOWN = "unknown"
    """One that this client is too old to know."""
    INITIAL = "initial"
    """The caller held nothing."""
    CONTINUED = "continued"
    """The bundle continues the epoch that the caller named."""
    AGENT_CHANGED = "agent-changed"
    """An agent that the caller held has changed or is gone from the catalog."""
    BUDGET_SPENT = "budget-spent"
    """What the caller held and what it needs now do not fit the budget together."""
    UNKNOWN_EPOCH = "unknown-epoch"
    """The caller named an epoch that the server does not know the rules of."""
    AGENT_FORBIDDEN = "agent-forbidden"
    """The request forbids an agent that the caller held."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """An unbroken sequence of bundles: what is held stays as it is, and each bundle is put behind it.

    Attributes:
        id: Its name, to be sent back as `HeldBundle.epoch_id`.
        reason: Why it began, or that it goes on.
        digest: "sha256:" and the hexadecimal SHA-256 of all its text, up to this bundle.
        tokens: Tokens of all its text.
        size_bytes: Bytes of all its text in UTF-8.
    """

    id: str
    reason: EpochReason
    digest: str
    tokens: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class HeldAgent:
    """The exact text of one agent: its id, the digest it was sent with, and how much of it was sent."""

    id: str
    digest: str
    detail: DetailLevel


@dataclass(frozen=True, slots=True)
class HeldBundle:
    """What a conversation holds: the epoch it is in, and its agents in the order in which they were sent."""

    epoch_id: str
    agents: tuple[HeldAgent, ...]
