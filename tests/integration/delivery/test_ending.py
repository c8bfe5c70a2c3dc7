"""Shippers that end, in order or in the middle of anything: what was not acknowledged is neither lost nor settled."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from ignis_server.telemetry.delivery.destination import Destination
from ignis_server.telemetry.delivery.shipping import shipping
from ignis_server.telemetry.model import Receipt, Signal
from support.batches import BatchMaker
from support.delivering import World, delivering, shipped
from support.otlp_receiver import Accept, OtlpReceiver
from support.otlp_wire import Wire
from support.pending import PendingInMemory

To = Callable[..., Destination]


@pytest.mark.parametrize("steps", range(0, 300, 13))
async def test_cancelled_after_any_number_of_steps(
    receiver: OtlpReceiver, to_receiver: To, world: World, wire: Wire, steps: int
) -> None:
    """As a crash would, but for what the process still says to others."""
    maker = BatchMaker()
    pending = PendingInMemory(*(maker.spans(f"{number} a", f"{number} b") for number in range(6)))
    receiver.script.extend([wire.answer(503), Accept(), wire.answer(400, "bad"), Accept(rejected=1)])
    destination = Destination("d", to_receiver().routes, max_request_bytes=10_000)

    async with delivering(destination, pending, world):
        for _ in range(steps):
            await asyncio.sleep(0)
    settled = dict(pending.receipts["d"])
    acknowledged = {got.sequence for got in receiver.got}
    rest = await shipped(destination, pending, world)

    assert settled.keys() <= acknowledged
    assert [each.sequence for each in rest] == [1, 2, 3, 4, 5, 6]
    assert sum(each.delivered + each.rejected for each in rest) == 12
    # Whole batches may arrive again; none is missing.
    assert {got.sequence for got in receiver.got} == {1, 2, 3, 4, 5, 6}


async def test_cancelled_while_an_answer_is_awaited(receiver: OtlpReceiver, to_receiver: To, world: World) -> None:
    pending = PendingInMemory(BatchMaker().spans("one"))
    receiver.script.append(Accept(seconds=30))

    async with delivering(to_receiver(), pending, world):
        await receiver.until(1)
    assert pending.receipts["d"] == {}
    (receipt,) = await shipped(to_receiver(), pending, world)

    assert receipt.delivered == 1
    assert receiver.accepted_names == ["one", "one"]


async def test_cancelled_in_the_middle_of_parts(receiver: OtlpReceiver, to_receiver: To, world: World) -> None:
    """The whole batch is sent again: its parts are not remembered, so that they need not be settled."""
    pending = PendingInMemory(BatchMaker().spans(*(f"{number} {'x' * 100}" for number in range(8))))
    destination = Destination("d", to_receiver().routes, max_request_bytes=550)
    receiver.rule = lambda got: Accept(seconds=30 if got.headers.get("ignis-batch-part") == "3/4" else 0)

    async with delivering(destination, pending, world):
        await receiver.until(3)
    assert pending.receipts["d"] == {}
    receiver.rule = lambda _: Accept()
    (receipt,) = await shipped(destination, pending, world)

    assert (receipt.delivered, receipt.rejected) == (8, 0)
    assert [got.headers["ignis-batch-part"] for got in receiver.got] == [
        *("1/4", "2/4", "3/4"),
        *("1/4", "2/4", "3/4", "4/4"),
    ]


async def test_closing_delivers_what_there_is(receiver: OtlpReceiver, wire: Wire, world: World) -> None:
    maker = BatchMaker()
    pending = PendingInMemory(*(maker.make(signal, [str(n)]) for n in range(20) for signal in Signal))
    destination = Destination("d", wire.routes(wire.url(receiver)))

    async with shipping([destination], pending, world.surroundings):
        pass

    assert len(pending.receipts["d"]) == 60


async def test_closing_delivers_what_came_just_before(receiver: OtlpReceiver, wire: Wire, world: World) -> None:
    pending, maker = PendingInMemory(), BatchMaker()
    destination = Destination("d", wire.routes(wire.url(receiver)))

    async with shipping([destination], pending, world.surroundings):
        await asyncio.sleep(0.1)  # until it waits for something
        # So that nobody is woken by it.
        pending.batches.append(maker.spans("one"))

    assert list(pending.receipts["d"]) == [1]


async def test_closing_finishes_what_is_under_way(receiver: OtlpReceiver, wire: Wire, world: World) -> None:
    pending = PendingInMemory(BatchMaker().spans("one"))
    receiver.rule = lambda _: Accept(seconds=0.2)
    destination = Destination("d", wire.routes(wire.url(receiver)))

    async with shipping([destination], pending, world.surroundings):
        await receiver.until(1)

    assert pending.receipts["d"][1].delivered == 1
    assert len(receiver.got) == 1


async def test_closing_does_not_wait_for_a_destination_that_is_away(
    receiver: OtlpReceiver, wire: Wire, world: World
) -> None:
    maker = BatchMaker()
    pending = PendingInMemory(*(maker.spans(str(number)) for number in range(100)))
    destination = Destination("d", wire.routes(wire.url(receiver)))
    await receiver.stop()

    async with asyncio.timeout(20):
        async with shipping([destination], pending, world.surroundings, close_seconds=600):
            await pending.until_failed("")

    assert pending.receipts["d"] == {}
    # Nor is all that waits read once more, only to be put aside.
    assert pending.taken < 20


async def test_closing_does_not_wait_longer_than_it_is_told_to(
    receiver: OtlpReceiver, wire: Wire, world: World
) -> None:
    pending = PendingInMemory(BatchMaker().spans("one"))
    receiver.rule = lambda _: Accept(seconds=600)
    destination = Destination("d", wire.routes(wire.url(receiver), timeout_seconds=600))

    async with asyncio.timeout(20):
        async with shipping([destination], pending, world.surroundings, close_seconds=0.2):
            await receiver.until(1)

    assert pending.receipts["d"] == {}


async def test_an_outbox_that_fails_is_asked_again(
    receiver: OtlpReceiver, to_receiver: To, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was acknowledged and could not be settled is sent again, and no signal stands still for ever."""
    monkeypatch.setattr("ignis_server.background.RETRY_SECONDS", 0.01)
    maker = BatchMaker()
    pending = Forgetful(*(maker.spans(str(number)) for number in range(3)))

    receipts = await shipped(to_receiver(), pending, world)

    assert [each.delivered for each in receipts] == [1, 1, 1]
    assert pending.failed_to_settle == 1
    assert len(receiver.got) > 3


class Forgetful(PendingInMemory):
    """Fails to keep the first receipt."""

    failed_to_settle = 0

    async def settled(self, destination: str, receipts: Sequence[Receipt]) -> None:
        if not self.failed_to_settle:
            self.failed_to_settle += 1
            raise OSError("disk full")
        await super().settled(destination, receipts)
