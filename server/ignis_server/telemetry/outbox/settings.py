"""What can be chosen of an outbox."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ignis_server.telemetry.model import Signal

__all__ = ["BoundPolicy", "Durability", "OutboxSettings"]


class Durability(StrEnum):
    """When what is captured is on its way to disk: before `capture` returns, or up to `commit_seconds` later."""

    STRICT = "strict"
    BATCHED = "batched"


class BoundPolicy(StrEnum):
    """What happens at the bound: the oldest is given up, or calls are refused, or they wait."""

    SHED = "shed"
    REFUSE = "refuse"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class OutboxSettings:
    """Where an outbox is, who gets what is in it, and its bounds.

    Attributes:
        root: The folder that processes share; each has a slot in it. On a local disk: SQLite's log wants one.
        destinations: The signals that go to each destination. What goes nowhere is not kept.
        durability: When what is captured counts as committed.
        policy: What happens at the bound.
        max_bytes: The bound: bytes that wait, in journal, batches and memory. It may be passed by what is captured between two
            sealings. Whatever the policy, at the bound the oldest is given up; under "refuse" and "block" calls are kept out
            from seven eighths of it on, so that what they have under way finds room.
        memory_bytes: What is kept in memory while the disk is in trouble; beyond that, the oldest is given up.
        commit_seconds: How long what is captured may stay in memory where durability is "batched".
        seal_seconds: How often batches are made; sooner where there is enough for one.
        fsync_seconds: How often the journal is forced to disk, so that a power cut costs no more than that. None: never; then it
            costs what was captured since batches were made, which are forced always.
        adopt_seconds: How often slots of processes that died are looked for.
        block_seconds: How long a call waits for room at most, where the policy is "block"; then it is refused.
        close_seconds: How long the end of the outbox may take; what is not sealed by then is, at the next start.
    """

    root: Path
    destinations: Mapping[str, Collection[Signal]]
    durability: Durability = Durability.STRICT
    policy: BoundPolicy = BoundPolicy.SHED
    max_bytes: int = 1 << 30
    memory_bytes: int = 32 << 20
    commit_seconds: float = 0.01
    seal_seconds: float = 1.0
    fsync_seconds: float | None = None
    adopt_seconds: float = 10.0
    block_seconds: float = 30.0
    close_seconds: float = 5.0

    @property
    def admitted_bytes(self) -> int:
        """Bytes up to which calls are let in, where they may be kept out."""
        return self.max_bytes - self.max_bytes // 8
