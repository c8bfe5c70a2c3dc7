"""A lane cancelled at each await there is: what is settled was acknowledged, and what was not is sent again."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from ignis_server.telemetry.delivery.lane import Lane, LaneLimits, Way
from ignis_server.telemetry.delivery.transport import Accepted, Refused, Retry, SendOutcome, TooLarge
from ignis_server.telemetry.model import Signal
from support.batches import BatchMaker
from support.delivering import World
from support.pending import PendingInMemory

# More than all awaits of a run; the test says so should it be too few.
MAX_STEPS = 400


class Noted:
    """A transport without a network: answers by what is sent, with an await before and behind."""

    def __init__(self) -> None:
        self.acknowledged: list[str] = []
        self._failed = False

    async def send(self, signal: Signal, request: bytes, headers: Mapping[str, str]) -> SendOutcome:
        """Answer."""
        assert signal is Signal.TRACES
        assert request
        await asyncio.sleep(0)
        outcome = self._outcome(headers)
        if not isinstance(outcome, Retry | TooLarge):
            self.acknowledged.append(f"{headers['ignis-batch-sequence']} {headers.get('ignis-batch-part', '1/1')}")
        await asyncio.sleep(0)
        return outcome

    def _outcome(self, headers: Mapping[str, str]) -> SendOutcome:
        match headers["ignis-batch-sequence"], headers.get("ignis-batch-part"):
            case "2", None:
                return TooLarge("cut it")
            case "3", _:
                return Refused("bad")
            case "4", _ if not self._failed:
                self._failed = True
                return Retry("unavailable", "not now")
            case _:
                return Accepted()

    async def aclose(self) -> None:
        """Close nothing."""


def lane_to(transport: Noted, pending: PendingInMemory, world: World) -> Lane:
    async def sleep(seconds: float) -> None:
        world.clock.turn(seconds)
        await asyncio.sleep(0)

    surroundings = replace(world.surroundings, sleep=sleep)
    return Lane(Signal.TRACES, Way("d", transport, LaneLimits(2)), pending, surroundings)


async def test_cancelled_at_each_await() -> None:
    finished_at = 0
    for steps in range(MAX_STEPS):
        maker, world, transport = BatchMaker(), World(), Noted()
        pending = PendingInMemory(*(maker.spans(f"{number} a", f"{number} b") for number in range(1, 6)))
        task = asyncio.create_task(lane_to(transport, pending, world).run())
        for _ in range(steps):
            await asyncio.sleep(0)
        settled = set(pending.receipts["d"])
        acknowledged = set(transport.acknowledged)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

        assert {f"{sequence} 1/1" for sequence in settled - {2}} <= acknowledged
        assert 2 not in settled or {"2 1/2", "2 2/2"} <= acknowledged
        again = asyncio.create_task(lane_to(transport, pending, world).run())
        receipts = await pending.until_settled("d")
        again.cancel()
        await asyncio.gather(again, return_exceptions=True)
        assert [(each.delivered, each.rejected) for each in receipts] == [(2, 0), (2, 0), (0, 2), (2, 0), (2, 0)]
        assert {"1 1/1", "2 1/2", "2 2/2", "3 1/1", "4 1/1", "5 1/1"} == set(transport.acknowledged)
        # What was settled before is not sent again.
        assert all(transport.acknowledged.count(f"{sequence} 1/1") == 1 for sequence in settled - {2})
        if len(settled) == 5:
            finished_at = finished_at or steps
            break

    assert finished_at > 20


async def test_lag_is_never_less_than_nothing() -> None:
    """The clock may be set back between capture and delivery."""
    world, transport = World(), Noted()
    pending = PendingInMemory(BatchMaker().spans("one"))
    world.clock.turn(-3_600)

    task = asyncio.create_task(lane_to(transport, pending, world).run())
    (receipt,) = await pending.until_settled("d")
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert [each.lag_seconds for each in world.delivered()] == [0.0]
    assert receipt.received_ns == 1_767_225_600_000_000_000 - 3_600_000_000_000


async def test_lag_and_receipt_are_of_the_moment_of_the_answer() -> None:
    world, transport = World(), Noted()
    pending = PendingInMemory(BatchMaker().spans("one"))
    world.clock.turn(12.5)

    task = asyncio.create_task(lane_to(transport, pending, world).run())
    (receipt,) = await pending.until_settled("d")
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert [each.lag_seconds for each in world.delivered()] == [12.5]
    assert receipt.received_ns == 1_767_225_612_500_000_000


class Choosy(Noted):
    """Does not take the first batch before it has taken nine others."""

    tries = 0

    def _outcome(self, headers: Mapping[str, str]) -> SendOutcome:
        if headers["ignis-batch-sequence"] != "1":
            return Accepted()
        self.tries += 1
        return Accepted() if len(self.acknowledged) == 9 else Retry("unavailable", "not this one")


async def test_a_batch_that_fails_while_others_do_not_is_no_trouble_of_the_destination() -> None:
    """Otherwise its state changes with every try, and whoever watches it is called each time."""
    maker, world, transport = BatchMaker(), World(), Choosy()
    pending = PendingInMemory(*(maker.spans(str(number)) for number in range(10)))

    task = asyncio.create_task(lane_to(transport, pending, world).run())
    await pending.until_settled("d")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert transport.tries > 2
    assert world.reasons() == ["unavailable", ""]
    assert pending.messages() == ["not this one"]
