"""Varies the knobs of selection one at a time: what each is worth, and whether it would be set alike without a set.

    python -m perf.selection.sweep [--dataset DIR …] [--queries 250]

Prints a Markdown table: for each value of a knob the means over the sets, all other knobs as they ship. The value that
ships is marked. "Left out" is the mean nDCG@10 that a set gets where the knob is set to what is best for the other sets:
where it is below that of the value that ships, choosing the knob by these sets would have been fitting noise.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ignis_server.agents.selection.hybrid import HybridSelector
from ignis_server.agents.selection.knobs import SelectionKnobs
from perf.selection.datasets import add_options, read_sets
from perf.selection.labelled import LabelledSet
from perf.selection.measures import curve_of, ranked
from perf.selection.methods import embedder, needs_in

__all__ = ["main"]

QUERIES = 250
# What is tried of each knob beside what ships.
TRIED: Mapping[str, Sequence[Any]] = {
    "saturation": (1.2, 6.0),
    "length_normalisation": (0.5, 1.0),
    "rarity_exponent": (0.0, 0.5),
    "head_share": (0.3, 0.7, 1.0),
    "passage_candidates": (12, 64, 256),
    "longest_gram": (4, 6),
    "words_weight": (0.0, 0.5, 2.0),
    "spelling_weight": (0.0, 0.1, 0.4),
    "sentence_share": (0.25, 0.7),
    "clause_share": (0.0, 0.5),
    "prior_agents": (1.0, 100.0),
    "standing_share": (0.0, 0.2, 0.5),
}
WEIGHTS: Mapping[str, Sequence[float]] = {
    "name": (1.0, 6.0),
    "description": (0.25, 1.0, 2.0),
    "examples": (0.0, 2.0),
    "headings": (0.0, 1.0),
    "body": (0.0, 1.0),
}
MEASURES = ("R@5", "nDCG@10", "saved at .95")
NDCG = 1


def variants(shipped: SelectionKnobs) -> Iterator[tuple[str, Any, SelectionKnobs]]:
    """Yield the name of a knob, a value and all knobs with it; what ships first."""
    for name, values in TRIED.items():
        for value in (getattr(shipped, name), *values):
            yield name, value, replace(shipped, **{name: value})
    for name, values in WEIGHTS.items():
        for value in (shipped.field_weights[name], *values):
            yield (
                f"field_weights[{name}]",
                value,
                replace(shipped, field_weights={**shipped.field_weights, name: value}),
            )


def measured(sets: Sequence[LabelledSet], knobs: SelectionKnobs) -> NDArray[np.float64]:
    """Return the measures (columns) of each set (row)."""
    return np.array([_measured(labelled, knobs) for labelled in sets])


def _measured(labelled: LabelledSet, knobs: SelectionKnobs) -> tuple[float, ...]:
    index = HybridSelector(embedder(), knobs).compile(labelled.catalog)
    answers = [index.relevance(needs_in(query)) for query in labelled.queries]
    worth = ranked(np.stack([answer.chances for answer in answers]), labelled.relevant)
    standings = np.stack([answer.standing.max(axis=0) for answer in answers])
    saved = 1 - curve_of(standings, labelled.relevant, labelled.tokens).loaded_at(0.95)
    return worth.recall_at[5], worth.ndcg, saved


def left_out(results: Sequence[NDArray[np.float64]]) -> float:
    """Return the mean nDCG of each set with the value that is best for the others."""
    ndcg = np.stack(results)[:, :, NDCG]
    others = ndcg.sum(axis=1, keepdims=True) - ndcg
    return float(np.mean([ndcg[others[:, number].argmax(), number] for number in range(ndcg.shape[1])]))


def table(sets: Sequence[LabelledSet]) -> Iterator[str]:
    """Yield the lines of the table, as they are measured."""
    shipped = SelectionKnobs()
    usual = measured(sets, shipped)
    yield f"| knob | value | {' | '.join(MEASURES)} | left out |"
    yield "|---|---:|---:|---:|---:|---:|"
    by_knob: dict[str, list[tuple[Any, SelectionKnobs]]] = {}
    for name, value, knobs in variants(shipped):
        by_knob.setdefault(name, []).append((value, knobs))
    for name, values in by_knob.items():
        results = [usual, *(measured(sets, knobs) for _, knobs in values[1:])]
        for number, ((value, _), result) in enumerate(zip(values, results, strict=True)):
            figures = " | ".join(f"{figure:.3f}" for figure in result.mean(axis=0))
            mark, last = (" ✓", f"{left_out(results):.3f}") if not number else ("", "")
            yield f"| {'' if number else name} | {value:g}{mark} | {figures} | {last} |"


def main() -> None:
    """Parse and print."""
    parser = argparse.ArgumentParser(
        prog="python -m perf.selection.sweep",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(parser, queries=QUERIES)
    options = parser.parse_args()
    for line in table(read_sets(parser, options)):
        print(line)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
