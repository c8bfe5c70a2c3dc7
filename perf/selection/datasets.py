"""Which labelled sets a command measures: its two options, and the sets that they name."""

import argparse
import os
import sys
from pathlib import Path

from ignis_server.agents.tokenizer import load_o200k_base
from perf.selection.labelled import LabelledSet

__all__ = ["add_options", "progress", "read_sets"]

FOLDER = "IGNIS_BENCHMARKS"


def add_options(parser: argparse.ArgumentParser, *, queries: int) -> None:
    """Add --dataset and --queries."""
    parser.add_argument(
        "--dataset", type=Path, action="append", metavar="DIR", help=f"a labelled set; default: all below ${FOLDER}"
    )
    parser.add_argument(
        "--queries",
        type=int,
        default=queries,
        metavar="N",
        help=f"of each set, evenly spaced (default {queries}; 0 for all)",
    )


def read_sets(parser: argparse.ArgumentParser, options: argparse.Namespace) -> list[LabelledSet]:
    """Read the sets; what is wrong with the options or a set ends the program with the remedy."""
    if options.queries < 0:
        parser.error(f"--queries {options.queries}: say how many requests of each set to take; 0 takes all")
    folder = os.environ.get(FOLDER)
    if folder and not options.dataset and not Path(folder).is_dir():
        parser.error(f"{FOLDER} is {folder!r}, which is no folder")
    directories = options.dataset or (folder and sorted(each for each in Path(folder).iterdir() if each.is_dir()))
    if not directories:
        parser.error(f"no labelled set: say --dataset DIR, or set {FOLDER} to a folder of sets")
    tokenizer = load_o200k_base()
    sets = []
    for directory in directories:
        progress(f"reading {directory}")
        try:
            sets.append(LabelledSet.read(directory, tokenizer, most_queries=options.queries or None))
        except (OSError, ValueError) as error:
            parser.error(f"{directory} is no labelled set: {error}")
    return sets


def progress(what: str) -> None:
    """Tell what is done next, on standard error."""
    print(what, file=sys.stderr, flush=True)
