"""The two figures of a run: recall against the tokens loaded, and briefs of several needs against a budget."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from perf.selection.brief_coverage import BUDGETS
from perf.selection.evaluation import SHARES
from perf.selection.methods import OURS
from perf.selection.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

GOAL = 0.95
STYLE = {
    "svg.hashsalt": "ignis",  # Equal figures give equal files.
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e5e5e5",
}


def draw(results: Results, folder: Path) -> list[Path]:
    """Write both figures as SVG.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib as mpl  # noqa: PLC0415 - only there with the extra `bench`

    mpl.use("svg")
    with mpl.rc_context(STYLE):
        drawn = [_figure(folder / "recall-loaded.svg", _loaded_curves(results), _label_loaded)]
        if results.briefs:
            drawn.append(_figure(folder / "briefs.svg", _brief_curves(results), _label_briefs))
    return drawn


Curves = Mapping[str, tuple[Sequence[float], Sequence[float]]]


def _loaded_curves(results: Results) -> Curves:
    return {
        name: (SHARES, _mean([each.recall_by_share for each in results.evaluations if each.method == name]))
        for name in dict.fromkeys(each.method for each in results.evaluations)
    }


def _brief_curves(results: Results) -> Curves:
    return {
        name: (
            BUDGETS,
            _mean([tuple(each.recall_by_budget.values()) for each in results.briefs if each.method == name]),
        )
        for name in dict.fromkeys(each.method for each in results.briefs)
    }


def _mean(rows: Sequence[Sequence[float]]) -> list[float]:
    return [float(each) for each in np.mean(rows, axis=0)]


def _figure(path: Path, curves: Curves, label: Callable[["Axes"], None]) -> Path:
    from matplotlib import pyplot as plt  # noqa: PLC0415 - as above

    figure, axes = plt.subplots(figsize=(7, 4.2))
    for number, (name, (shares, recalls)) in enumerate(curves.items()):
        is_ours = name.startswith(OURS)
        axes.plot(
            shares,
            recalls,
            label=name,
            color=f"C{number}",
            linewidth=2.6 if is_ours else 1.3,
            zorder=3 if is_ours else 2,
        )
    axes.axhline(GOAL, color="#888888", linewidth=0.8, linestyle="--")
    axes.set_ylim(0, 1)
    axes.set_ylabel("mean recall")
    label(axes)
    axes.legend(loc="lower right", frameon=False, fontsize=9)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    return path


def _label_loaded(axes: "Axes") -> None:
    axes.set_xscale("log")
    axes.set_xlim(SHARES[0], SHARES[-1])
    axes.set_xticks([0.001, 0.01, 0.1, 1.0], ["0.1 %", "1 %", "10 %", "100 %"])
    axes.set_xlabel("tokens loaded, of the whole catalog's (mean over the sets)")


def _label_briefs(axes: "Axes") -> None:
    axes.set_xlim(0, BUDGETS[-1])
    axes.set_xticks(BUDGETS, [f"{budget:.0%}" for budget in BUDGETS])
    axes.set_xlabel("tokens that may be loaded, of the whole catalog's")
