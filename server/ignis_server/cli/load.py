"""`ignis load`: ask a running server for the agents that a project needs."""

import asyncio
import json
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ignis_client import DetailLevel, IgnisClient, Loaded
from ignis_server.cli.addresses import checked_address
from ignis_server.cli.briefs import read_brief
from ignis_server.cli.consoles import new_console
from ignis_server.cli.tables import print_loaded

__all__ = ["load"]


class Detail(StrEnum):
    """The most detailed level that may be sent."""

    CARD = "card"
    CORE = "core"
    FULL = "full"


def load(
    brief: Annotated[str, typer.Argument(help="What the project is and needs; '-' reads standard input.")] = "",
    file: Annotated[Path | None, typer.Option(help="Read the brief from a file.", exists=True, dir_okay=False)] = None,
    server: Annotated[
        str, typer.Option(help="HOST:PORT of the server.", envvar="IGNIS_SERVER", callback=checked_address)
    ] = "127.0.0.1:50051",
    budget: Annotated[
        int | None, typer.Option(help="Tokens that the bundle may cost.", show_default="the server's")
    ] = None,
    min_recall: Annotated[
        float | None,
        typer.Option(
            help="The share of the relevant agents to hold on average: 0.90, 0.95 or 0.99. More is loaded.",
            show_default="what is worth its tokens",
        ),
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A word that describes the project; repeatable.")] = None,
    require: Annotated[list[str] | None, typer.Option(help="An agent that must be loaded; repeatable.")] = None,
    team: Annotated[list[str] | None, typer.Option(help="A team that must be loaded; repeatable.")] = None,
    forbid: Annotated[list[str] | None, typer.Option(help="An agent that must not be loaded; repeatable.")] = None,
    detail: Annotated[Detail, typer.Option(help="The most detailed level that may be sent.")] = Detail.FULL,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON for machines instead of tables.")] = False,
    text: Annotated[bool, typer.Option("--text", help="Write the bundle's text and nothing else.")] = False,
) -> None:
    """Load the agents that a project needs, and say why these.

    Example: ignis load "Next.js storefront with Stripe payments on PostgreSQL" --budget 15000

    A load without --min-recall takes few agents, those that most likely answer. One with it takes so many that on
    average over requests no more than the rest of the relevant agents is missed.
    """
    if text and as_json:
        raise typer.BadParameter("--text and --json exclude each other")
    if not (brief or file or tag or require or team):
        raise typer.BadParameter("say what the project needs: a brief, --file, --tag, --require or --team")
    loaded = asyncio.run(
        _load(
            server,
            read_brief(file or brief),
            budget_tokens=budget,
            min_recall=min_recall,
            tags=tag or (),
            required_agents=require or (),
            required_teams=team or (),
            forbidden_agents=forbid or (),
            max_detail=DetailLevel[detail.name],
        )
    )
    if text:
        sys.stdout.write(loaded.text)
    elif as_json:
        typer.echo(json.dumps(_plain(asdict(loaded)), indent=2))
    else:
        print_loaded(new_console(), loaded)


def _plain(value: object) -> object:
    """Return a value as JSON has it: enums by their names in lower case, whole numbers as such."""
    match value:
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case DetailLevel():
            return value.name.lower()
        case float():
            return int(value) if value.is_integer() else round(value, 4)
    return value


async def _load(server: str, brief: str, **options: object) -> Loaded:
    async with IgnisClient(server) as ignis:
        return await ignis.load_agents(brief, **options)  # type: ignore[arg-type]  # named as load_agents names them
