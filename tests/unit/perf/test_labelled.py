"""Labelled sets as they are read, and briefs composed of them."""

from pathlib import Path

import numpy as np
import pytest

from perf.selection.briefs import briefs_of
from perf.selection.labelled import LabelledSet
from support.fakes import WordTokenizer


def test_a_set_has_its_agents_by_id_and_what_each_request_means(labelled_folder: Path) -> None:
    labelled = LabelledSet.read(labelled_folder, WordTokenizer())

    assert labelled.name == "kitchen"
    assert [agent.agent_id for agent in labelled.catalog.agents] == ["bread", "garden", "postgres", "stripe"]
    assert labelled.queries == (
        "Bake bread and sow vegetables",
        "Take card payments with Stripe",
        "Why is my PostgreSQL query slow?",
    )
    assert labelled.relevant.astype(int).tolist() == [[1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]
    assert (labelled.tokens > 5).all()


def test_fewer_requests_are_taken_from_everywhere(labelled_folder: Path) -> None:
    labelled = LabelledSet.read(labelled_folder, WordTokenizer(), most_queries=2)

    assert labelled.queries == ("Bake bread and sow vegetables", "Take card payments with Stripe")
    assert labelled.relevant.shape == (2, 4)


def test_a_folder_without_a_catalog_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LabelledSet.read(tmp_path, WordTokenizer())


def test_a_line_of_another_form_is_an_error(labelled_folder: Path) -> None:
    (labelled_folder / "queries.jsonl").write_text('{"question": "?"}\n', encoding="utf-8")

    with pytest.raises(ValueError, match="query"):
        LabelledSet.read(labelled_folder, WordTokenizer())


def test_two_agents_of_one_id_are_an_error(labelled_folder: Path) -> None:
    catalog = labelled_folder / "catalog.jsonl"
    lines = catalog.read_text(encoding="utf-8").splitlines(keepends=True)
    catalog.write_text("".join([*lines, lines[0]]), encoding="utf-8")

    with pytest.raises(ValueError, match="5 agents, but 4 ids"):
        LabelledSet.read(labelled_folder, WordTokenizer())


@pytest.mark.parametrize("emptied", ["catalog.jsonl", "queries.jsonl"])
def test_a_set_that_asks_nothing_of_its_agents_is_an_error(labelled_folder: Path, emptied: str) -> None:
    (labelled_folder / emptied).write_text("", encoding="utf-8")

    with pytest.raises(ValueError, match=r"no query of queries\.jsonl means one of"):
        LabelledSet.read(labelled_folder, WordTokenizer())


def test_briefs_are_requests_in_a_row_and_mean_what_these_mean(labelled_folder: Path) -> None:
    labelled = LabelledSet.read(labelled_folder, WordTokenizer())

    pair, triple = list(briefs_of(labelled, 2, seed=3))

    parts = [query for query in labelled.queries if query in pair.text]
    rows = [labelled.queries.index(part) for part in parts]
    assert len(parts) == 2
    assert pair.text.count(".") + pair.text.count("?") == 2
    np.testing.assert_array_equal(pair.relevant, labelled.relevant[rows].any(axis=0))
    assert all(query in triple.text for query in labelled.queries)
    assert [brief.text for brief in briefs_of(labelled, 2, seed=3)] == [pair.text, triple.text]
    assert any(brief.text != pair.text for seed in range(5) for brief in briefs_of(labelled, 1, seed=seed))
