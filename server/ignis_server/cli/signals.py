"""`ignis signals`: all that leaves as telemetry, for whoever has to read it or to allow it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Final

import typer
from rich.markup import escape

from ignis_server.cli.consoles import new_console, new_table
from ignis_server.signal_table import EVENTS, METRICS, RESOURCE, SPANS, STAYS_LOCAL, Attribute, Privacy, Row

__all__ = ["signals"]

SECTIONS: Final[tuple[tuple[str, Sequence[Row]], ...]] = (("Spans", SPANS), ("Metrics", METRICS), ("Events", EVENTS))

PRIVACY: Final = {
    Privacy.SERVICE: "says something of this service alone: its methods, states, figures, addresses",
    Privacy.CATALOG: "a digest of the operator's catalog, and never its text",
    Privacy.CORRELATION: "a random id that ties records together",
}

INTRODUCTION: Final = """\
# Telemetry: all that leaves

Written by `make docs` from `server/ignis_server/signal_table.py`; a test compares. What is not here does not leave: neither
briefs nor agents nor names of users. `ignis status --egress NAME` shows what would leave next.
"""


def signals(
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON for machines instead of tables.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Write docs/signals.md.")] = False,
) -> None:
    """List every span, metric and event that the service emits, with attributes, units and privacy.

    It is the whole list: what is not in it does not leave.
    """
    if as_json and markdown:
        raise typer.BadParameter("--json and --markdown exclude each other")
    if as_json:
        typer.echo(json.dumps(_plain(), indent=2))
    elif markdown:
        typer.echo("\n".join(_markdown()))
    else:
        _print()


def _plain() -> dict[str, object]:
    sections = {title.lower(): [asdict(row) for row in rows] for title, rows in SECTIONS}
    return {"resource": [asdict(each) for each in RESOURCE], **sections}


def _print() -> None:
    console = new_console()
    for title, rows in SECTIONS:
        table = new_table(f"{title} ({len(rows)})")
        table.add_column("name", style="cyan", overflow="fold")
        table.add_column("kind")
        table.add_column("unit")
        table.add_column("attributes", overflow="fold")
        table.add_column("meaning", overflow="fold")
        shared = _shared(rows)
        for row in rows:
            names = ", ".join(each.name for each in row.attributes if each not in shared)
            table.add_row(row.name, row.kind.value, escape(row.unit), escape(names), escape(row.meaning))
        console.print(table)
        if shared:
            console.print(f"Each may carry {', '.join(each.name for each in shared)}.", markup=False, highlight=False)
    table = new_table("Attributes, and whom they say anything of")
    table.add_column("name", style="cyan", no_wrap=True)
    table.add_column("privacy")
    table.add_column("meaning", overflow="fold")
    for attribute in _attributes():
        table.add_row(attribute.name, attribute.privacy.value, escape(attribute.meaning))
    console.print(table)


def _shared(rows: Sequence[Row]) -> tuple[Attribute, ...]:
    """Return the attributes that all rows have, to be said once."""
    first, *others = rows
    return tuple(each for each in first.attributes if all(each in row.attributes for row in others))


def _attributes() -> list[Attribute]:
    """Return the attributes of all sections, by name; one name may mean several things."""
    found = {*RESOURCE, *(each for _, rows in SECTIONS for row in rows for each in row.attributes)}
    return sorted(found, key=lambda each: (each.name, each.meaning))


def _markdown() -> Iterator[str]:
    yield INTRODUCTION
    yield "Privacy says whom an attribute says anything of:\n"
    yield from (f"- **{privacy.value}**: {meaning}." for privacy, meaning in PRIVACY.items())
    local = ", ".join(f"`{name}`" for name in sorted(STAYS_LOCAL))
    yield f"\nFields of log lines that may hold paths or texts stay on the machine: {local}.\n"
    yield "## Resource\n"
    yield "These come with each request, and what the operator's `OTEL_RESOURCE_ATTRIBUTES` says.\n"
    yield from _table(("attribute", "privacy", "meaning"), map(_described, RESOURCE))
    for title, rows in SECTIONS:
        yield f"## {title}\n"
        shared = _shared(rows)
        if shared:
            yield f"Each may carry {_named(shared)}; besides these:\n"
        heads = ("name", "kind", "unit", "attributes", "meaning")
        yield from _table(heads, (_row(row, shared) for row in rows))
    yield "## Attributes\n"
    yield from _table(("attribute", "privacy", "meaning"), map(_described, _attributes()))


def _row(row: Row, shared: Sequence[Attribute]) -> tuple[str, ...]:
    named = _named([each for each in row.attributes if each not in shared])
    return f"`{row.name}`", row.kind.value, row.unit, named, row.meaning


def _described(attribute: Attribute) -> tuple[str, ...]:
    return f"`{attribute.name}`", attribute.privacy.value, attribute.meaning


def _named(attributes: Sequence[Attribute]) -> str:
    return ", ".join(f"`{each.name}` ({each.privacy.value})" for each in attributes)


def _table(heads: Sequence[str], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"
    yield ""
