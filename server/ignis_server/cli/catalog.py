"""`ignis catalog`: look at a catalog without a server."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ignis_server.agents.assembly import compile_catalog
from ignis_server.agents.catalog import Catalog
from ignis_server.agents.source import read_directories
from ignis_server.agents.tokenizer import load_o200k_base
from ignis_server.cli.consoles import new_console, new_table
from ignis_server.cli.diagnostics import AsJson, Least, LeastSeverity, counted, fail_on_errors, show
from ignis_server.errors import CatalogUnusable

__all__ = ["app"]

app = typer.Typer(help="Look at catalogs: what is wrong with their files, and what they hold.", no_args_is_help=True)

Directories = Annotated[list[Path], typer.Argument(help="Directories that hold agents.", show_default=False)]


@app.command()
def lint(
    directories: Directories,
    severity: LeastSeverity = Least.NOTE,
    as_json: AsJson = False,
) -> None:
    """Name every file that holds no agent or has something wrong, with the line and how to mend it.

    Exits 1 if a file was rejected, and 0 otherwise.
    """
    catalog = _compiled(directories)
    if not catalog.file_count and not catalog.diagnostics:
        raise CatalogUnusable(directories[0], "it holds no file", "give the directory that the agents lie in")
    show(catalog.diagnostics, severity, as_json=as_json)
    if not as_json:
        _print_summary(catalog)
    fail_on_errors(catalog.diagnostics)


@app.command("list")
def list_agents(directories: Directories, as_json: AsJson = False) -> None:
    """List the agents with their formats and exact token counts."""
    catalog = _compiled(directories)
    if as_json:
        typer.echo(json.dumps([_described(catalog, place) for place in range(len(catalog.agents))], indent=2))
        return
    table = new_table()
    table.add_column("id", no_wrap=True)
    for heading in ("name", "format", "category"):
        table.add_column(heading, overflow="ellipsis")
    table.add_column("card", justify="right", no_wrap=True)
    table.add_column("core", justify="right", no_wrap=True)
    table.add_column("full", justify="right", no_wrap=True)
    for agent in catalog.agents:
        definition = agent.definition
        table.add_row(
            agent.agent_id,
            definition.name,
            definition.format.value,
            definition.category,
            f"{agent.card.tokens:,}",
            f"{agent.core.tokens:,}",
            f"{agent.full.tokens:,}",
        )
    new_console().print(table)
    _print_summary(catalog)


def _compiled(directories: list[Path]) -> Catalog:
    return compile_catalog(read_directories(tuple(directories)), load_o200k_base())


def _described(catalog: Catalog, place: int) -> dict[str, object]:
    agent = catalog.agents[place]
    definition = agent.definition
    return {
        "id": agent.agent_id,
        "name": definition.name,
        "description": definition.description,
        "format": definition.format.value,
        "category": definition.category,
        "digest": agent.digest,
        "path": definition.path,
        "card_tokens": agent.card.tokens,
        "core_tokens": agent.core.tokens,
        "full_tokens": agent.full.tokens,
    }


def _print_summary(catalog: Catalog) -> None:
    tokens = sum(agent.full.tokens for agent in catalog.agents)
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"{catalog.file_count:,} files: {len(catalog.agents):,} agents with {tokens:,} tokens, "
        f"{len(catalog.teams):,} teams; {counted(catalog.diagnostics)}"
    )
