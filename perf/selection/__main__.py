"""Measures how well agents are selected, on labelled data, beside what others would use.

    python -m perf.selection --dataset DIR [--dataset DIR …] [--queries 500] [--method NAME …] [--json] [--out DIR]

A set is a folder with `catalog.jsonl`, a line for each agent: {"id", "name", "description", "text"}, and
`queries.jsonl`, a line for each request: {"query", "relevant": [ids]}. Without --dataset, all folders below
$IGNIS_BENCHMARKS are measured, side by side.

Of each method: recall@1/5/10, nDCG@10, MRR, how often all relevant agents are among the first ten, the tokens saved
where mean recall is at least 0.95 (by one number of agents for all requests, and by one cut-off of scores), latency on
one thread, and what the index takes. Of our own besides: what LoadAgents does by default and where a recall is asked
for, briefs of several needs, requests that nobody answers, and catalogs of 500 to 5,000 agents.

    python -m perf.selection --dataset my-set --method ignis
    IGNIS_BENCHMARKS=benchmarks python -m perf.selection --out perf/results
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from ignis_server.agents.tokenizer import load_o200k_base
from perf.selection.labelled import LabelledSet
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
    if options.queries < 0:
        parser.error(f"--queries {options.queries}: say how many requests of each set to take; 0 takes all")
    results = measure(_sets(parser, options), list(dict.fromkeys(options.method or METHODS)), _progress)
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
    parser.add_argument(
        "--dataset", type=Path, action="append", metavar="DIR", help="a labelled set; default: all of $IGNIS_BENCHMARKS"
    )
    parser.add_argument(
        "--queries", type=int, default=QUERIES, metavar="N", help="of each set, evenly spaced (default 500; 0 for all)"
    )
    parser.add_argument(
        "--method", action="append", choices=METHODS, metavar="NAME", help=f"default: all of {', '.join(METHODS)}"
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON in place of tables")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="also write selection.json, selection.md and plots there"
    )
    return parser


def _sets(parser: argparse.ArgumentParser, options: argparse.Namespace) -> list[LabelledSet]:
    folder = os.environ.get("IGNIS_BENCHMARKS")
    directories = options.dataset or (folder and sorted(each for each in Path(folder).iterdir() if each.is_dir()))
    if not directories:
        parser.error("no labelled set: say --dataset DIR, or set IGNIS_BENCHMARKS to a folder of sets")
    tokenizer = load_o200k_base()
    sets = []
    for directory in directories:
        _progress(f"reading {directory}")
        try:
            sets.append(LabelledSet.read(directory, tokenizer, most_queries=options.queries or None))
        except (OSError, ValueError) as error:
            parser.error(f"{directory} is no labelled set: {error}")
    return sets


def _progress(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _write(results: Results, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "selection.json").write_text(json.dumps(asdict(results), indent=2) + "\n", encoding="utf-8")
    (folder / "selection.md").write_text(markdown(results), encoding="utf-8")
    try:
        draw(results, folder)
    except ImportError:
        _progress("no plots: matplotlib is not installed: pip install 'ignis-agents[bench]'")


if __name__ == "__main__":
    main()
