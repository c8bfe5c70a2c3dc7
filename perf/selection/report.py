"""The tables that people read of a run, in Markdown and on a terminal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from rich.console import Console
from rich.table import Table as RichTable

from perf.selection.brief_coverage import BUDGETS
from perf.selection.evaluation import MOST_BUILD_SECONDS, Evaluation
from perf.selection.results import Results

__all__ = ["Table", "markdown", "print_tables", "tables_of"]


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a sentence that says how to read it; the first column is text, the others are figures."""

    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class _Named(Protocol):
    @property
    def dataset(self) -> str: ...


_AnyNamed = TypeVar("_AnyNamed", bound=_Named)


def tables_of(results: Results) -> Iterator[Table]:
    """Yield the tables of a run; those of which nothing was measured are left out."""
    sets = list(dict.fromkeys(each.dataset for each in results.evaluations))
    if len(sets) > 1:
        yield _methods("All sets", "Means over the sets; p99 is that of the slowest set.", results.evaluations)
    for name in sets:
        mine = [each for each in results.evaluations if each.dataset == name]
        note = f"{mine[0].agents:,} agents, {mine[0].queries:,} requests."
        yield _methods(name, note, mine)
    if results.operating_points:
        yield _operating_points(results, sets)
        yield _briefs(results)
        yield _scales(results)
    if results.abstentions:
        yield _abstentions(results)


def markdown(results: Results) -> str:
    """Return all tables as a document."""
    parts = ["# Selection", f"Made by `python -m perf.selection` on {results.machine}."]
    for table in tables_of(results):
        head = [" | ".join(table.columns), " | ".join(["---", *("---:" for _ in table.columns[1:])])]
        lines = [*head, *(" | ".join(row) for row in table.rows)]
        parts += [f"## {table.title}", table.note, "\n".join(f"| {line} |" for line in lines)]
    parts += [f"{name} is not in the tables: {reason}." for name, reason in results.missing.items()]
    return "\n\n".join(parts) + "\n"


def print_tables(console: Console, results: Results) -> None:
    """Print all tables."""
    for table in tables_of(results):
        drawn = RichTable(title=f"{table.title}: {table.note}", title_justify="left", box=None, pad_edge=False)
        for number, column in enumerate(table.columns):
            drawn.add_column(column, justify="right" if number else "left")
        for row in table.rows:
            drawn.add_row(*row)
        console.print(drawn, "")
    for name, reason in results.missing.items():
        console.print(f"{name} is not in the tables: {reason}.", highlight=False)


def _methods(title: str, note: str, evaluations: Sequence[Evaluation]) -> Table:
    rows = []
    for name in dict.fromkeys(each.method for each in evaluations):
        mine = [each for each in evaluations if each.method == name]
        worth = np.mean([_worth(each) for each in mine], axis=0)
        saved = np.mean([(each.saved_fixed[0.95], each.saved_adaptive[0.95]) for each in mine], axis=0)
        memory = [each.cost.kb_per_agent for each in mine if each.cost.kb_per_agent is not None]
        cost = (
            f"{np.mean([each.cost.p50_ms for each in mine]):.1f}",
            f"{max(each.cost.p99_ms for each in mine):.1f}",
            f"{np.mean([each.cost.build_seconds for each in mine]):.2f}",
            f"{np.mean(memory):.0f}" if memory else "n/a",
        )
        rows.append((name, *(f"{each:.3f}" for each in worth), *(f"{each:.1%}" for each in saved), *cost))
    worths = ("R@1", "R@5", "R@10", "nDCG@10", "MRR", "all found@10")
    savings = ("saved at recall .95 by a fixed number", "by a cut-off")
    if any(each.cost.kb_per_agent is None for each in evaluations):
        note += f" Memory is measured only of an index that is built within {MOST_BUILD_SECONDS:.0f} seconds."
    return Table(title, note, ("method", *worths, *savings, "p50 ms", "p99 ms", "build s", "KB/agent"), tuple(rows))


def _worth(evaluation: Evaluation) -> tuple[float, ...]:
    ranked = evaluation.ranked
    return (*(ranked.recall_at[depth] for depth in (1, 5, 10)), ranked.ndcg, ranked.mrr, ranked.all_found_at[10])


def _operating_points(results: Results, sets: Sequence[str]) -> Table:
    rows = []
    for promise in dict.fromkeys(point.min_recall for point in results.operating_points):
        mine = [point for point in results.operating_points if point.min_recall == promise]
        rows += [
            (
                "default" if promise is None else f"min_recall {promise:.2f}",
                name,
                f"{np.mean([point.recall for point in group]):.3f}",
                f"{np.mean([point.saved for point in group]):.1%}",
                f"{np.mean([point.agents for point in group]):.1f}",
                f"{np.mean([point.empty for point in group]):.1%}",
                f"{np.mean([point.expected_recall for point in group]):.2f}",
            )
            for name, group in _by_set(mine, sets)
        ]
    return Table(
        "What LoadAgents does",
        "With an ample budget. The recall expected is what the answers themselves say, on average.",
        ("asked", "set", "recall", "saved", "agents", "nobody", "recall expected"),
        tuple(rows),
    )


def _by_set(items: Sequence[_AnyNamed], sets: Sequence[str]) -> Iterator[tuple[str, list[_AnyNamed]]]:
    for name in sets:
        yield name, [each for each in items if each.dataset == name]
    if len(sets) > 1:
        yield "mean", list(items)


def _briefs(results: Results) -> Table:
    rows = []
    for method in dict.fromkeys(each.method for each in results.briefs):
        mine = [each for each in results.briefs if each.method == method]
        for name, group in _by_set(mine, [each.dataset for each in mine]):
            recalls = [np.mean([each.recall_by_budget[budget] for each in group]) for budget in BUDGETS]
            rows.append((method, name, *(f"{recall:.3f}" for recall in recalls)))
    return Table(
        "Briefs of several needs",
        "Two to six requests of a set as one paragraph; the recall of all that they mean, by the share of the "
        "catalog's tokens that may be loaded.",
        ("method", "set", *(f"{budget:.0%}" for budget in BUDGETS)),
        tuple(rows),
    )


def _abstentions(results: Results) -> Table:
    rows = tuple(
        (
            name,
            ", ".join(each.answered),
            f"{np.mean(list(each.answered.values())):.1%}",
            f"{each.answered_at_loss:.1%}",
            f"{each.area:.3f}",
        )
        for name, each in results.abstentions.items()
    )
    return Table(
        "Requests that no agent of the catalog answers",
        "The share of foreign requests that get an agent all the same: by default, and where besides so many of the "
        "least answerable requests get nobody as lose a point of recall; and how well the two are told apart.",
        ("catalog", "requests of", "answered by default", "at a point of recall", "area under ROC"),
        rows,
    )


def _scales(results: Results) -> Table:
    rows = tuple(
        (
            f"{each.agents:,} agents",
            f"{each.characters_per_agent:,.0f}",
            f"{each.cost.p50_ms:.1f}",
            f"{each.cost.p99_ms:.1f}",
            f"{each.cost.build_seconds:.2f}",
            "n/a" if each.cost.kb_per_agent is None else f"{each.cost.kb_per_agent:.0f}",
        )
        for each in results.scales
    )
    return Table(
        "Size",
        "Catalogs put together from all sets, longest agents first; requests of all sets in turn, on one core.",
        ("catalog", "characters/agent", "p50 ms", "p99 ms", "build s", "KB/agent"),
        rows,
    )
