"""The use cases of workflows, as one replica and as two that share a journal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from ignis_server.clock import SystemClock
from ignis_server.errors import (
    DefinitionNotFound,
    InvalidRequest,
    LeaseLost,
    RequestIdReused,
    ResumeTokenInvalid,
    RunNotFound,
    StepNotFound,
    TooManyWaiters,
)
from ignis_server.signals import AttemptEnded, RunEnded, RunReached
from ignis_server.workflow.commands import ApproveInput, CancelRun, FailStep
from ignis_server.workflow.ids import new_run_id
from ignis_server.workflow.journal import Retention, RunFilter
from ignis_server.workflow.memory_journal import MemoryJournal
from ignis_server.workflow.model import Approval, Definition, RetryPolicy, StepDefinition
from ignis_server.workflow.run import Run
from ignis_server.workflow.run_watch import Beat, Changes, Seen
from ignis_server.workflow.wakeups import LocalWakeups
from ignis_server.workflow.words import Failure, RunState, StepState
from support.journals import CHAIN, sqlite_journal
from support.running_workflows import Replica

WIDE = Definition("wide", "Wide", steps=tuple(StepDefinition(f"s{number}", executor="echo") for number in range(20)))
GATED = Definition("gated", "Gated", steps=(StepDefinition("draft", executor="echo", approval=Approval()),))
LOST = Definition("lost", "Lost", steps=(StepDefinition("only", agent="gone/agent", executor="echo"),))
CHOSEN = Definition(
    "chosen", "Chosen", steps=(StepDefinition("only", instruction="Do it", executor="echo", is_selected=True),)
)
RETRIED = Definition(
    "retried",
    "Retried",
    steps=(
        StepDefinition(
            "only", executor="echo", retry=RetryPolicy(max_attempts=2, initial_backoff=timedelta(milliseconds=50))
        ),
    ),
)
REVIEWED = Definition(
    "reviewed", "Reviewed", steps=(*GATED.steps, StepDefinition("publish", needs=("draft",), executor="echo"))
)
DEFINITIONS = {each.id: each for each in (CHAIN.definition, WIDE, GATED, REVIEWED, LOST, CHOSEN, RETRIED)}


@pytest.fixture(params=["memory", "sqlite"])
async def replica(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Replica]:
    if request.param == "memory":
        wakeups = LocalWakeups()
        yield Replica(MemoryJournal(clock=SystemClock(), wakeups=wakeups), DEFINITIONS, wakeups)
        return
    async with sqlite_journal(tmp_path / "journal.db") as journal:
        yield Replica(journal, DEFINITIONS, journal._wakeups)


def other(replica: Replica) -> Replica:
    """Return another replica on the same journal, of which it hears nothing."""
    return Replica(replica.journal, DEFINITIONS, LocalWakeups(), poll=timedelta(milliseconds=20))


async def seen(replica: Replica, run_id: str, after: int | None = None) -> list[Seen]:
    async with aclosing(replica.watch.watch(run_id, after)) as watch:
        return [each async for each in watch]


async def test_a_run_goes_from_its_start_to_its_end(replica: Replica) -> None:
    run = await replica.start("chain")
    async with asyncio.timeout(10):
        await replica.work("w", until=run)

    ended = await replica.runs.run(run.id)
    assert (ended.state, UUID(run.id).version) == (RunState.COMPLETED, 7)
    assert [step.state for step in ended.ordered_steps()] == [StepState.COMPLETED] * 3
    (summary,) = await replica.runs.page(RunFilter(), limit=10, behind=None)
    assert (summary.id, summary.state, summary.ended_steps) == (run.id, RunState.COMPLETED, 3)


async def test_a_repeated_start_is_the_same_run_as_it_began(replica: Replica) -> None:
    run = await replica.start("chain")
    claimed = await replica.claim("w")
    assert claimed is not None

    assert await replica.start("chain") == run
    assert await other(replica).start("chain") == run
    with pytest.raises(RequestIdReused):
        await replica.start("wide")
    assert len(await replica.runs.page(RunFilter(), limit=10, behind=None)) == 1


async def test_what_cannot_be_started_is_told(replica: Replica) -> None:
    with pytest.raises(DefinitionNotFound, match="did you mean chain"):
        await replica.start("chian")
    with pytest.raises(InvalidRequest, match="no such input"):
        await replica.start("chain", unknown=1)
    assert await replica.runs.page(RunFilter(), limit=10, behind=None) == ()


async def test_names_find_definitions_where_they_are_unique() -> None:
    twins = {each.id: each for each in (Definition("a", "Twin"), Definition("b", "Twin"), Definition("c", "Only"))}
    replica = Replica(MemoryJournal(clock=SystemClock(), wakeups=LocalWakeups()), twins)

    assert (await replica.start("only")).started.definition_id == "c"
    with pytest.raises(InvalidRequest, match="one of a, b"):
        await replica.start("twin", "another")


async def test_a_cancelled_run_says_the_same_again(replica: Replica) -> None:
    run = await replica.start("chain")
    canceled = await replica.runs.cancel(run.id, CancelRun("cancel", "enough"), "digest")

    assert canceled.state is RunState.CANCELED
    assert await replica.runs.cancel(run.id, CancelRun("cancel", "enough"), "digest") == canceled
    assert (await other(replica).runs.cancel(run.id, CancelRun("again"), "other")).version == canceled.version
    with pytest.raises(RequestIdReused):
        await replica.runs.cancel(run.id, CancelRun("cancel", "why"), "another digest")


async def test_what_is_not_there_is_told(replica: Replica) -> None:
    run = await replica.start("chain")

    with pytest.raises(RunNotFound):
        await replica.runs.run(new_run_id())
    with pytest.raises(RunNotFound):
        await replica.runs.cancel(new_run_id(), CancelRun("c"), "digest")
    with pytest.raises(StepNotFound):
        await replica.runs.step(run.id, "four")


async def test_two_replicas_never_decide_on_what_has_changed_meanwhile(replica: Replica) -> None:
    another = other(replica)
    run = await replica.start("chain")
    first = await another.claim("w1")
    assert first is not None
    await another.complete(first, text="from there")

    second = await replica.claim("w2")

    assert second is not None
    assert (second.step.id, second.run.steps["one"].output) == ("two", b'{"text":"from there"}')
    repeated = await replica.complete(first, text="again, and otherwise")
    assert repeated.version == second.run.version == (await another.runs.run(run.id)).version


async def test_many_workers_of_two_replicas_do_each_step_once(replica: Replica) -> None:
    another = other(replica)
    runs = [await replica.start("wide", f"start-{number}") for number in range(3)]
    claimed: list[str] = []

    async def worker(at: Replica, name: str) -> None:
        number = 0
        while step := await at.claim(f"{name}-{number}"):
            number += 1
            claimed.append(f"{step.run.id}/{step.step.id}")
            await at.complete(step)

    async with asyncio.timeout(30):
        await asyncio.gather(
            *(worker(at, f"{name}{n}") for n in range(5) for name, at in (("a", replica), ("b", another)))
        )

    assert len(claimed) == len(set(claimed)) == 60
    assert {(await replica.runs.run(run.id)).state for run in runs} == {RunState.COMPLETED}


async def test_a_claim_waits_until_a_step_is_ready(replica: Replica) -> None:
    waiting = asyncio.create_task(replica.claim("w", wait=10))
    await asyncio.sleep(0.05)
    run = await replica.start("chain")

    async with asyncio.timeout(2):
        claimed = await waiting

    assert claimed is not None
    assert (claimed.run.id, claimed.step.id, claimed.lease.worker_id) == (run.id, "one", "w")
    assert claimed.bundle is not None
    assert claimed.bundle.agent_id == "a/pm"
    assert claimed.inputs.document == b'{"inputs":{},"steps":{}}'


async def test_a_claim_whose_answer_got_lost_gets_it_again(replica: Replica) -> None:
    await replica.start("chain")
    first = await replica.claim("w")

    assert await replica.claim("w") == first
    assert await other(replica).claim("w") == first
    assert await replica.claim("x") is None


async def test_waiters_are_bounded(replica: Replica) -> None:
    crowded = Replica(replica.journal, DEFINITIONS, replica.wakeups, max_waiting=2)
    waiting = [asyncio.create_task(crowded.claim(f"w{number}", wait=5)) for number in range(2)]
    await asyncio.sleep(0.05)

    with pytest.raises(TooManyWaiters):
        await crowded.claim("one more")

    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert await crowded.claim("another") is None


async def test_a_hundred_idle_workers_ask_the_journal_once_for_a_bell(replica: Replica) -> None:
    asked = 0
    offered = replica.journal.offered

    async def counted(*arguments: object, **named: object) -> object:
        nonlocal asked
        asked += 1
        return await offered(*arguments, **named)  # type: ignore[arg-type]  # passed on

    replica.journal.offered = counted  # type: ignore[method-assign,assignment]  # counted, and passed on
    waiting = [asyncio.create_task(replica.claim(f"w{number}", wait=1)) for number in range(100)]
    await asyncio.sleep(0.5)
    before = asked
    await replica.start("chain")
    found = await asyncio.gather(*waiting)

    assert sum(each is not None for each in found) == 1
    # One look finds the step for all; at most one more says that there is no other.
    assert 1 <= asked - before <= 2


async def test_a_step_whose_agent_is_gone_fails_and_says_so(replica: Replica) -> None:
    run = await replica.start("lost")

    assert await replica.claim("w") is None

    ended = await replica.runs.run(run.id)
    assert ended.state is RunState.FAILED
    assert ended.failure is not None
    assert (ended.failure.code, "gone/agent" in ended.failure.message) == ("agent-unavailable", True)


async def test_the_loader_chooses_where_the_step_leaves_it_the_choice(replica: Replica) -> None:
    await replica.start("chosen")

    claimed = await replica.claim("w")

    assert claimed is not None
    assert claimed.step.agent_id == "a/chosen"
    (wish,) = replica.bundles.wishes
    assert (wish.agent_id, wish.task) == ("", "Do it")


async def test_an_approval_is_given_once(replica: Replica) -> None:
    run = await replica.start("gated")
    claimed = await replica.claim("w")
    assert claimed is not None
    held = await replica.complete(claimed, text="draft")
    (asked,) = held.input_requests.values()
    assert held.state is RunState.INPUT_REQUIRED

    approve = ApproveInput("approve", asked.id, "good")
    approved = await replica.runs.answer_once(run.id, approve, "approve", "digest")

    assert approved.state is RunState.COMPLETED
    assert await other(replica).runs.answer_once(run.id, approve, "approve", "digest") == approved


async def test_a_repetition_that_overlaps_gets_the_first_answer_although_the_run_has_gone_on(replica: Replica) -> None:
    run = await replica.start("reviewed")
    claimed = await replica.claim("w")
    assert claimed is not None
    (asked,) = (await replica.complete(claimed, text="draft")).input_requests.values()
    late, answered, overtaken = other(replica), replica.journal.answered, asyncio.Event()

    async def delayed(request_id: str) -> object:
        found = await answered(request_id)
        await overtaken.wait()
        return found

    approve = ApproveInput("approve", asked.id, "good")
    replica.journal.answered = delayed  # type: ignore[method-assign,assignment]  # passed on, late
    repeating = asyncio.create_task(late.runs.answer_once(run.id, approve, "approve", "digest"))
    different = asyncio.create_task(late.runs.answer_once(run.id, approve, "approve", "another digest"))
    await asyncio.sleep(0.1)
    replica.journal.answered = answered  # type: ignore[method-assign]  # as it was
    approved = await replica.runs.answer_once(run.id, approve, "approve", "digest")
    assert await replica.claim("x") is not None
    overtaken.set()

    assert await repeating == approved
    with pytest.raises(RequestIdReused):
        await different


async def test_a_watcher_sees_every_event_once_and_in_order(replica: Replica) -> None:
    run = await replica.start("chain")
    async with asyncio.timeout(10):
        watched, from_the_middle, _ = await asyncio.gather(
            seen(replica, run.id), seen(other(replica), run.id, after=2), replica.work("w", until=run)
        )

    first, *rest = watched
    last = await replica.runs.run(run.id)
    assert first == run
    changes = [change for each in rest if isinstance(each, Changes) for change in each.changes]
    assert [change.recorded.version for change in changes] == list(range(run.version + 1, last.version + 1))
    assert changes[-1].after == last
    resumed = [change for each in from_the_middle if isinstance(each, Changes) for change in each.changes]
    assert [change.recorded.version for change in resumed] == list(range(3, last.version + 1))


async def test_a_watch_of_what_has_ended_ends_at_once(replica: Replica) -> None:
    run = await replica.start("chain")
    ended = await replica.runs.cancel(run.id, CancelRun("c"), "digest")

    async with asyncio.timeout(2):
        assert await seen(replica, run.id) == [ended]
        assert await seen(replica, run.id, after=ended.version) == []
        with pytest.raises(ResumeTokenInvalid):
            await seen(replica, run.id, after=ended.version + 1)
        with pytest.raises(RunNotFound):
            await seen(replica, new_run_id())


async def test_a_quiet_watch_says_that_it_is_alive_and_ends_with_the_server(replica: Replica) -> None:
    quiet = Replica(
        replica.journal,
        DEFINITIONS,
        replica.wakeups,
        heartbeat=timedelta(milliseconds=30),
        poll=timedelta(milliseconds=10),
    )
    run = await replica.start("chain")
    heard: list[Seen] = []
    async with asyncio.timeout(5), aclosing(quiet.watch.watch(run.id, None)) as watch:
        async for each in watch:
            heard.append(each)
            if isinstance(each, Beat):
                quiet.closing.set()

    assert isinstance(heard[0], Run)
    assert [each.version for each in heard[1:] if isinstance(each, Beat)] == [run.version]


async def test_a_watcher_that_does_not_read_holds_up_nobody(replica: Replica) -> None:
    run = await replica.start("chain")
    slow = replica.watch.watch(run.id, None)
    assert await anext(slow) == run
    async with asyncio.timeout(10):
        await asyncio.gather(*(seen(replica, run.id) for _ in range(50)), replica.work("w", until=run))

    rest = [each async for each in slow]
    assert isinstance(rest[-1], Changes)
    assert rest[-1].changes[-1].after == await replica.runs.run(run.id)


async def test_a_lost_worker_is_noticed_and_another_does_its_step(replica: Replica) -> None:
    sweeping = asyncio.create_task(replica.sweeper.run())
    try:
        await replica.start("chain")
        lost = await replica.claim("lost", lease=0.1)
        assert lost is not None

        async with asyncio.timeout(5):
            again = await replica.claim("heir", wait=5)

        assert again is not None
        assert (again.step.id, again.step.attempt) == ("one", 2)
        with pytest.raises(LeaseLost):
            await replica.complete(lost, text="late")
    finally:
        sweeping.cancel()


async def test_a_failed_attempt_comes_again_after_its_back_off(replica: Replica) -> None:
    sweeping = asyncio.create_task(replica.sweeper.run())
    try:
        run = await replica.start("retried")
        for attempt, name in ((1, "first"), (2, "second")):
            async with asyncio.timeout(5):
                claimed = await replica.claim(name, wait=5)
            assert claimed is not None
            assert claimed.step.attempt == attempt
            failure = Failure("busy", "the model is busy", is_retryable=True)
            await replica.runs.say(run.id, FailStep("only", attempt, name, failure))

        assert (await replica.runs.run(run.id)).state is RunState.FAILED
    finally:
        sweeping.cancel()


async def test_what_is_past_its_retention_is_removed(replica: Replica) -> None:
    brief = Replica(replica.journal, DEFINITIONS, replica.wakeups, retention=Retention(timedelta(), timedelta()))
    ended, open_run = await replica.start("chain"), await replica.start("chain", "another")
    await replica.runs.cancel(ended.id, CancelRun("c"), "digest")

    removed = await brief.sweeper.remove_old()

    assert removed >= 1
    assert [each.id for each in await replica.runs.page(RunFilter(), limit=10, behind=None)] == [open_run.id]


async def test_little_memory_is_enough_for_many_runs(replica: Replica) -> None:
    small = Replica(replica.journal, DEFINITIONS, replica.wakeups, known_bytes=10_000)
    runs = [await small.start("chain", f"start-{number}") for number in range(5)]
    async with asyncio.timeout(20):
        for run in runs:
            await small.work(f"w-{run.id}", until=run)

    assert {(await small.runs.run(run.id)).state for run in runs} == {RunState.COMPLETED}
    assert await other(replica).runs.run(runs[0].id) == await small.runs.run(runs[0].id)


async def test_what_becomes_of_runs_and_attempts_is_reported_once(replica: Replica) -> None:
    run = await replica.start("chain")
    async with asyncio.timeout(10):
        await replica.work("w", until=run)

    reported = replica.signals.reported
    assert [each.state for each in reported if isinstance(each, RunReached)] == ["submitted", "working", "completed"]
    attempts = [each for each in reported if isinstance(each, AttemptEnded)]
    assert [(each.outcome, each.attempt, each.run_id) for each in attempts] == [("completed", 1, run.id)] * 3
    assert all(each.began_ns < each.ended_ns for each in attempts)
    (ended,) = [each for each in reported if isinstance(each, RunEnded)]
    assert (ended.state, ended.steps, ended.began_ns < ended.ended_ns) == ("completed", 3, True)
