"""Loading and searching, as use cases: what they report, and what they keep to."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ignis_server.agents.canonical import LoadRequest
from ignis_server.agents.loaded import Loaded
from ignis_server.agents.loader import AgentLoader
from ignis_server.agents.model import AgentFilter, AgentFormat, Project, TokenPrices
from ignis_server.agents.search import AgentSearch
from ignis_server.agents.selection.embedding import StaticEmbedder
from ignis_server.agents.selection.hybrid import HybridSelector
from ignis_server.agents.snapshot import Snapshot, compile_snapshot
from ignis_server.agents.source import read_directories
from ignis_server.errors import InvalidRequest
from ignis_server.signals import AgentsLoaded, AgentsSearched, BundleCounts, CatalogCompiled
from support.catalogs import FILES, write_files
from support.fakes import HandClock, RecordedSignals, WordTokenizer

Make = Callable[..., Snapshot]


@pytest.fixture
def signals() -> RecordedSignals:
    return RecordedSignals()


@pytest.fixture
def make(tmp_path: Path, embedder: StaticEmbedder) -> Make:
    def snapshot(files: dict[str, str] | None = None) -> Snapshot:
        return compile_snapshot(
            read_directories((write_files(tmp_path, files or FILES),)),
            tokenizer=WordTokenizer(),
            selector=HybridSelector(embedder),
            clock=HandClock(),
        )

    return snapshot


class Loader:
    """Loads from one snapshot, with a budget by default."""

    def __init__(self, snapshot: Snapshot, signals: RecordedSignals, default: int) -> None:
        self._loader = AgentLoader(clock=HandClock(), signals=signals)
        self._snapshot = snapshot
        self._default = default

    def load(self, project: Project) -> Loaded:
        return self._loader.load(LoadRequest.of(project, self._default), self._snapshot)


def loader_of(snapshot: Snapshot, signals: RecordedSignals, default: int = 1_000) -> Loader:
    return Loader(snapshot, signals, default)


def test_what_is_reported_of_a_compilation_are_its_counts(make: Make) -> None:
    snapshot = make({**FILES, "bad.md": "", "odd.md": "---\na: b: c\n---\nOdd.\n"})

    assert snapshot.compiled(reused_files=3) == CatalogCompiled(
        revision=snapshot.catalog.revision,
        files=12,
        reused_files=3,
        agents=9,
        full_tokens=sum(agent.full.tokens for agent in snapshot.catalog.agents),
        errors=1,
        warnings=3,
        seconds=0.0,
    )


def test_a_load_is_reported_with_its_counts_and_without_its_words(make: Make, signals: RecordedSignals) -> None:
    snapshot = make()

    loaded = loader_of(snapshot, signals).load(Project(brief="tune PostgreSQL; lease a warehouse"))

    (signal,) = signals.reported
    agents = snapshot.catalog.agents
    all_tokens = sum(agent.full.tokens for agent in agents)
    assert signal == AgentsLoaded(
        BundleCounts(
            agents=1,
            considered=8,
            needs=2,
            unanswered_needs=1,
            budget_tokens=1_000,
            new_tokens=loaded.bundle.tokens,
            loaded_tokens=loaded.bundle.tokens,
            load_all_tokens=all_tokens,
            index_only_tokens=sum(agent.card.tokens for agent in agents),
            cached_load_all_tokens=round(0.1 * all_tokens),
            cached_loaded_tokens=round(1.25 * loaded.bundle.tokens),
        ),
        seconds=0.0,
    )
    assert "PostgreSQL" not in repr(signal)


def test_a_search_is_reported(make: Make, signals: RecordedSignals) -> None:
    snapshot = make()

    AgentSearch(lambda: snapshot, clock=HandClock(), signals=signals).search("bread", AgentFilter(), start=0, limit=5)

    assert signals.reported == [AgentsSearched(results=1, considered=8, seconds=0.0)]


def test_the_default_budget_is_applied_where_none_is_stated(make: Make, signals: RecordedSignals) -> None:
    loaded = loader_of(make(), signals, default=77).load(Project(brief="tune PostgreSQL"))

    assert loaded.budget_tokens == 77


def test_a_forbidden_member_of_a_required_team_is_left_out(make: Make, signals: RecordedSignals) -> None:
    project = Project(required_teams=("Duo",), forbidden_agents=("pm",))

    loaded = loader_of(make(), signals).load(project)

    assert [agent.agent.agent_id for agent in loaded.bundle.agents] == ["backend/postgres-dba"]


def test_an_agent_both_required_and_forbidden_is_a_violation(make: Make, signals: RecordedSignals) -> None:
    project = Project(required_agents=("haiku", "pm"), forbidden_agents=("pack/agents/pm",))

    with pytest.raises(InvalidRequest) as caught:
        loader_of(make(), signals).load(project)

    assert [violation.field for violation in caught.value.violations] == ["required_agents"]


def test_the_filter_narrows_what_is_considered_and_compared(make: Make, signals: RecordedSignals) -> None:
    snapshot = make()
    skills = AgentFilter(formats=frozenset({AgentFormat.AGENT_SKILL}))

    loaded = loader_of(snapshot, signals).load(Project(brief="bread and PostgreSQL", filter=skills))

    assert {agent.agent.definition.format for agent in loaded.bundle.agents} <= {AgentFormat.AGENT_SKILL}
    assert loaded.savings.load_all.baseline_tokens == sum(
        agent.full.tokens for agent in snapshot.catalog.agents if agent.definition.format is AgentFormat.AGENT_SKILL
    )


def test_savings_may_be_negative_and_are_told(make: Make, signals: RecordedSignals) -> None:
    snapshot = make()
    everybody = tuple(agent.agent_id for agent in snapshot.catalog.agents)

    savings = (
        loader_of(snapshot, signals).load(Project(required_agents=everybody, prices=TokenPrices(0.5, 2.0))).savings
    )

    assert savings.load_all.saved_tokens == 0
    assert savings.index_only.saved_tokens < 0
    assert savings.cached_load_all.saved_tokens == pytest.approx(savings.loaded_tokens * (0.5 - 2.0))
    assert savings.cached_load_all.saved_ratio == pytest.approx(-3.0)


def test_no_more_than_twenty_are_named_as_left_out(make: Make, signals: RecordedSignals) -> None:
    files = {
        f"agents/{number}.md": f"---\nname: agent-number-{number}\ndescription: Tunes PostgreSQL {number}.\n---\nTune {number}.\n"
        for number in range(60)
    }

    loaded = loader_of(make(files), signals).load(Project(brief="Tunes PostgreSQL"))

    assert len(loaded.left_out) == 20
    assert loaded.left_out_more > 0


def test_a_recall_of_a_filtered_catalog_is_that_of_the_agents_considered(make: Make, signals: RecordedSignals) -> None:
    nobody = AgentFilter(categories=frozenset({"no such category"}))

    loaded = loader_of(make(), signals).load(Project(brief="tune PostgreSQL", filter=nobody, min_recall=0.99))

    assert loaded.bundle.agents == ()
    assert loaded.expected_recall == 1.0
