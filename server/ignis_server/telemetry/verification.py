"""The use case of verifying: what was acknowledged, compared with what a destination says that it has, batch by batch."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ignis_server.errors import DestinationCannotVerify, DestinationNotFound

__all__ = ["Audit", "Heard", "Kept", "Settled", "Verification", "verify"]

# Batches that are compared at a time, and sequences of one kind that are named.
AT_ONCE = 1_000
MAX_NAMED = 1_000


class Settled(Protocol):
    """What the outbox remembers of a batch that a destination has acknowledged."""

    @property
    def sequence(self) -> int:
        """Its number."""
        ...

    @property
    def digest(self) -> bytes:
        """SHA-256 of its content."""
        ...

    @property
    def rejected(self) -> int:
        """Items of it that the destination rejected for good."""
        ...

    @property
    def delivered(self) -> int:
        """Items of it that the destination took."""
        ...


class Kept(Protocol):
    """An outbox, of this process or one that it has taken over."""

    @property
    def outbox_id(self) -> str:
        """Its id."""
        ...

    async def receipts(self, destination: str, from_sequence: int, limit: int) -> Sequence[Settled]:
        """Return what became of batches at a destination, by sequence, from one on."""
        ...


@dataclass(frozen=True, slots=True)
class Heard:
    """What a destination says of a batch: its digest, and how often it has it whole."""

    digest: bytes
    copies: int


class Audit(Protocol):
    """A destination that tells what it has."""

    def heard(self, outbox_id: str, from_sequence: int) -> AsyncIterator[tuple[int, Heard]]:
        """Yield the batches that it has of an outbox, by sequence, from one on.

        Raises:
            DestinationCannotVerify: It does not tell.
            DestinationUnavailable: It cannot be asked now.
        """
        ...


@dataclass(frozen=True, slots=True)
class Verification:
    """A comparison: how many batches, how many of them equal, and the first thousand that are not, by what is wrong."""

    batches: int
    equal: int
    missing: tuple[int, ...]
    differing: tuple[int, ...]
    duplicated: tuple[int, ...]


async def verify(kept: Kept, audits: Mapping[str, Audit | None], destination: str, from_sequence: int) -> Verification:
    """Compare all batches that a destination has acknowledged, as far as the outbox remembers them.

    Batches of which it rejected items for good are left out, as it may keep nothing of those.

    Args:
        kept: The outbox.
        audits: How to ask each destination; None for one that cannot be.
        destination: The one to verify.
        from_sequence: The first batch to compare.

    Raises:
        DestinationNotFound: There is no such destination.
        DestinationCannotVerify: It does not tell what it has.
        DestinationUnavailable: It cannot be asked now.
    """
    if destination not in audits:
        raise DestinationNotFound(destination, tuple(sorted(audits)))
    audit = audits[destination]
    if audit is None:
        raise DestinationCannotVerify(destination, "it is not reached by gRPC")
    # In this order: what is acknowledged after that, while the destination is asked, is no batch that it should have named.
    acknowledged = [each async for each in _all(kept, destination, from_sequence)]
    heard = {sequence: each async for sequence, each in audit.heard(kept.outbox_id, from_sequence)}
    batches = 0
    missing: list[int] = []
    differing: list[int] = []
    duplicated: list[int] = []
    for settled in acknowledged:
        if settled.rejected or not settled.delivered:
            continue
        batches += 1
        found = heard.get(settled.sequence)
        if found is None or not found.copies:
            missing.append(settled.sequence)
        elif found.digest != settled.digest:
            differing.append(settled.sequence)
        elif found.copies > 1:
            duplicated.append(settled.sequence)
    equal = batches - len(missing) - len(differing)
    named = (tuple(sequences[:MAX_NAMED]) for sequences in (missing, differing, duplicated))
    return Verification(batches, equal, *named)


async def _all(kept: Kept, destination: str, from_sequence: int) -> AsyncIterator[Settled]:
    start = from_sequence
    while settled := await kept.receipts(destination, start, AT_ONCE):
        for each in settled:
            yield each
        start = settled[-1].sequence + 1
