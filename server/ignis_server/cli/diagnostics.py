"""How commands that lint show what they found."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Final

import typer
from rich.console import Console

from ignis_server.diagnostics import Diagnostic, Severity

__all__ = ["AsJson", "Least", "LeastSeverity", "counted", "fail_on_errors", "show"]

STYLES: Final = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


class Least(StrEnum):
    """The least severity to show."""

    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


LeastSeverity = Annotated[Least, typer.Option(help="The least severity to show.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON for machines instead of text.")]


def show(diagnostics: Sequence[Diagnostic], least: Least, *, as_json: bool) -> None:
    """Print those that are severe enough, as compilers print them or as JSON."""
    shown = [each for each in diagnostics if each.severity >= Severity[least.name]]
    if as_json:
        typer.echo(json.dumps([asdict(each) | {"severity": each.severity.name.lower()} for each in shown], indent=2))
        return
    console = Console(soft_wrap=True, highlight=False)
    for each in shown:
        console.print(f"{each.path}:{each.line}: ", end="", markup=False)
        console.print(each.severity.name.lower(), style=STYLES[each.severity], end="")
        console.print(f": {each.message} [{each.code}]; {each.remedy}", markup=False)


def counted(diagnostics: Sequence[Diagnostic]) -> str:
    """Return how many there are of each severity, for a summary."""
    errors, warnings, notes = (
        sum(each.severity is severity for each in diagnostics)
        for severity in (Severity.ERROR, Severity.WARNING, Severity.NOTE)
    )
    return f"{errors:,} errors, {warnings:,} warnings, {notes:,} notes"


def fail_on_errors(diagnostics: Sequence[Diagnostic]) -> None:
    """End the command with 1 where any is an error."""
    if any(each.severity is Severity.ERROR for each in diagnostics):
        raise typer.Exit(1)
