"""Measures how well agents are selected, on labelled data, beside what others would use.

    python -m perf.selection --dataset DIR [--dataset DIR …] [--queries 500] [--method NAME …] [--json] [--out DIR]

A set is a folder with `catalog.jsonl`, a line for each agent: {"id", "name", "description", "text"}, and
`queries.jsonl`, a line for each request: {"query", "relevant": [ids]}. Without --dataset, all folders below
$IGNIS_BENCHMARKS are measured, side by side.

Of each method: recall@1/5/10, nDCG@10, MRR, how often all relevant agents are among the first ten, the tokens saved
where mean recall is at least 0.95 (by one number of agents for all requests, and by one cut-off of scores), latency on
one core, and what the index takes. Of our own besides: what LoadAgents does by default and where a recall is asked
for, briefs of several needs, requests that nobody answers, and catalogs of 500 to 5,000 agents.

    python -m perf.selection --dataset my-set --method ignis
    IGNIS_BENCHMARKS=benchmarks python -m perf.selection --out perf/results
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from perf.selection.datasets import add_options, progress, read_sets
from perf.selection.methods import METHODS
from perf.selection.plots import draw
from perf.selection.report import markdown, print_tables
from perf.selection.results import Results, measure

__all__ = ["main"]

QUERIES = 500
# Wider than the widest table, where nobody's terminal says how wide it is.
PIPED_WIDTH = 200


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, measure, print, and write what is asked for."""
    parser = _parser()
    options = parser.parse_args(arguments)
    results = measure(read_sets(parser, options), list(dict.fromkeys(options.method or METHODS)), progress)
    if options.out:
        _write(results, options.out)
    if options.json:
        print(json.dumps(asdict(results), indent=2))
    else:
        print_tables(Console(width=None if sys.stdout.isatty() else PIPED_WIDTH), results)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m perf.selection", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser, queries=QUERIES)
    parser.add_argument(
        "--method", action="append", choices=METHODS, metavar="NAME", help=f"default: all of {', '.join(METHODS)}"
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON in place of tables")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="also write selection.json, selection.md and plots there"
    )
    return parser


def _write(results: Results, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "selection.json").write_text(json.dumps(asdict(results), indent=2) + "\n", encoding="utf-8")
    (folder / "selection.md").write_text(markdown(results), encoding="utf-8")
    try:
        draw(results, folder)
    except ImportError:
        progress("no plots: matplotlib is not installed: pip install 'ignis-agents[bench]'")


if __name__ == "__main__":
    main()
