"""`python -m perf.selection`, on a set whose figures are known."""

import json
from pathlib import Path

import pytest

from perf.selection import methods
from perf.selection.__main__ import main
from perf.selection.scale import SIZES


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a run of everything under a few seconds."""
    monkeypatch.setattr("perf.selection.results.SIZES", (8,))
    monkeypatch.setattr("perf.selection.scale.QUERIES", 4)


def test_everything_of_our_own_is_measured(labelled_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--dataset", str(labelled_folder), "--method", "ignis", "--method", "wordllama", "--json"])

    results = json.loads(capsys.readouterr().out)

    ours, peer = results["evaluations"]
    assert (ours["method"], peer["method"]) == ("ignis", "wordllama")
    for each in (ours, peer):
        assert (each["dataset"], each["agents"], each["queries"]) == ("kitchen", 4, 3)
        assert each["ranked"]["recall_at"] == {"1": pytest.approx((1 + 1 + 0.5) / 3), "5": 1.0, "10": 1.0}
        assert each["ranked"]["mrr"] == 1.0
        # A fixed number of two agents finds everything; one cut-off loads no more than that.
        assert 0 < each["saved_fixed"]["0.95"] < each["saved_adaptive"]["0.95"] + 1e-9 < 0.75
        assert each["recall_by_share"][-1] == pytest.approx(1.0)
        assert each["cost"]["kb_per_agent"] > 1
    points = {point["min_recall"]: point for point in results["operating_points"]}
    assert points[None]["recall"] >= 2.5 / 3 - 1e-9
    assert points[0.99]["saved"] <= points[0.9]["saved"] <= points[None]["saved"]
    assert {brief["method"] for brief in results["briefs"]} == {
        "ignis, need by need",
        "ignis, the brief as one need",
        "wordllama",
    }
    assert [scale["agents"] for scale in results["scales"]] == [8]
    assert results["abstentions"] == {}


def test_tables_and_documents_are_written(labelled_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = labelled_folder / "out"

    main(["--dataset", str(labelled_folder), "--method", "ignis", "--out", str(out)])

    printed = capsys.readouterr()
    document = (out / "selection.md").read_text(encoding="utf-8")
    for table in ("kitchen", "What LoadAgents does", "Briefs of several needs", "Size"):
        assert f"## {table}\n" in document
        assert table in printed.out
    assert "ignis: kitchen" in printed.err
    assert json.loads((out / "selection.json").read_text(encoding="utf-8"))["missing"] == {}


def test_a_peer_that_is_not_installed_is_named_and_left_out(
    labelled_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(_catalog: object) -> methods.Rank:
        raise ModuleNotFoundError("No module named 'some_peer'", name="some_peer")

    monkeypatch.setattr(methods, "METHODS", {**methods.METHODS, "wordllama": absent})
    monkeypatch.setattr("perf.selection.results.METHODS", methods.METHODS)

    main(["--dataset", str(labelled_folder), "--method", "wordllama"])

    assert "wordllama is not in the tables: No module named 'some_peer': pip install" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ([], "say --dataset DIR, or set IGNIS_BENCHMARKS"),
        (["--dataset", "no-such-folder"], "no-such-folder is no labelled set"),
        (["--queries", "-1"], "0 takes all"),
        (["--method", "magic"], "invalid choice: 'magic'"),
    ],
)
def test_what_is_wrong_is_said_with_the_remedy(
    arguments: list[str], remedy: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IGNIS_BENCHMARKS", raising=False)

    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert remedy in capsys.readouterr().err


def test_a_folder_of_sets_that_is_not_there_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IGNIS_BENCHMARKS", str(tmp_path / "gone"))

    with pytest.raises(SystemExit) as ended:
        main([])

    assert ended.value.code == 2
    assert "gone', which is no folder" in capsys.readouterr().err


def test_the_sizes_measured_are_those_that_are_promised() -> None:
    assert SIZES == (500, 1_000, 5_000)
