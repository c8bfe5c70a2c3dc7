"""The comparison of what was acknowledged with what a destination says that it has."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from ignis_server.telemetry.verification import Heard, verify

DIGEST = b"\x01" * 32


@dataclass(frozen=True, slots=True)
class Receipt:
    sequence: int
    digest: bytes = DIGEST
    rejected: int = 0
    delivered: int = 1


@dataclass(slots=True)
class Ledger:
    """Acknowledged batches."""

    acknowledged: list[Receipt]
    outbox_id: str = "box"

    async def receipts(self, destination: str, from_sequence: int, limit: int) -> Sequence[Receipt]:  # noqa: ARG002 - as the port has it
        return [each for each in self.acknowledged if each.sequence >= from_sequence][:limit]


@dataclass(slots=True)
class BusyDestination:
    """Has taken all that was acknowledged, and takes another batch as soon as it has told what it has."""

    ledger: Ledger
    next_sequences: list[int] = field(default_factory=list)

    async def heard(self, outbox_id: str, from_sequence: int) -> AsyncIterator[tuple[int, Heard]]:  # noqa: ARG002 - as the port has it
        for each in list(self.ledger.acknowledged):
            if each.sequence >= from_sequence:
                yield each.sequence, Heard(each.digest, 1)
        self.ledger.acknowledged.extend(map(Receipt, self.next_sequences))


async def test_what_is_acknowledged_while_a_destination_is_asked_is_not_missing() -> None:
    ledger = Ledger([Receipt(1), Receipt(2)])

    verification = await verify(ledger, {"busy": BusyDestination(ledger, [3])}, "busy", 0)

    assert (verification.batches, verification.equal, verification.missing) == (2, 2, ())


async def test_batches_of_which_items_were_rejected_are_left_out() -> None:
    ledger = Ledger([Receipt(1), Receipt(2, rejected=1), Receipt(3, delivered=0)])

    verification = await verify(ledger, {"busy": BusyDestination(ledger)}, "busy", 0)

    assert verification.batches == 1
