"""`ignis workflow`: look at workflows without a server."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ignis_server.agents.assembly import compile_catalog
from ignis_server.agents.source import read_directories
from ignis_server.agents.tokenizer import load_o200k_base
from ignis_server.cli.consoles import new_console, new_table
from ignis_server.cli.diagnostics import AsJson, Least, LeastSeverity, counted, fail_on_errors, show
from ignis_server.diagnostics import Severity
from ignis_server.errors import WorkflowsUnusable
from ignis_server.workflow.definition_codec import definition_digest
from ignis_server.workflow.formats import json_schema
from ignis_server.workflow.library import Library, compile_library
from ignis_server.workflow.model import Definition
from ignis_server.workflow.source import read_paths
from ignis_server.workflow_agents import CatalogDirectory

__all__ = ["app"]

app = typer.Typer(help="Look at workflows: what is wrong with their files, and what they hold.", no_args_is_help=True)

Paths = Annotated[list[Path], typer.Argument(help="Files, or directories that hold them.", show_default=False)]
Catalogs = Annotated[
    list[Path] | None,
    typer.Option("--catalog", help="A directory of agents, by which those that steps name are checked; repeatable."),
]


@app.command()
def lint(
    paths: Paths,
    catalog: Catalogs = None,
    severity: LeastSeverity = Least.NOTE,
    as_json: AsJson = False,
) -> None:
    """Name everything that is wrong with workflows, with the line and how to mend it, and how they were read.

    Exits 1 if a workflow cannot be started, and 0 otherwise.
    """
    library = _compiled(paths, catalog)
    show(library.diagnostics, severity, as_json=as_json)
    if not as_json:
        _print_summary(library)
    fail_on_errors(library.diagnostics)


@app.command("list")
def list_definitions(paths: Paths, catalog: Catalogs = None, as_json: AsJson = False) -> None:
    """List the workflows that can be started, with their inputs and steps."""
    library = _compiled(paths, catalog)
    if as_json:
        typer.echo(json.dumps([_described(each) for each in library.definitions.values()], indent=2))
        return
    table = new_table()
    table.add_column("id", no_wrap=True)
    for heading in ("name", "format", "inputs"):
        table.add_column(heading, overflow="ellipsis")
    table.add_column("steps", justify="right", no_wrap=True)
    for definition in library.definitions.values():
        table.add_row(
            definition.id,
            definition.name,
            definition.format.value,
            ", ".join(each.name if each.is_required else f"[{each.name}]" for each in definition.inputs),
            str(len(definition.steps)),
        )
    new_console().print(table, markup=False)
    _print_summary(library)


@app.command()
def schema() -> None:
    """Print the JSON Schema of workflow files, for editors and other tools."""
    typer.echo(json.dumps(json_schema(), indent=2))


def _compiled(paths: list[Path], catalogs: list[Path] | None) -> Library:
    directory = None
    if catalogs:
        directory = CatalogDirectory(compile_catalog(read_directories(tuple(catalogs)), load_o200k_base()))
    sources = read_paths(paths)
    library = compile_library(sources.files, directory, sources.diagnostics)
    if not library.definitions and all(each.severity is Severity.NOTE for each in library.diagnostics):
        remedy = "give a file with `name` and `steps`, or one of BMAD's workflows"
        raise WorkflowsUnusable(paths[0], f"none of its {library.file_count} YAML files is a workflow", remedy)
    return library


def _described(definition: Definition) -> dict[str, object]:
    return {
        "id": definition.id,
        "name": definition.name,
        "description": definition.description,
        "format": definition.format.value,
        "digest": definition_digest(definition),
        "tags": definition.tags,
        "inputs": [
            {"name": each.name, "type": each.type.value, "required": each.is_required} for each in definition.inputs
        ],
        "steps": [
            {"id": each.id, "kind": each.kind.value, "agent": each.agent, "needs": each.needs}
            for each in definition.steps
        ],
    }


def _print_summary(library: Library) -> None:
    steps = sum(len(each.steps) for each in library.definitions.values())
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"{library.file_count:,} files: {len(library.definitions):,} workflows with {steps:,} steps; "
        f"{counted(library.diagnostics)}"
    )
