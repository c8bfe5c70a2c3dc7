"""`ignis worker`: do the steps of workflows at a server, until told to stop."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final

import typer

from ignis_client import Handler, IgnisClient
from ignis_client.executors.echo import echo as echo_step
from ignis_client.executors.openai import OpenAIExecutor
from ignis_server.cli.addresses import DEFAULT_SERVER, checked_address
from ignis_server.cli.following import interruptions
from ignis_server.cli.working import reported, working
from ignis_server.settings import read_secret

__all__ = ["app"]

MAX_CONCURRENCY: Final = 256

app = typer.Typer(help="Do the steps of workflows at a server, until Ctrl-C.", no_args_is_help=True)

Server = Annotated[str, typer.Option(help="HOST:PORT of the server.", envvar="IGNIS_SERVER", callback=checked_address)]
Capabilities = Annotated[
    list[str] | None,
    typer.Option("--capability", help="What else the worker can do, beside its own name; repeatable."),
]
Agents = Annotated[
    list[str] | None, typer.Option("--agent", help="Do only steps of this agent, by id or name; repeatable.")
]
Concurrency = Annotated[int, typer.Option(help="Steps to do at a time.", min=1, max=MAX_CONCURRENCY)]


@dataclass(frozen=True, slots=True)
class Place:
    """Which steps of which server a worker does."""

    server: str
    capabilities: tuple[str, ...]
    agents: tuple[str, ...]
    concurrency: int


@app.command()
def echo(
    server: Server = DEFAULT_SERVER,
    capability: Capabilities = None,
    agent: Agents = None,
    concurrency: Concurrency = 8,
) -> None:
    """Say of each step what it was asked, without a model: to try workflows.

    Example: ignis worker echo --capability git --capability openai

    A line is printed for each step. Ctrl-C lets steps in hand finish; a second one gives them back.
    """
    asyncio.run(_work(Place(server, _offered("echo", capability), tuple(agent or ()), concurrency), echo_step))


@app.command()
def openai(
    base_url: Annotated[
        str, typer.Option(help="Where the endpoint is, without /chat/completions.", show_default=False)
    ],
    model: Annotated[str, typer.Option(help="The model, as the endpoint calls it.", show_default=False)],
    api_key_env: Annotated[
        str, typer.Option(help="The environment variable that holds the key; where it is unset, none is sent.")
    ] = "OPENAI_API_KEY",
    server: Server = DEFAULT_SERVER,
    capability: Capabilities = None,
    agent: Agents = None,
    concurrency: Concurrency = 4,
) -> None:
    """Have a model do the steps, over any endpoint that speaks OpenAI's chat completions.

    Example: ignis worker openai --base-url http://localhost:11434/v1 --model qwen3-coder

    A line is printed for each step. Ctrl-C lets steps in hand finish; a second one gives them back.
    """
    if not base_url.startswith(("http://", "https://")):
        raise typer.BadParameter(f"--base-url {base_url!r} is no URL, such as http://localhost:11434/v1")
    place = Place(server, _offered("openai", capability), tuple(agent or ()), concurrency)
    asyncio.run(_work_by_model(place, base_url, model, read_secret(api_key_env)))


def _offered(name: str, more: Iterable[str] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys((name, *(more or ()))))


async def _work_by_model(place: Place, base_url: str, model: str, api_key: str) -> None:
    async with OpenAIExecutor(base_url, model, api_key=api_key) as executor:
        await _work(place, executor)


async def _work(place: Place, handler: Handler) -> None:
    async with IgnisClient(place.server) as ignis:
        # A worker waits for a server that is away; that there is none at all is better said than waited for.
        await ignis.wait_ready()
        worker = ignis.worker(
            reported(handler, typer.echo),
            agents=place.agents,
            capabilities=place.capabilities,
            concurrency=place.concurrency,
        )
        with interruptions() as told:
            typer.echo(f"worker {worker.worker_id} offers {', '.join(place.capabilities)} to {place.server}")
            async with working(worker) as work:
                first = asyncio.create_task(told.wait(), name="ignis worker: interrupt")
                await asyncio.wait({work, first}, return_when=asyncio.FIRST_COMPLETED)
                first.cancel()
                worker.stop()
                told.clear()
                second = asyncio.create_task(told.wait(), name="ignis worker: second interrupt")
                await asyncio.wait({work, second}, return_when=asyncio.FIRST_COMPLETED)
                second.cancel()
                work.cancel()
