"""Compiled files as bytes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ignis_server.agents.cache.artefact_codec import decode_artefact, encode_artefact
from ignis_server.agents.selection.analysis import Analysis
from ignis_server.agents.selection.embedding import StaticEmbedder
from ignis_server.agents.selection.hybrid import HybridSelector
from ignis_server.agents.selection.needs import Need
from ignis_server.agents.snapshot import Artefact, Snapshot, build_snapshot, compile_artefacts
from ignis_server.agents.source import Sources, read_directories
from support.catalogs import FILES, write_files
from support.fakes import HandClock, WordTokenizer


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return read_directories(
        (write_files(tmp_path, {**FILES, "empty.md": "", "again/haiku/SKILL.md": FILES["skills/haiku/SKILL.md"]}),)
    )


def built(sources: Sources, artefacts: list[Artefact], selector: HybridSelector) -> Snapshot:
    by_path = {file.path: artefact for file, artefact in zip(sources.files, artefacts, strict=True)}
    return build_snapshot(by_path, sources.diagnostics, tokenizer=WordTokenizer(), selector=selector, clock=HandClock())


def test_a_snapshot_of_decoded_files_is_the_same_snapshot(sources: Sources, embedder: StaticEmbedder) -> None:
    selector = HybridSelector(embedder)
    artefacts = compile_artefacts(sources.files, tokenizer=WordTokenizer(), selector=selector)

    decoded = [decode_artefact(encode_artefact(each)) for each in artefacts]

    assert None not in decoded
    fresh, kept = built(sources, artefacts, selector), built(sources, [each for each in decoded if each], selector)
    assert kept.catalog == fresh.catalog
    needs = [Need.alone("tune slow queries"), Need.alone("haiku"), Need.alone("nothing known")]
    one, other = fresh.index.relevance(needs), kept.index.relevance(needs)
    for name in ("answers", "standing", "lexical", "semantic", "spelling"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("content", [b"", b"\xc1", b"\x92\x90\x90", b"\x80"])
def test_other_bytes_are_no_compiled_file(content: bytes) -> None:
    assert decode_artefact(content) is None


ODD: dict[str, Callable[[Analysis], Analysis]] = {
    "a count is missing": lambda analysis: replace(
        analysis, grams=replace(analysis.grams, counts=np.zeros(0, np.uint32))
    ),
    "a text ends after the last subword": lambda analysis: replace(
        analysis, head=replace(analysis.head, ids=np.zeros(0, np.int32))
    ),
    "there is no text": lambda analysis: replace(
        analysis, passages=replace(analysis.passages, starts=np.zeros(0, np.int64))
    ),
}


@pytest.mark.parametrize("odd", ODD)
def test_arrays_that_do_not_fit_together_are_no_compiled_file(
    sources: Sources, embedder: StaticEmbedder, odd: str
) -> None:
    artefacts = compile_artefacts(sources.files, tokenizer=WordTokenizer(), selector=HybridSelector(embedder))
    artefact = next(each for each in artefacts if each.analyses)

    content = encode_artefact(replace(artefact, analyses=tuple(map(ODD[odd], artefact.analyses))))

    assert decode_artefact(content) is None
