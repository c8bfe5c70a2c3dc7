"""Sessions: the bytes of each turn begin those of the next, or a new epoch says why not."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from ignis_server.agents.bundle import LoadedAgent
from ignis_server.agents.canonical import LoadRequest
from ignis_server.agents.epoch import EpochReason
from ignis_server.agents.loaded import Loaded
from ignis_server.agents.loader import AgentLoader
from ignis_server.agents.model import DetailLevel, HeldAgent, HeldBundle, Project
from ignis_server.agents.selection.embedding import StaticEmbedder, load_embedder
from ignis_server.agents.selection.hybrid import HybridSelector
from ignis_server.agents.snapshot import Snapshot, compile_snapshot
from ignis_server.agents.source import read_directories
from ignis_server.errors import BudgetTooSmall
from support.catalogs import FILES, write_files
from support.fakes import HandClock, RecordedSignals, WordTokenizer

TRADES = {
    "bread": "Bakes sourdough bread, rolls and pretzels.",
    "cheese": "Makes cheese from raw milk and ages it in a cellar.",
    "clock": "Repairs clocks, watches and their springs.",
    "boat": "Builds wooden boats and caulks their seams.",
    "glass": "Blows glass for lamps, vases and windows.",
    "paper": "Makes paper by hand from linen rags.",
    "shoe": "Sews shoes and boots, and resoles them.",
    "soap": "Boils soap from olive oil and ash.",
    "tea": "Blends black and green tea with spices.",
    "violin": "Carves violins and adjusts their sound posts.",
}
CATALOG = dict(FILES) | {
    f"trades/{name}.md": f"---\nname: {name}-maker\ndescription: {text}\n---\n# {name}\n\n"
    + f"Work on {name} with care. " * 9
    for name, text in TRADES.items()
}
BRIEFS = ("tune slow PostgreSQL queries", "bake bread and make cheese", "repair clocks; build boats; Stripe payments")
TASKS = (
    "",
    *TRADES.values(),
    "review the code for security flaws",
    "a Next.js storefront",
    "nothing that anybody does",
)


def compiled(root: Path, embedder: StaticEmbedder) -> Snapshot:
    return compile_snapshot(
        read_directories((root,)), tokenizer=WordTokenizer(), selector=HybridSelector(embedder), clock=HandClock()
    )


def load(snapshot: Snapshot, project: Project) -> Loaded:
    return AgentLoader(clock=HandClock(), signals=RecordedSignals()).load(LoadRequest.of(project, 10_000), snapshot)


class PromptCache:
    """A provider's prompt cache: of a prompt it knows the bytes with which the one before began, too."""

    def __init__(self) -> None:
        self._last = ""

    def read(self, prompt: str) -> int:
        """Return how many characters of a prompt are known, and remember the prompt."""
        known = len(os.path.commonprefix([self._last, prompt]))  # noqa: RUF071 - these are no paths
        self._last = prompt
        return known


