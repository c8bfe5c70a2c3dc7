"""Compiling each file once."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ignis_server.agents.compiler import CatalogCompiler
from ignis_server.agents.selection.embedding import StaticEmbedder, Subwords, Vectors
from ignis_server.agents.selection.hybrid import HybridSelector
from ignis_server.agents.selection.needs import Need
from ignis_server.agents.selection.selector import SelectionIndex
from ignis_server.agents.source import Sources, read_directories
from ignis_server.signals import CatalogCompiled
from support.catalogs import FILES, write_files
from support.fakes import HandClock, KeptInMemory, RecordedSignals, WordTokenizer


@pytest.fixture
def signals() -> RecordedSignals:
    return RecordedSignals()


@pytest.fixture
def kept() -> KeptInMemory:
    return KeptInMemory()


@pytest.fixture
def compiler(embedder: StaticEmbedder, kept: KeptInMemory, signals: RecordedSignals) -> Callable[[], CatalogCompiler]:
    """Make a compiler as a process has it that has just started."""
    return lambda: CatalogCompiler(
        tokenizer=WordTokenizer(),
        selector=HybridSelector(embedder),
        kept=kept,
        clock=HandClock(),
        signals=signals,
    )


def sources(root: Path, files: Mapping[str, str] = FILES) -> Sources:
    return read_directories((write_files(root, files),))


def reused(signals: RecordedSignals) -> list[int]:
    return [signal.reused_files for signal in signals.reported if isinstance(signal, CatalogCompiled)]


async def test_what_was_compiled_once_is_used_again_and_gives_the_same(
    tmp_path: Path, compiler: Callable[[], CatalogCompiler], signals: RecordedSignals
) -> None:
    first = await compiler().compile(sources(tmp_path))
    second = await compiler().compile(sources(tmp_path))

    assert reused(signals) == [0, len(FILES)]
    assert second.catalog == first.catalog


async def test_after_an_edit_only_that_file_is_compiled(
    tmp_path: Path, compiler: Callable[[], CatalogCompiler], signals: RecordedSignals
) -> None:
    before = await compiler().compile(sources(tmp_path))
    haiku = FILES["skills/haiku/SKILL.md"].replace("one turn", "no turn")
    after = await compiler().compile(sources(tmp_path, {"skills/haiku/SKILL.md": haiku}))

    assert reused(signals) == [0, len(FILES) - 1]
    changed = [
        one.agent_id for one, other in zip(before.catalog.agents, after.catalog.agents, strict=True) if one != other
    ]
    assert changed == ["skills/haiku"]


async def test_a_file_that_moved_is_compiled_anew_as_its_agent_has_another_id(
    tmp_path: Path, compiler: Callable[[], CatalogCompiler]
) -> None:
    await compiler().compile(sources(tmp_path / "one"))
    moved = {path.replace("haiku", "verse"): text for path, text in FILES.items()}

    snapshot = await compiler().compile(sources(tmp_path / "other", moved))

    assert "skills/verse" in {agent.agent_id for agent in snapshot.catalog.agents}


async def test_what_is_kept_and_is_no_compiled_file_is_compiled_anew(
    tmp_path: Path, compiler: Callable[[], CatalogCompiler], kept: KeptInMemory, signals: RecordedSignals
) -> None:
    first = await compiler().compile(sources(tmp_path))
    kept.values = dict.fromkeys(kept.values, b"foreign")

    second = await compiler().compile(sources(tmp_path))

    assert reused(signals) == [0, 0]
    assert second.catalog == first.catalog


async def test_who_compiled_before_needs_nobody_to_keep_it(
    tmp_path: Path, compiler: Callable[[], CatalogCompiler], kept: KeptInMemory, signals: RecordedSignals
) -> None:
    same = compiler()
    await same.compile(sources(tmp_path))
    kept.values.clear()

    await same.compile(sources(tmp_path))

    assert reused(signals) == [0, len(FILES)]


class CountingEmbedder(StaticEmbedder):
    """Counts how many texts it was asked for."""

    def __init__(self, like: StaticEmbedder) -> None:
        super().__init__(like.table, like.tokenizer, name=like.name)
        self.embedded = 0

    def embed(self, subwords: Subwords, weights: NDArray[np.float32]) -> Vectors:
        self.embedded += len(subwords)
        return super().embed(subwords, weights)


async def test_vectors_are_kept_with_what_was_compiled_and_give_the_same_evidence(
    tmp_path: Path, embedder: StaticEmbedder, kept: KeptInMemory, signals: RecordedSignals
) -> None:
    counting = CountingEmbedder(embedder)

    async def compiled(root: Path) -> SelectionIndex:
        compiler = CatalogCompiler(
            tokenizer=WordTokenizer(), selector=HybridSelector(counting), kept=kept, clock=HandClock(), signals=signals
        )
        return (await compiler.compile(sources(root))).index

    first = await compiled(tmp_path)
    embedded = counting.embedded
    second = await compiled(tmp_path)
    assert embedded > 0
    assert counting.embedded == embedded

    needs = [Need.alone("tune slow PostgreSQL queries"), Need.alone("a haiku about autumn")]
    for name in ("answers", "standing", "semantic"):
        one, other = (getattr(index.relevance(needs), name) for index in (first, second))
        np.testing.assert_array_equal(one, other)


class CountingTokenizer(WordTokenizer):
    def __init__(self) -> None:
        self.counted: list[str] = []

    def count(self, texts: list[str]) -> list[int]:
        self.counted += texts
        return super().count(texts)


async def test_nothing_is_counted_where_everything_was_compiled(
    tmp_path: Path, embedder: StaticEmbedder, kept: KeptInMemory, signals: RecordedSignals
) -> None:
    tokenizer = CountingTokenizer()

    def compiler() -> CatalogCompiler:
        return CatalogCompiler(
            tokenizer=tokenizer, selector=HybridSelector(embedder), kept=kept, clock=HandClock(), signals=signals
        )

    await compiler().compile(sources(tmp_path))
    assert tokenizer.counted
    tokenizer.counted.clear()

    await compiler().compile(sources(tmp_path))

    assert tokenizer.counted == []
