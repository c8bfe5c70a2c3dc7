"""Nobody is ever served what was computed for other eyes: ten thousand cases, each checked against a fresh computation."""

import random
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pytest

from ignis_server.agents.answers import Answer, Answered, ComputedAnswers, Outcome, Refused
from ignis_server.agents.cache.cached_answers import CachedAnswers, CacheLimits
from ignis_server.agents.canonical import LoadRequest
from ignis_server.agents.loader import AgentLoader
from ignis_server.agents.model import Project
from ignis_server.agents.selection.embedding import StaticEmbedder
from ignis_server.agents.selection.hybrid import HybridSelector
from ignis_server.agents.snapshot import Snapshot, compile_snapshot
from ignis_server.agents.source import read_directories
from ignis_server.agents.visibility import Views, Visibility
from ignis_server.agents.wire.loading import from_loaded
from support.catalogs import FILES, write_files
from support.fakes import HandClock, RecordedSignals, StoreInMemory, WordTokenizer

CASES = 10_000
FOLDERS: tuple[tuple[str, ...], ...] = (
    ("",),
    ("backend", "payments"),
    ("backend",),
    ("skills",),
    ("skills", "pack"),
    ("skil",),
    ("nobody",),
)
TENANTS = ("", "acme", "globex")
PROJECTS = (
    Project(brief="tune slow PostgreSQL queries"),
    Project(brief="bread and haiku, Stripe payments", tags=("security",)),
    Project(brief="bread and haiku, Stripe payments", tags=("security",), budget_tokens=120),
    Project(brief="bread", required_agents=("postgres-dba",)),
    Project(brief="bread", forbidden_agents=("haiku", "payments-engineer")),
    Project(required_teams=("Duo",)),
    Project(required_agents=("skills/haiku",), budget_tokens=1),
    Project(task="review the code for security flaws", min_recall=0.95),
)

Eyes = tuple[str, tuple[str, ...]]


@pytest.fixture(scope="module")
def revisions(tmp_path_factory: pytest.TempPathFactory, embedder: StaticEmbedder) -> list[Snapshot]:
    """Three revisions: what some see of them differs, what others see is the same."""
    edits: list[Mapping[str, str]] = [
        {},
        {"skills/haiku/SKILL.md": FILES["skills/haiku/SKILL.md"].replace("one turn", "no turn")},
        {"backend/postgres-dba.md": FILES["backend/postgres-dba.md"].replace("slow queries", "lost rows")},
    ]
    return [
        compile_snapshot(
            read_directories((write_files(tmp_path_factory.mktemp("catalog"), {**FILES, **edit}),)),
            tokenizer=WordTokenizer(),
            selector=HybridSelector(embedder),
            clock=HandClock(),
        )
        for edit in edits
    ]


@pytest.fixture(scope="module")
def computed(embedder: StaticEmbedder) -> ComputedAnswers:
    clock, signals = HandClock(), RecordedSignals()
    views = Views(tokenizer=WordTokenizer(), selector=HybridSelector(embedder), clock=clock)
    return ComputedAnswers(AgentLoader(clock=clock, signals=signals), views, from_loaded)


def shown(answer: Answer) -> object:
    """Return what a caller sees of an answer."""
    match answer:
        case Answered(body, counts):
            return body, counts
        case Refused(error):
            return type(error), str(error), vars(error)


def request_of(project: Project, eyes: Eyes) -> LoadRequest:
    return LoadRequest.of(project, 10_000, Visibility(*eyes))


async def test_another_tenants_or_another_visibilitys_answer_is_never_served(
    revisions: list[Snapshot], computed: ComputedAnswers
) -> None:
    chance, clock = random.Random(4), HandClock()  # noqa: S311 - no secret
    eyes = list(product(TENANTS, FOLDERS))
    fresh = {
        (number, project, each): shown((await computed.answer(request_of(project, each), snapshot))[0])
        for (number, snapshot), project, each in product(enumerate(revisions), PROJECTS, eyes)
    }
    # Little memory, two replicas, time that passes: answers are found at both levels, evicted and expired.
    store = StoreInMemory(clock)
    limits = CacheLimits(memory_bytes=60_000, memory_seconds=30, seconds=300, refusal_seconds=20)
    replicas = [CachedAnswers(computed, store, limits, clock) for _ in range(2)]
    asked: set[tuple[int, Project, Eyes]] = set()
    outcomes = []
    for _ in range(CASES):
        number, project, each = case = (chance.randrange(len(revisions)), chance.choice(PROJECTS), chance.choice(eyes))
        answer, outcome = await chance.choice(replicas).answer(request_of(project, each), revisions[number])
        assert shown(answer) == fresh[case], case
        # What nobody with these eyes has asked for is no hit, though others were given the same.
        assert case in asked or outcome is Outcome.COMPUTED, case
        asked.add(case)
        outcomes.append(outcome)
        clock.turn(chance.expovariate(1.0))

    assert {Outcome.COMPUTED, Outcome.PROCESS_HIT, Outcome.SHARED_HIT} == set(outcomes)
    assert len(asked) == len(fresh)


async def test_an_answer_says_nothing_of_what_cannot_be_seen(
    revisions: list[Snapshot], computed: ComputedAnswers
) -> None:
    hidden = {
        folders: [
            text
            for agent in revisions[0].catalog.agents
            if not Visibility("", folders).shows(agent.definition.path)
            for text in (agent.agent_id, agent.definition.description, agent.digest)
        ]
        for folders in FOLDERS
    }
    for folders, project in product(FOLDERS, PROJECTS):
        answer, _ = await computed.answer(request_of(project, ("", folders)), revisions[0])
        said = str(shown(answer))
        asked = str(project)
        assert [text for text in hidden[folders] if text in said and text not in asked] == [], (folders, project)


async def test_what_is_hidden_changes_nothing_for_who_cannot_see_it(
    tmp_path: Path, revisions: list[Snapshot], computed: ComputedAnswers, embedder: StaticEmbedder
) -> None:
    only = {path: text for path, text in FILES.items() if path.startswith("skills/")}
    alone = compile_snapshot(
        read_directories((write_files(tmp_path, only),)),
        tokenizer=WordTokenizer(),
        selector=HybridSelector(embedder),
        clock=HandClock(),
    )
    for project in PROJECTS:
        seen, _ = await computed.answer(request_of(project, ("", ("skills",))), revisions[0])
        had, _ = await computed.answer(request_of(project, ("", ("",))), alone)
        assert shown(seen) == shown(had)
