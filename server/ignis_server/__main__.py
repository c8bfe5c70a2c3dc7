"""The door of the command line: parses, runs a command, and says in one line what went wrong."""

import sys

import typer

from ignis_client import IgnisError as CallError
from ignis_server.cli import catalog, demo, health, load, serve
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
app.add_typer(catalog.app, name="catalog")
app.command()(serve.serve)
app.command()(load.load)
app.command()(health.health)
app.command()(demo.demo)


def main() -> None:
    """Run the command line; exit 1 where the server asked says no, 2 where it cannot be asked as told."""
    try:
        app()
    except CallError as error:
        sys.stderr.write(f"ignis: {error}\n")
        sys.exit(1)
    except IgnisError as error:
        for line in error.mistakes if isinstance(error, SettingsInvalid) else (str(error),):
            sys.stderr.write(f"ignis: {line}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
