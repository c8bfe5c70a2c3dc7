"""Where commands write: as wide as the terminal, and as wide as it takes where a program reads."""

import sys

from rich.console import Console
from rich.table import Table

__all__ = ["new_console", "new_table"]

# Wider than any table: what is piped into another program is never wrapped or cut.
PIPED_WIDTH = 4_000


def new_console() -> Console:
    """Return a console on standard output."""
    return Console() if sys.stdout.isatty() else Console(width=PIPED_WIDTH, soft_wrap=True)


def new_table(title: str | None = None) -> Table:
    """Return a plain table."""
    return Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
