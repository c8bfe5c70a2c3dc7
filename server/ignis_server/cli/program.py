"""The program `ignis`: parses, runs a command, and says in one line what went wrong."""

import sys
from importlib import metadata
from typing import Annotated

import typer

from ignis_client import IgnisError as CallError
from ignis_client.errors import Unavailable
from ignis_server.cli import catalog, demo, health, load, run, runs, serve, signals, sink, status, worker, workflow
from ignis_server.errors import IgnisError, SettingsInvalid

__all__ = ["main"]

app = typer.Typer(
    name="ignis",
    help="Loads just the AI agents a project needs, over gRPC, with exact token counts.",
    epilog="Begin with `ignis demo`, or with `ignis catalog lint DIR` on agents of your own.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def print_version(wanted: bool) -> None:
    """Print the version and end, where that is what was asked for."""
    if wanted:
        typer.echo(f"ignis {metadata.version('ignis-agents')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=print_version)
    ] = False,
) -> None:
    """Take what stands before a command."""


app.add_typer(catalog.app, name="catalog")
app.add_typer(workflow.app, name="workflow")
app.command()(run.run)
app.add_typer(runs.app, name="runs")
app.add_typer(worker.app, name="worker")
app.command()(serve.serve)
app.command()(load.load)
app.command()(health.health)
app.command()(demo.demo)
app.command()(status.status)
app.command()(sink.sink)
app.command()(signals.signals)


def main() -> None:
    """Run the command line; exit 1 where the server asked says no, 2 where it cannot be asked as told."""
    try:
        app()
    except Unavailable as error:
        sys.stderr.write(f"ignis: no server answers: {error}; `ignis serve --catalog DIR` starts one\n")
        sys.exit(1)
    except CallError as error:
        sys.stderr.write(f"ignis: {error}\n")
        sys.exit(1)
    except IgnisError as error:
        for line in error.mistakes if isinstance(error, SettingsInvalid) else (str(error),):
            sys.stderr.write(f"ignis: {line}\n")
        sys.exit(2)
