"""The door of the command line, which stands even where only the client is installed."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; say how to get it where what it needs is not installed."""
    try:
        from ignis_server.cli import program  # noqa: PLC0415 - imports what only the server's extra brings
    except ModuleNotFoundError as error:
        sys.stderr.write(f"ignis: {error.name} is not installed: pip install 'ignis-agents[server]'\n")
        sys.exit(2)
    program.main()


if __name__ == "__main__":
    main()
