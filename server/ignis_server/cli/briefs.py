"""Briefs as the command line is given them: text, a file, or standard input."""

import sys
from pathlib import Path

import typer

__all__ = ["read_brief"]

STANDARD_INPUT = "-"


def read_brief(source: Path | str) -> str:
    """Return the text of a brief: that of a file, of standard input where a `-` is given, or the text itself.

    Raises:
        typer.BadParameter: The bytes are not UTF-8.
    """
    if source == STANDARD_INPUT:
        name, content = "standard input", sys.stdin.buffer.read()
    elif isinstance(source, Path):
        name, content = str(source), source.read_bytes()
    else:
        return source
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{name} is not UTF-8: byte {error.start} is {content[error.start]:#04x}") from error
