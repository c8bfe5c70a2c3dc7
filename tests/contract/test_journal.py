"""What every journal keeps to: the one in memory, on SQLite, and on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from ignis_server.clock import SystemClock
from ignis_server.errors import RunNotFound
from ignis_server.workflow.commands import CancelRun, ClaimStep
from ignis_server.workflow.events import Recorded
from ignis_server.workflow.journal import (
    Answered,
    Beside,
    Journal,
    Offer,
    RaceLost,
    Removed,
    Request,
    Retention,
    RunCursor,
    RunFilter,
    RunSummary,
)
from ignis_server.workflow.memory_journal import MemoryJournal
from ignis_server.workflow.state_machine import decide
from ignis_server.workflow.wakeups import LocalWakeups
from ignis_server.workflow.words import RunState
from support.journals import CHAIN, LEASE, Keeper, begun, postgres_journal, sqlite_journal
from support.postgres import new_database

ALL = Offer(frozenset({"echo", "git", "bash"}))
HOLD = timedelta(minutes=1)
NO_HOLD = timedelta()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def journal(request: pytest.FixtureRequest, tmp_path: Path, postgres_url: str) -> AsyncIterator[Journal]:
    if request.param == "memory":
        yield MemoryJournal(clock=SystemClock(), wakeups=LocalWakeups())
    elif request.param == "sqlite":
        async with sqlite_journal(tmp_path / "journal.db") as sqlite:
            yield sqlite
    else:
        async with (
            new_database(postgres_url) as url,
            postgres_journal(url) as on_postgres,
        ):
            yield on_postgres


async def test_what_was_written_is_read_in_order(journal: Journal) -> None:
    kept = await Keeper.start(journal, "run")
    await kept.finish()

    assert await kept.read() == kept.run
    events = await journal.events("run")
    assert [each.version for each in events] == list(range(1, kept.run.version + 1))
    assert await journal.events("run", after=3) == events[3:]
    assert await journal.events("run", after=kept.run.version) == ()
    assert await journal.definition(CHAIN.digest) == CHAIN.definition


async def test_pages_of_events_follow_each_other_without_gap(journal: Journal) -> None:
    kept = await Keeper.start(journal, "run")
    await kept.finish()
    found: list[Recorded] = []
    after = 0
    while page := await journal.events("run", after=after, limit=2):
        found += page
        after = page[-1].version

    assert tuple(found) == await journal.events("run")


async def test_what_is_not_there_is_not_found(journal: Journal) -> None:
    with pytest.raises(RunNotFound):
        await journal.events("nothing")
    assert await journal.definition("sha256:0") is None
    assert await journal.blob("nothing", "sha256:0") is None
    assert await journal.lease_of("nothing") is None
    assert await journal.answered("nothing") is None
    assert await journal.next_deadline() is None
    assert await journal.offered(ALL, limit=10, hold=HOLD) == ()


async def test_of_two_who_decide_upon_the_same_state_one_loses_and_changes_nothing(journal: Journal) -> None:
    kept = await Keeper.start(journal, "run")
    now = await journal.now()
    one, other = (decide(kept.run, ClaimStep(f"claim-{n}", "one", f"w{n}", LEASE), now) for n in "12")

    outcomes = await asyncio.gather(
        journal.append(one),
        journal.append(other, Beside(Request("late", "x"), {"sha256:1": b"1"})),
        return_exceptions=True,
    )

    assert sorted(map(type, outcomes), key=str) == sorted((type(None), RaceLost), key=str)
    winner = one if outcomes[0] is None else other
    assert await kept.read() == winner.run
    if winner is one:
        assert await journal.answered("late") is None
        assert await journal.blob("run", "sha256:1") is None
        assert await journal.lease_of("claim-2") is None


async def test_a_run_begins_once(journal: Journal) -> None:
    kept = await Keeper.start(journal, "run")

    with pytest.raises(RaceLost):
        await journal.start(begun("run", await journal.now()))

    assert await kept.read() == kept.run


async def test_a_run_that_is_not_there_takes_no_events(journal: Journal) -> None:
    decision = begun("run", await journal.now())
    now = await journal.now()

    with pytest.raises(RaceLost):
        await journal.append(decide(decision.run, CancelRun("cancel"), now))
    with pytest.raises(RunNotFound):
        await journal.events("run")


async def test_a_request_is_answered_once_by_whomever(journal: Journal) -> None:
    request = Request("r", "sha256:1", b"answer")
    now = await journal.now()
    first, second = begun("run-1", now), begun("run-2", now)

    outcomes = await asyncio.gather(*(journal.start(each, Beside(request)) for each in (first, second)))

    assert outcomes.count(None) == 1
    winner = ("run-1", "run-2")[outcomes.index(None)]
    assert Answered(request, winner) in outcomes
    assert await journal.answered("r") == Answered(request, winner)
    assert [each.id for each in await journal.runs(RunFilter(), limit=10)] == [winner]


async def test_a_repeated_command_changes_nothing(journal: Journal) -> None:
    kept = await Keeper.start(journal, "run")
    request = Request("c", "sha256:1", b"canceled")
    before = kept.run
    decision = await kept.do(CancelRun("c"), Beside(request))

    assert await journal.append(decision, Beside(request)) == Answered(request, "run")
    assert before.version < kept.run.version
    assert await kept.read() == kept.run


async def test_blobs_are_kept_with_their_run(journal: Journal) -> None:
    kept = await Keeper.start(journal, "run")
    await kept.claim("one")
    blobs = {"sha256:1": b"\0" * 1_000_000, "sha256:2": b"2"}
    await kept.do(CancelRun("c"), Beside(blobs=blobs))

    assert {digest: await journal.blob("run", digest) for digest in blobs} == blobs
    assert await journal.blob("other", "sha256:1") is None


async def test_steps_are_offered_to_those_who_can_do_them(journal: Journal) -> None:
    kept = await Keeper.start(journal, "run")
    other = await Keeper.start(journal, "other")
    await other.claim("one")
    await other.complete("one")

    async def ids(offer: Offer) -> list[tuple[str, str]]:
        return [(each.run_id, each.step_id) for each in await journal.offered(offer, limit=10, hold=NO_HOLD)]

    assert await ids(ALL) == [("run", "one"), ("other", "two")]
    assert await ids(Offer()) == []
    assert await ids(Offer(frozenset({"echo"}))) == [("run", "one")]
    assert await ids(Offer(frozenset({"git"}))) == []
    assert await ids(Offer(ALL.capabilities, agents=frozenset({"a/dev"}))) == [("other", "two")]
    assert await ids(Offer(ALL.capabilities, run_id="run")) == [("run", "one")]
    (step, *_) = await journal.offered(ALL, limit=1, hold=NO_HOLD)
    assert (step.attempt, step.agent_id, step.requires, step.since) == (0, "a/pm", ("echo",), kept.run.create_time)


async def test_what_is_held_for_one_is_offered_to_nobody_else(journal: Journal) -> None:
    for number in range(6):
        await Keeper.start(journal, f"run-{number}")

    offers = await asyncio.gather(*(journal.offered(ALL, limit=2, hold=HOLD) for _ in range(3)))

    seen = [each.run_id for offer in offers for each in offer]
    assert len(seen) == len(set(seen))
    rest = await journal.offered(ALL, limit=10, hold=HOLD)
    assert sorted(seen + [each.run_id for each in rest]) == [f"run-{number}" for number in range(6)]
    assert await journal.offered(ALL, limit=10, hold=HOLD) == ()


async def test_a_claimed_step_has_a_lease_until_it_is_done(journal: Journal) -> None:
    kept = await Keeper.start(journal, "run")
    await kept.claim("one")

    lease = await journal.lease_of("claim-run-one")
    assert lease is not None
    assert (lease.run_id, lease.step_id, lease.attempt, lease.worker_id) == ("run", "one", 1, "w")
    assert await journal.offered(ALL, limit=10, hold=NO_HOLD) == ()
    await kept.complete("one")
    assert await journal.lease_of("claim-run-one") is None


async def test_the_end_of_a_run_takes_its_rows_along(journal: Journal) -> None:
    kept = await Keeper.start(journal, "run")
    other = await Keeper.start(journal, "other")
    await other.claim("one")

    await kept.do(CancelRun("c"))
    await other.do(CancelRun("d"))

    assert await journal.offered(ALL, limit=10, hold=NO_HOLD) == ()
    assert await journal.lease_of("claim-other-one") is None
    assert await journal.next_deadline() is None


async def test_runs_are_due_when_their_deadline_has_passed(journal: Journal) -> None:
    early, late, open_run = [await Keeper.start(journal, name) for name in ("early", "late", "open")]
    await early.claim("one", lease=timedelta())
    await late.claim("one", lease=timedelta(microseconds=1))
    await open_run.claim("one")
    while await journal.now() <= late.run.update_time + timedelta(microseconds=1):  # noqa: ASYNC110 - time tells nobody
        await asyncio.sleep(0.001)

    assert await journal.next_deadline() == early.run.update_time
    assert await journal.due(limit=1, hold=NO_HOLD) == ("early",)
    assert await journal.due(limit=10, hold=HOLD) == ("early", "late")
    assert await journal.due(limit=10, hold=HOLD) == ()


async def test_runs_are_listed_page_by_page_the_latest_first(journal: Journal) -> None:
    for number in range(7):
        await Keeper.start(journal, f"run-{number}", team="red" if number % 2 else "blue", all="yes")
    found: list[RunSummary] = []
    behind = None
    while page := await journal.runs(RunFilter(), limit=3, behind=behind):
        found += page
        behind = RunCursor(page[-1].create_time, page[-1].id)

    assert [each.id for each in found] == [f"run-{number}" for number in reversed(range(7))]
    assert found[0].labels == {"team": "blue", "all": "yes"}
    assert (found[0].ended_steps, found[0].known_steps) == (0, 3)


async def test_runs_are_found_by_what_they_are(journal: Journal) -> None:
    one = await Keeper.start(journal, "one", team="red", all="yes")
    two = await Keeper.start(journal, "two", team="blue", all="yes")
    await one.do(CancelRun("c"))

    async def ids(chosen: RunFilter) -> list[str]:
        return [each.id for each in await journal.runs(chosen, limit=10)]

    assert await ids(RunFilter(states=frozenset({RunState.CANCELED}))) == ["one"]
    assert await ids(RunFilter(states=frozenset({RunState.CANCELED, RunState.SUBMITTED}))) == ["two", "one"]
    assert await ids(RunFilter(definition_id="other")) == []
    assert await ids(RunFilter(labels={"team": "red", "all": "yes"})) == ["one"]
    assert await ids(RunFilter(labels={"team": "red", "all": "no"})) == []
    assert await ids(RunFilter(create_time_from=two.run.create_time)) == ["two"]
    assert await ids(RunFilter(create_time_until=two.run.create_time)) == ["one"]


async def test_what_is_past_its_retention_goes_bit_by_bit(journal: Journal) -> None:
    for number in range(3):
        kept = await Keeper.start(journal, f"run-{number}", team="red")
        await kept.do(CancelRun("c"), Beside(Request(f"c-{number}", ""), {"sha256:1": b"1"}))
    open_run = await Keeper.start(journal, "open")
    nothing = Retention(runs=timedelta(), requests=timedelta())

    assert await journal.remove_old(Retention(), limit=10) == Removed()
    assert await journal.remove_old(nothing, limit=2) == Removed(2, 2, 0)
    assert await journal.remove_old(nothing, limit=2) == Removed(1, 1, 0)
    assert await journal.remove_old(nothing, limit=2) == Removed()
    assert [each.id for each in await journal.runs(RunFilter(), limit=10)] == ["open"]
    assert await journal.blob("run-0", "sha256:1") is None
    with pytest.raises(RunNotFound):
        await journal.events("run-0")
    await open_run.do(CancelRun("c"))
    assert await journal.remove_old(nothing, limit=2) == Removed(1, 0, 1)
    assert await journal.definition(CHAIN.digest) is None


async def test_many_at_once_lose_nothing(journal: Journal) -> None:
    async def whole_run(number: int) -> None:
        kept = await Keeper.start(journal, f"run-{number}")
        await kept.finish()
        assert await kept.read() == kept.run

    await asyncio.gather(*(whole_run(number) for number in range(20)))

    assert {each.state for each in await journal.runs(RunFilter(), limit=100)} == {RunState.COMPLETED}