class Conversations(RuleBasedStateMachine):
    """Stretches of work with budgets of their own, and edits of the catalog between them."""

    embedder: ClassVar[StaticEmbedder]
    # Over all conversations: characters of continued turns, and how many of them the provider knew.
    sent: ClassVar[int] = 0
    known: ClassVar[int] = 0
    resorted_sent: ClassVar[int] = 0
    resorted_known: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        self._root = write_files(Path(self._folder.name), CATALOG)
        self._snapshot = compiled(self._root, self.embedder)

    def teardown(self) -> None:
        self._folder.cleanup()

    @initialize(brief=st.sampled_from(BRIEFS))
    def begin(self, brief: str) -> None:
        self._brief = brief
        self._epoch_id: str | None = None
        self._held: tuple[LoadedAgent, ...] = ()
        self._text = ""
        self._ours, self._theirs = PromptCache(), PromptCache()

    @rule(
        tasks=st.lists(st.sampled_from(TASKS), min_size=1, max_size=3),
        turns=st.integers(8, 20),
        budget=st.sampled_from((10_000, 10_000, 900, 300)),
        forbidden=st.sampled_from((None, None, None, "haiku", "bread-maker")),
        detail=st.sampled_from((DetailLevel.FULL, DetailLevel.FULL, DetailLevel.CORE, DetailLevel.CARD)),
    )
    def work(self, tasks: list[str], turns: int, budget: int, forbidden: str | None, detail: DetailLevel) -> None:
        """Go back and forth between a few tasks."""
        is_there = forbidden is not None and self._snapshot.catalog.has(forbidden)
        for number in range(turns):
            self._turn(
                Project(
                    brief=self._brief,
                    task=tasks[number % len(tasks)],
                    budget_tokens=budget,
                    forbidden_agents=(forbidden,) if forbidden and is_there else (),
                    max_detail=detail,
                )
            )

    def _turn(self, project: Project) -> None:
        try:
            fresh = load(self._snapshot, project)
        except BudgetTooSmall:
            return
        if self._epoch_id is not None:
            project = replace(project, held=HeldBundle(self._epoch_id, tuple(map(held, self._held))))
        loaded = load(self._snapshot, project)
        self._check(loaded, fresh, project)
        self._count(loaded, fresh)

    def _check(self, loaded: Loaded, fresh: Loaded, project: Project) -> None:
        new = "".join(each.content for each in loaded.bundle.agents)
        reason = loaded.epoch.reason
        if reason is EpochReason.CONTINUED:
            assert loaded.epoch.id == self._epoch_id
            self._text += new
            self._held += loaded.bundle.agents
        else:
            assert loaded.bundle == fresh.bundle
            assert self._is_cause(reason, fresh, project)
            self._text, self._held, self._epoch_id = new, loaded.bundle.agents, loaded.epoch.id
        assert loaded.epoch.digest == f"sha256:{hashlib.sha256(self._text.encode()).hexdigest()}"
        assert loaded.epoch.size_bytes == len(self._text.encode())
        assert loaded.epoch.tokens == sum(each.tokens for each in self._held) == loaded.savings.loaded_tokens
        assert loaded.epoch.tokens <= (project.budget_tokens or 0)
        assert {each.agent.agent_id for each in fresh.bundle.agents} <= {each.agent.agent_id for each in self._held}
        once = [each.agent.agent_id for each in self._held if each.detail > DetailLevel.CARD]
        assert len(once) == len(set(once))

    def _is_cause(self, reason: EpochReason, fresh: Loaded, project: Project) -> bool:
        """Tell whether what a new epoch gives as its reason is so."""
        now = {agent.agent_id: agent for agent in self._snapshot.catalog.agents}
        match reason:
            case EpochReason.INITIAL:
                return self._epoch_id is None
            case EpochReason.AGENT_CHANGED:
                return any(now.get(each.agent.agent_id) != each.agent for each in self._held)
            case EpochReason.AGENT_FORBIDDEN:
                named = {each.agent.definition.name for each in self._held}
                return bool(named & set(project.forbidden_agents))
            case EpochReason.BUDGET_SPENT:
                ids = {each.agent.agent_id for each in self._held if each.detail > DetailLevel.CARD}
                new = sum(each.agent.card.tokens for each in fresh.bundle.agents if each.agent.agent_id not in ids)
                core = sum(
                    each.agent.at(min(each.detail, DetailLevel.CORE)).tokens
                    for each in fresh.bundle.agents
                    if each.agent.agent_id not in ids
                )
                holding = sum(each.tokens for each in self._held)
                return holding + max(new, core) > (project.budget_tokens or 0)
            case _:
                return False

    def _count(self, loaded: Loaded, fresh: Loaded) -> None:
        kind = type(self)
        known = self._ours.read(self._text)
        resorted = "".join(each.content for each in fresh.bundle.agents)
        resorted_known = self._theirs.read(resorted)
        if loaded.epoch.reason is EpochReason.CONTINUED:
            kind.sent += len(self._text)
            kind.known += known
            kind.resorted_sent += len(resorted)
            kind.resorted_known += resorted_known

    @rule(name=st.sampled_from(sorted(TRADES)), number=st.integers(0, 9))
    def edit(self, name: str, number: int) -> None:
        self._write({f"trades/{name}.md": CATALOG[f"trades/{name}.md"].replace("with care", f"with {number} hands")})

    @rule(name=st.sampled_from(sorted(TRADES)))
    def remove(self, name: str) -> None:
        (self._root / f"trades/{name}.md").unlink(missing_ok=True)
        self._write({})

    def _write(self, files: dict[str, str]) -> None:
        self._snapshot = compiled(write_files(self._root, files), self.embedder)


