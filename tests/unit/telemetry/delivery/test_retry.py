"""Back-off and pace: how long is waited, whose turn it is, and that no pause is cut short."""

import asyncio
from collections.abc import Coroutine
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignis_server.telemetry.delivery.retry import Pace, PaceEnded, backoff_seconds
from ignis_server.telemetry.delivery.transport import Accepted, Refused, Retry, SendOutcome
from support.delivering import World

AGAIN = Retry("unavailable", "not now")


def pace_in(world: World) -> Pace:
    return Pace(clock=world.clock, random=world.random, sleep=world.sleep)


class Script:
    """Sends by giving one outcome after the other, and notes when."""

    def __init__(self, world: World, *outcomes: SendOutcome) -> None:
        self._world = world
        self._outcomes = list(outcomes)
        self.at: list[float] = []
        self.under_way = 0
        self.most_under_way = 0

    async def send(self) -> SendOutcome:
        self.at.append(self._world.clock.elapsed_seconds())
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        for _ in range(20):
            await asyncio.sleep(0)
        self.under_way -= 1
        return self._outcomes.pop(0) if self._outcomes else Accepted()


@given(failures=st.integers(1, 10_000), seed=st.integers())
def test_a_pause_is_never_longer_than_it_may_be(failures: int, seed: int) -> None:
    seconds = backoff_seconds(failures, Random(seed))  # noqa: S311 - jitter

    assert 0 <= seconds <= min(5.0, 0.1 * 2 ** min(failures - 1, 20))


def test_pauses_double_until_five_seconds_and_are_half_of_that_on_average() -> None:
    random = Random(1)  # noqa: S311 - jitter
    means = [sum(backoff_seconds(failures, random) for _ in range(2_000)) / 2_000 for failures in (1, 2, 5, 6, 7, 50)]

    assert means == pytest.approx([0.05, 0.1, 0.8, 1.6, 2.5, 2.5], rel=0.1)


@given(
    outcomes=st.lists(
        st.one_of(
            st.just(Accepted()),
            st.just(Refused("bad")),
            st.builds(Retry, st.just("throttled"), st.just("later"), st.none() | st.floats(0, 2_000)),
        ),
        max_size=30,
    )
)
async def test_no_try_comes_before_the_time_that_was_asked_for(outcomes: list[SendOutcome]) -> None:
    world = World()
    pace, script = pace_in(world), Script(world, *outcomes)

    for _ in range(len(outcomes) + 1):
        await pace.attempt(script.send)

    for begun, next_begun, outcome in zip(script.at, script.at[1:], outcomes, strict=False):
        asked = min((outcome.after_seconds or 0.0) if isinstance(outcome, Retry) else 0.0, 600.0)
        assert asked <= next_begun - begun <= asked + 5.0


async def test_while_all_is_well_nobody_waits_for_another() -> None:
    world = World()
    pace, script = pace_in(world), Script(world)

    await asyncio.gather(*(pace.attempt(script.send) for _ in range(5)))

    assert script.most_under_way == 5
    assert world.slept == []


async def test_after_a_failure_one_tries_and_the_others_follow_when_it_is_answered() -> None:
    world = World()
    pace, script = pace_in(world), Script(world, AGAIN, AGAIN)
    await pace.attempt(script.send)
    assert not pace.is_well
    script.most_under_way = 0

    outcomes = await asyncio.gather(*(pace.attempt(script.send) for _ in range(4)))

    assert outcomes == [AGAIN, Accepted(), Accepted(), Accepted()]
    assert pace.is_well
    assert script.most_under_way == 2
    assert len(world.slept) == 2


async def test_what_fails_together_is_one_failure() -> None:
    """Otherwise four requests under way make the first pause eight times as long."""
    world = World()
    pace, script = pace_in(world), Script(world, *[AGAIN] * 4)

    await asyncio.gather(*(pace.attempt(script.send) for _ in range(4)))
    await pace.attempt(script.send)

    assert sum(world.slept) <= 0.1


async def test_an_answer_ends_the_pauses() -> None:
    world = World()
    pace, script = pace_in(world), Script(world, *[AGAIN] * 20, Refused("bad"), AGAIN)
    for _ in range(22):
        await pace.attempt(script.send)
    before = len(world.slept)

    await pace.attempt(script.send)

    assert sum(world.slept[before:]) <= 0.1


async def test_who_would_have_to_wait_at_the_end_gives_up() -> None:
    world = World()
    pace = Pace(clock=world.clock, random=world.random, sleep=never)
    script = Script(world, Retry("throttled", "later", 60.0))
    await pace.attempt(script.send)
    waiting = asyncio.ensure_future(pace.attempt(script.send))
    await asyncio.sleep(0)

    pace.end()

    with pytest.raises(PaceEnded):
        await waiting
    with pytest.raises(PaceEnded):
        await pace.attempt(script.send)
    assert len(script.at) == 1


async def test_who_need_not_wait_at_the_end_is_sent() -> None:
    world = World()
    pace = pace_in(world)
    pace.end()

    assert await pace.attempt(Script(world).send) == Accepted()


async def test_a_cancelled_wait_leaves_the_turn_to_others() -> None:
    world = World()
    pace, script = Pace(clock=world.clock, random=world.random, sleep=never), Script(world, AGAIN)
    await pace.attempt(script.send)
    waiting = asyncio.ensure_future(pace.attempt(script.send))
    await asyncio.sleep(0)

    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    world.clock.turn(1.0)

    assert await pace.attempt(script.send) == Accepted()


def never(_: float) -> Coroutine[object, object, None]:
    async def wait() -> None:
        await asyncio.Event().wait()

    return wait()
