"""The cache before the computation: what it finds, what it computes, and how often."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from ignis_server.agents.answers import Answer, Answered, Outcome, Refused
from ignis_server.agents.cache.cached_answers import CachedAnswers, CacheLimits
from ignis_server.agents.cache.keeper import CacheKeeper, CareLimits
from ignis_server.agents.cache.shared_store import NoStore, SharedStore
from ignis_server.agents.canonical import LoadRequest
from ignis_server.agents.model import AgentFilter, AgentFormat, DetailLevel, HeldBundle, Project, TokenPrices
from ignis_server.agents.selection.embedding import StaticEmbedder
from ignis_server.agents.selection.hybrid import HybridSelector
from ignis_server.agents.snapshot import Snapshot, compile_snapshot
from ignis_server.agents.source import read_directories
from ignis_server.agents.visibility import Visibility
from ignis_server.errors import (
    AgentNotFound,
    AmbiguousAgent,
    BudgetTooSmall,
    IgnisError,
    InvalidRequest,
    TeamNotFound,
    Violation,
)
from ignis_server.signals import BundleCounts, CacheWarmed
from support.catalogs import write_files
from support.fakes import HandClock, RecordedSignals, StoreInMemory, WordTokenizer

COUNTS = BundleCounts(1, 8, 1, 0, 100, 5, 5, 50, 10, 5, 6)
LIMITS = CacheLimits(memory_seconds=100, seconds=1_000, refusal_seconds=10)


class Counting:
    """Computes an answer that names its question, and counts how often."""

    def __init__(self, clock: HandClock) -> None:
        self.computed: Counter[tuple[str, str]] = Counter()
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self._clock = clock

    async def answer(self, request: LoadRequest, snapshot: Snapshot) -> tuple[Answer, Outcome]:
        self.computed[request.project.brief, snapshot.catalog.revision] += 1
        await self.gate.wait()
        self._clock.turn(0.001)
        if self.error:
            raise self.error
        if request.project.required_agents:
            return Refused(AgentNotFound(request.project.required_agents[0], ())), Outcome.COMPUTED
        return Answered(f"{request.project.brief} {snapshot.catalog.revision}".encode(), COUNTS), Outcome.COMPUTED


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def computed(clock: HandClock) -> Counting:
    return Counting(clock)


@pytest.fixture
def store(clock: HandClock) -> StoreInMemory:
    return StoreInMemory(clock)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory, embedder: StaticEmbedder) -> Snapshot:
    sources = read_directories((write_files(tmp_path_factory.mktemp("catalog")),))
    return compile_snapshot(sources, tokenizer=WordTokenizer(), selector=HybridSelector(embedder), clock=HandClock())


def another(snapshot: Snapshot, revision: str) -> Snapshot:
    return replace(snapshot, catalog=replace(snapshot.catalog, revision=revision))


Replica = Callable[[], CachedAnswers]


@pytest.fixture
def replica(computed: Counting, store: StoreInMemory, clock: HandClock) -> Replica:
    return lambda: CachedAnswers(computed, store, LIMITS, clock)


def asked(brief: str = "bread", **more: object) -> LoadRequest:
    return LoadRequest.of(Project(brief=brief, **more), 1_000)  # type: ignore[arg-type]  # whatever a test gives


async def outcome_of(cached: CachedAnswers, snapshot: Snapshot, request: LoadRequest | None = None) -> Outcome:
    return (await cached.answer(request or asked(), snapshot))[1]


async def test_computed_once_then_found_in_memory_then_by_others(replica: Replica, snapshot: Snapshot) -> None:
    one, other = replica(), replica()

    outcomes = [await outcome_of(each, snapshot) for each in (one, one, other, other)]

    assert outcomes == [Outcome.COMPUTED, Outcome.PROCESS_HIT, Outcome.SHARED_HIT, Outcome.PROCESS_HIT]


async def test_however_many_ask_at_once_it_is_computed_once(
    replica: Replica, computed: Counting, snapshot: Snapshot
) -> None:
    computed.gate.clear()
    cached = replica()
    calls = [asyncio.create_task(outcome_of(cached, snapshot)) for _ in range(50)]
    await asyncio.sleep(0)
    computed.gate.set()

    assert Counter(await asyncio.gather(*calls)) == {Outcome.COMPUTED: 1, Outcome.COALESCED: 49}
    assert set(computed.computed.values()) == {1}


async def test_replicas_that_are_asked_at_once_compute_once_together(
    replica: Replica, computed: Counting, snapshot: Snapshot
) -> None:
    computed.gate.clear()
    calls = [asyncio.create_task(outcome_of(replica(), snapshot)) for _ in range(3)]
    await asyncio.sleep(0.02)
    computed.gate.set()

    assert Counter(await asyncio.gather(*calls)) == {Outcome.COMPUTED: 1, Outcome.COALESCED: 2}
    assert set(computed.computed.values()) == {1}


async def test_a_replica_that_died_with_a_claim_is_waited_for_no_longer_than_its_claim_holds(
    replica: Replica, store: StoreInMemory, computed: Counting, snapshot: Snapshot, clock: HandClock
) -> None:
    dead, alive = replica(), replica()
    computed.gate.clear()
    dying = asyncio.create_task(outcome_of(dead, snapshot))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(outcome_of(alive, snapshot))
    await asyncio.sleep(0.02)
    dying.cancel()
    assert not waiting.done()
    clock.turn(LIMITS.claim_seconds)
    await asyncio.sleep(0.1)
    computed.gate.set()

    assert await waiting is Outcome.COMPUTED
    assert store.values


async def test_a_caller_that_gives_up_takes_nothing_from_others(
    replica: Replica, computed: Counting, snapshot: Snapshot
) -> None:
    computed.gate.clear()
    cached = replica()
    first = asyncio.create_task(outcome_of(cached, snapshot))
    await asyncio.sleep(0)
    second = asyncio.create_task(outcome_of(cached, snapshot))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    computed.gate.set()

    assert await second is Outcome.COALESCED
    assert set(computed.computed.values()) == {1}


async def test_what_nobody_waits_for_any_more_is_ended_at_the_end_and_left_to_others(
    replica: Replica, computed: Counting, snapshot: Snapshot
) -> None:
    computed.gate.clear()
    ending, other = replica(), replica()
    caller = asyncio.create_task(outcome_of(ending, snapshot))
    await asyncio.sleep(0)
    caller.cancel()
    await ending.aclose()
    computed.gate.set()

    assert await outcome_of(other, snapshot) is Outcome.COMPUTED
    assert set(computed.computed.values()) == {1}


async def test_what_fails_is_told_to_all_and_tried_again(
    replica: Replica, computed: Counting, snapshot: Snapshot
) -> None:
    cached = replica()
    computed.error = ZeroDivisionError()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await cached.answer(asked(), snapshot)
    computed.error = None

    assert await outcome_of(cached, snapshot) is Outcome.COMPUTED


async def test_another_revision_selector_budget_or_visibility_has_answers_of_its_own(
    replica: Replica, snapshot: Snapshot
) -> None:
    cached = replica()
    await cached.answer(asked(), snapshot)
    others = [
        (asked(), another(snapshot, "sha256:another")),
        (asked(), replace(snapshot, selector_version="another")),
        (asked(budget_tokens=999), snapshot),
        (LoadRequest.of(Project(brief="bread"), 1_001), snapshot),
        (LoadRequest.of(Project(brief="bread"), 1_000, Visibility("tenant")), snapshot),
        (LoadRequest.of(Project(brief="bread"), 1_000, Visibility("", ("skills",))), snapshot),
    ]

    assert [await outcome_of(cached, which, request) for request, which in others] == [Outcome.COMPUTED] * 6


PROJECT = Project(
    brief="Bakes bread.\n\n- at night",
    task="sell it",
    tags=("a", "b"),
    required_agents=("x", "y"),
    forbidden_agents=("m", "n"),
    filter=AgentFilter(frozenset({AgentFormat.AGENT_SKILL, AgentFormat.A2A_CARD}), frozenset({"one", "two"})),
    budget_tokens=1_000,
)


@pytest.mark.parametrize(
    "same",
    [
        {"brief": "  Bakes\tbread.  \r\n\r\n\r\n\r\n -  at   night\n\n"},
        {"task": "sell  it "},
        {"forbidden_agents": ("n", "m")},
        {"filter": AgentFilter(frozenset({AgentFormat.A2A_CARD, AgentFormat.AGENT_SKILL}), frozenset({"two", "one"}))},
        {"budget_tokens": None},
    ],
)
def test_what_means_the_same_has_one_digest(same: dict[str, object]) -> None:
    request = LoadRequest.of(replace(PROJECT, **same), 1_000)  # type: ignore[arg-type]

    assert request.digest == LoadRequest.of(PROJECT, 1_000).digest


@pytest.mark.parametrize(
    "other",
    [
        {"brief": "Bakes bread.\n- at night"},
        {"task": "sell"},
        {"tags": ("a",)},
        {"required_agents": ("y", "x")},
        {"required_teams": ("t",)},
        {"forbidden_agents": ("m",)},
        {"filter": AgentFilter()},
        {"budget_tokens": 1_001},
        {"min_recall": 0.95},
        {"max_detail": DetailLevel.CARD},
        {"prices": TokenPrices(0.2)},
        {"held": HeldBundle("1.0", ())},
    ],
)
def test_what_means_something_else_has_another_digest(other: dict[str, object]) -> None:
    request = LoadRequest.of(replace(PROJECT, **other), 1_000)  # type: ignore[arg-type]

    assert request.digest != LoadRequest.of(PROJECT, 1_000).digest


def test_a_request_comes_out_of_its_bytes_as_it_went_in() -> None:
    request = LoadRequest.of(replace(PROJECT, held=HeldBundle("1.0", ())), 1_000, Visibility("t", ("b", "a")))

    again = LoadRequest.unpacked(request.packed)

    assert again
    assert (again.project, again.visibility, again.digest) == (request.project, request.visibility, request.digest)
    assert LoadRequest.unpacked(b"foreign") is None


@pytest.mark.parametrize(
    "error",
    [
        AgentNotFound("x", ("y", "z")),
        AmbiguousAgent("x", ("a", "b"), count=3),
        TeamNotFound("x", ("y",)),
        BudgetTooSmall(budget_tokens=1, smallest_tokens=2, smallest_agents=("a",)),
        InvalidRequest((Violation("brief", "is empty"),)),
    ],
)
async def test_errors_are_kept_for_a_shorter_time_and_told_word_by_word(
    store: StoreInMemory, clock: HandClock, snapshot: Snapshot, error: IgnisError
) -> None:
    class Refusing:
        async def answer(self, request: LoadRequest, snapshot: Snapshot) -> tuple[Answer, Outcome]:  # noqa: ARG002
            return Refused(error), Outcome.COMPUTED

    one, other = (CachedAnswers(Refusing(), store, LIMITS, clock) for _ in range(2))
    await one.answer(asked(), snapshot)
    told, outcome = await other.answer(asked(), snapshot)

    assert outcome is Outcome.SHARED_HIT
    assert isinstance(told, Refused)
    assert (type(told.error), str(told.error), vars(told.error)) == (type(error), str(error), vars(error))
    clock.turn(LIMITS.refusal_seconds * 1.2)
    assert await outcome_of(one, snapshot) is Outcome.COMPUTED


async def test_a_pin_that_leads_nowhere_here_may_lead_somewhere_elsewhere(
    replica: Replica, store: StoreInMemory, snapshot: Snapshot
) -> None:
    cached = replica()
    request = asked(required_agents=("haiku@0123456789",))

    assert [await outcome_of(cached, snapshot, request) for _ in range(2)] == [Outcome.COMPUTED] * 2
    assert store.values == {}


async def test_memory_forgets_before_the_store_does(replica: Replica, snapshot: Snapshot, clock: HandClock) -> None:
    cached = replica()
    await cached.answer(asked(), snapshot)

    clock.turn(LIMITS.memory_seconds * 1.2)
    assert await outcome_of(cached, snapshot) is Outcome.SHARED_HIT
    clock.turn(LIMITS.seconds * 1.2)
    assert await outcome_of(cached, snapshot) is Outcome.COMPUTED


async def test_answers_that_came_together_do_not_go_together(
    replica: Replica, snapshot: Snapshot, clock: HandClock
) -> None:
    cached = replica()
    requests = [asked(f"bread {number}") for number in range(50)]
    for request in requests:
        await cached.answer(request, snapshot)
    clock.turn(LIMITS.memory_seconds - 0.05)
    outcomes = {await outcome_of(cached, snapshot, request) for request in requests}

    assert outcomes == {Outcome.PROCESS_HIT, Outcome.SHARED_HIT}


async def test_what_is_in_use_lives_on_and_what_is_not_goes(
    replica: Replica, store: StoreInMemory, computed: Counting, snapshot: Snapshot, clock: HandClock
) -> None:
    cached = replica()
    await cached.answer(asked("used"), snapshot)
    await cached.answer(asked("unused"), snapshot)
    for _ in range(30):
        clock.turn(50)
        await cached.answer(asked("used"), snapshot)
        await cached.refresh(snapshot.catalog.revision, within=60)

    assert await outcome_of(cached, snapshot, asked("used")) is Outcome.PROCESS_HIT
    assert await outcome_of(replica(), snapshot, asked("used")) is Outcome.SHARED_HIT
    assert await outcome_of(cached, snapshot, asked("unused")) is Outcome.COMPUTED
    assert computed.computed["used", snapshot.catalog.revision] == 1
    assert len(store.values) == 2


async def test_memory_is_bounded(computed: Counting, clock: HandClock, snapshot: Snapshot) -> None:
    cached = CachedAnswers(computed, NoStore(), replace(LIMITS, memory_bytes=10_000), clock)
    for number in range(100):
        await cached.answer(asked(f"bread {number}"), snapshot)

    assert 5_000 < cached.memory_bytes <= 10_000
    assert await outcome_of(cached, snapshot, asked("bread 99")) is Outcome.PROCESS_HIT
    assert await outcome_of(cached, snapshot, asked("bread 0")) is Outcome.COMPUTED


async def test_a_value_of_the_store_that_is_none_is_computed_and_replaced(
    replica: Replica, store: StoreInMemory, snapshot: Snapshot
) -> None:
    await replica().answer(asked(), snapshot)
    store.values = dict.fromkeys(store.values, b"foreign")

    assert await outcome_of(replica(), snapshot) is Outcome.COMPUTED
    assert await outcome_of(replica(), snapshot) is Outcome.SHARED_HIT


def keeper_of(
    cached: CachedAnswers, store: SharedStore, clock: HandClock, *, prepare_seconds: float = 10.0
) -> tuple[CacheKeeper, RecordedSignals]:
    signals = RecordedSignals()
    limits = CareLimits(requests=100, prepare_seconds=prepare_seconds)
    return CacheKeeper(cached, store, limits, clock=clock, signals=signals), signals


async def test_hot_requests_are_ready_before_a_revision_goes_live(
    replica: Replica, store: StoreInMemory, clock: HandClock, snapshot: Snapshot
) -> None:
    cached = replica()
    for number in range(20):
        await cached.answer(asked(f"bread {number}"), snapshot)
    keeper, signals = keeper_of(cached, store, clock)
    successor = another(snapshot, "sha256:next")

    await keeper.prepare(snapshot, successor)

    outcomes = [await outcome_of(cached, successor, asked(f"bread {number}")) for number in range(20)]
    assert outcomes == [Outcome.PROCESS_HIT] * 20
    (signal,) = signals.reported
    assert isinstance(signal, CacheWarmed)
    assert (signal.occasion, signal.ready, signal.left) == ("revision", 20, 0)


async def test_a_revision_waits_no_longer_than_it_may_and_the_most_used_come_first(
    replica: Replica, store: StoreInMemory, clock: HandClock, snapshot: Snapshot
) -> None:
    cached = replica()
    for number in range(40):
        for _ in range(1 + number):
            await cached.answer(asked(f"bread {number}"), snapshot)
    keeper, signals = keeper_of(cached, store, clock, prepare_seconds=0.0165)

    await keeper.prepare(snapshot, another(snapshot, "sha256:next"))

    ready = {hot.request.project.brief for hot in cached.hot("sha256:next")}
    assert {f"bread {number}" for number in range(24, 40)} <= ready
    assert "bread 0" not in ready
    (signal,) = signals.reported
    assert isinstance(signal, CacheWarmed)
    assert signal.left > 0


async def test_a_replica_that_starts_finds_what_others_were_asked(
    replica: Replica, store: StoreInMemory, clock: HandClock, snapshot: Snapshot
) -> None:
    cached = replica()
    for number in range(20):
        for _ in range(2):
            await cached.answer(asked(f"bread {number}"), snapshot)
    await store.note({hot.request.packed: 1.0 for hot in cached.hot(snapshot.catalog.revision)}, keep=100)
    await store.note({b"foreign": 2.0}, keep=100)
    late = replica()
    keeper, signals = keeper_of(late, store, clock)

    await keeper.warm(snapshot)

    assert await outcome_of(late, snapshot, asked("bread 7")) is Outcome.PROCESS_HIT
    (signal,) = signals.reported
    assert isinstance(signal, CacheWarmed)
    assert (signal.occasion, signal.ready, signal.left) == ("start", 20, 0)