def held(loaded: LoadedAgent) -> HeldAgent:
    return HeldAgent(loaded.agent.agent_id, loaded.agent.digest, loaded.detail)


def test_conversations_only_grow_or_say_why_not_and_a_prompt_cache_keeps_up(embedder: StaticEmbedder) -> None:
    Conversations.embedder = embedder
    Conversations.TestCase.settings = settings(max_examples=30, stateful_step_count=12, deadline=None, derandomize=True)
    Conversations.TestCase("runTest").runTest()

    ours = Conversations.known / Conversations.sent
    resorted = Conversations.resorted_known / Conversations.resorted_sent
    assert ours >= 0.95, (ours, resorted, Conversations.sent)
    assert ours > resorted


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return compiled(write_files(tmp_path_factory.mktemp("catalog"), CATALOG), load_embedder())


def test_an_epoch_of_other_rules_begins_anew(snapshot: Snapshot) -> None:
    for epoch_id in ("", "0.abc", "another"):
        loaded = load(snapshot, Project(brief="bread", held=HeldBundle(epoch_id, ())))
        assert loaded.epoch.reason is EpochReason.UNKNOWN_EPOCH


def test_an_empty_beginning_goes_on(snapshot: Snapshot) -> None:
    first = load(snapshot, Project(brief="nothing that anybody does"))
    assert first.bundle.agents == ()
    second = load(snapshot, Project(brief="bread", held=HeldBundle(first.epoch.id, ())))

    assert second.epoch.reason is EpochReason.CONTINUED
    assert second.epoch.digest == second.bundle.digest


def test_what_is_held_is_read_from_the_cache_and_what_is_new_written_to_it(snapshot: Snapshot) -> None:
    first = load(snapshot, Project(brief="bread"))
    holding = HeldBundle(first.epoch.id, tuple(map(held, first.bundle.agents)))
    second = load(snapshot, Project(brief="bread", task="repair clocks and watches", held=holding))

    assert second.epoch.reason is EpochReason.CONTINUED
    assert second.bundle.tokens > 0
    assert second.savings.loaded_tokens == first.bundle.tokens + second.bundle.tokens
    assert second.savings.cached_load_all.bundle_tokens == pytest.approx(
        0.1 * first.bundle.tokens + 1.25 * second.bundle.tokens
    )
    # What is held answers too, and is neither new nor left out.
    assert [need.agent_ids[0].rpartition("/")[2] for need in second.needs] == ["bread", "clock"]
    assert not {each.agent.agent_id for each in second.left_out} & {each.agent_id for each in holding.agents}


def test_a_card_that_is_held_is_followed_by_more_and_a_core_is_not(snapshot: Snapshot) -> None:
    dba = snapshot.catalog.agent("postgres-dba")
    for detail, sent in ((DetailLevel.CARD, 1), (DetailLevel.CORE, 0), (DetailLevel.FULL, 0)):
        holding = HeldBundle("1.x", (HeldAgent(dba.agent_id, dba.digest, detail),))
        loaded = load(snapshot, Project(brief="tune slow PostgreSQL queries", held=holding))
        assert len(loaded.bundle.agents) == sent


def test_what_does_not_fit_in_full_behind_what_is_held_comes_as_its_core(snapshot: Snapshot) -> None:
    dba = snapshot.catalog.agent("postgres-dba")
    others = [snapshot.catalog.agent(f"{name}-maker") for name in sorted(TRADES)]
    holding = HeldBundle("1.x", tuple(HeldAgent(each.agent_id, each.digest, DetailLevel.FULL) for each in others))
    budget = sum(each.full.tokens for each in others) + dba.core.tokens
    assert dba.full.tokens <= budget

    def loaded(budget_tokens: int) -> Loaded:
        return load(snapshot, Project(brief="tune slow PostgreSQL queries", budget_tokens=budget_tokens, held=holding))

    assert loaded(budget).epoch.reason is EpochReason.CONTINUED
    assert [each.detail for each in loaded(budget).bundle.agents] == [DetailLevel.CORE]
    assert loaded(budget - 1).epoch.reason is EpochReason.BUDGET_SPENT
    assert [each.detail for each in loaded(budget - 1).bundle.agents] == [DetailLevel.FULL]
