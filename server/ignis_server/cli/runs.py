"""`ignis runs`: look at the runs of a server, cancel them, and answer what they ask."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final

import typer
from rich.console import Console

from ignis_client import Answer, Approval, Decision, IgnisClient, InputKind, InputRequest, Rejection, Run, RunState
from ignis_server.cli.addresses import DEFAULT_SERVER, checked_address
from ignis_server.cli.consoles import new_console
from ignis_server.cli.pairs import read_labels
from ignis_server.cli.people import decision_of
from ignis_server.cli.run_lines import run_line
from ignis_server.cli.run_picture import Picture, depths_of
from ignis_server.cli.run_session import Session, definition_of, end_with
from ignis_server.cli.run_view import RunView, asked, one_line, runs_table

__all__ = ["app"]

MAX_SHOWN: Final = 10_000

app = typer.Typer(invoke_without_command=True)


class State(StrEnum):
    """States that runs can be looked for by."""

    SUBMITTED = "submitted"
    WORKING = "working"
    INPUT_REQUIRED = "input-required"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"


def _checked(server: str | None) -> str | None:
    return None if server is None else checked_address(server)


RunId = Annotated[str, typer.Argument(help="The run.", show_default=False)]
InputId = Annotated[str, typer.Argument(help="What it asks: `ignis runs show` has the ids.", show_default=False)]
Comment = Annotated[str, typer.Option(help="A word to those who come after.")]
Server = Annotated[
    str | None,
    typer.Option(help="HOST:PORT of the server.", callback=_checked, show_default=f"IGNIS_SERVER, or {DEFAULT_SERVER}"),
]


@app.callback()
def list_runs(
    context: typer.Context,
    state: Annotated[list[State] | None, typer.Option(help="Only runs in this state; repeatable.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="Only runs with this label, NAME=VALUE; repeatable.")] = None,
    limit: Annotated[int, typer.Option(help="Runs to list at most.", min=1, max=MAX_SHOWN)] = 50,
    server: Annotated[
        str, typer.Option(help="HOST:PORT of the server.", envvar="IGNIS_SERVER", callback=checked_address)
    ] = DEFAULT_SERVER,
) -> None:
    """List the runs of workflows, the latest first; or look at one, cancel it, and answer what it asks.

    Example: ignis runs --state input-required
    """
    context.obj = server
    if context.invoked_subcommand is None:
        states = [RunState(each.value) for each in state or ()]
        asyncio.run(_list(server, states, read_labels(label or ()), limit))


@app.command()
def show(context: typer.Context, run_id: RunId, server: Server = None) -> None:
    """Show where a run stands: its steps, and what it asks of people.

    Example: ignis runs show RUN_ID
    """
    asyncio.run(_show(_server(context, server), run_id))


@app.command()
def watch(context: typer.Context, run_id: RunId, server: Server = None) -> None:
    """Watch a run to its end, and answer what it asks; Ctrl-C ends the watch, and the run goes on.

    Example: ignis runs watch RUN_ID

    Exits 0 if the run is completed, or goes on, and 1 if it failed or was canceled.
    """
    end_with(asyncio.run(_watch(_server(context, server), run_id)))


@app.command()
def cancel(
    context: typer.Context,
    run_id: RunId,
    reason: Annotated[str, typer.Option(help="Why, for those who read it later.")] = "",
    server: Server = None,
) -> None:
    """End a run, and print where it stands then; one that has ended stays as it is.

    Example: ignis runs cancel RUN_ID --reason "the wish was withdrawn"
    """

    async def ask(ignis: IgnisClient) -> Run:
        return await ignis.workflows.cancel_run(run_id, reason=reason)

    asyncio.run(_tell_after(_server(context, server), ask))


@app.command()
def approve(
    context: typer.Context, run_id: RunId, input_id: InputId, comment: Comment = "", server: Server = None
) -> None:
    """Let a run go on that asks for approval; for a lost step: it took effect, take it as done.

    Example: ignis runs approve RUN_ID plan.approval.1
    """
    _decide(_server(context, server), run_id, input_id, Approval(comment))


@app.command()
def reject(
    context: typer.Context,
    run_id: RunId,
    input_id: InputId,
    comment: Annotated[str, typer.Option(help="What is wrong; the step's next attempt is told.")] = "",
    fail: Annotated[bool, typer.Option("--fail", help="Fail the run instead of doing the step again.")] = False,
    server: Server = None,
) -> None:
    """Send a step back that asks for approval; for a question: nobody will answer it, and its step fails.

    Example: ignis runs reject RUN_ID plan.approval.1 --comment "two stories are one"
    """
    _decide(_server(context, server), run_id, input_id, Rejection(comment, fail))


@app.command()
def answer(
    context: typer.Context,
    run_id: RunId,
    input_id: InputId,
    text: Annotated[str, typer.Argument(help="The answer, as text, or the number of a choice.", show_default=False)],
    server: Server = None,
) -> None:
    """Answer what a run asks.

    Example: ignis runs answer RUN_ID INPUT_ID blue
    """

    async def ask(ignis: IgnisClient) -> Run:
        run = await ignis.workflows.get_run(run_id)
        request = next((each for each in run.input_requests if each.id == input_id), None)
        # What is not asked any more, the server has words for.
        decision = Answer(text) if request is None else _read(request, text)
        return await ignis.workflows.resolve_input(run_id, input_id, decision)

    asyncio.run(_tell_after(_server(context, server), ask))


def _server(context: typer.Context, given: str | None) -> str:
    """Return the server that is meant: the one behind the subcommand comes before that of `ignis runs` itself."""
    return given or str(context.obj)


def _decide(server: str, run_id: str, input_id: str, decision: Decision) -> None:
    async def ask(ignis: IgnisClient) -> Run:
        return await ignis.workflows.resolve_input(run_id, input_id, decision)

    asyncio.run(_tell_after(server, ask))


def _read(request: InputRequest, text: str) -> Decision:
    if request.kind is not InputKind.QUESTION:
        raise typer.BadParameter(f"{request.id} asks for approval: say `ignis runs approve` or `ignis runs reject`")
    try:
        return decision_of(request, text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


async def _tell_after(server: str, ask: Callable[[IgnisClient], Awaitable[Run]]) -> None:
    async with IgnisClient(server) as ignis:
        typer.echo(run_line(await ask(ignis)))


async def _list(server: str, states: Sequence[RunState], labels: dict[str, str], limit: int) -> None:
    shown: list[Run] = []
    is_more = False
    async with IgnisClient(server) as ignis:
        async for run in ignis.workflows.list_runs(states=states, labels=labels):
            if len(shown) == limit:
                is_more = True
                break
            shown.append(run)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if shown:
        new_console().print(runs_table(shown, datetime.now(UTC)))
    else:
        console.print("No run is there, or none that is asked for: `ignis run WORKFLOW` begins one.", markup=False)
    if is_more:
        console.print(f"There are more than {limit:,}: say --limit, --state or --label.", markup=False)


async def _show(server: str, run_id: str) -> None:
    async with IgnisClient(server) as ignis:
        run = await ignis.workflows.get_run(run_id)
        definition = await definition_of(ignis, run)
    console = new_console()
    depths = depths_of(definition.steps) if definition else {}
    console.print(RunView(depths).render(Picture(run), datetime.now(UTC)))
    for request in run.input_requests:
        line = f"input {request.id}: step {request.step_id} {one_line(asked(request))}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    for step in run.steps:
        for name, value in (step.output or {}).items():
            line = f"{step.id}.{name} = {json.dumps(value, ensure_ascii=False)}"
            console.print(one_line(line), markup=False, highlight=False, soft_wrap=True)


async def _watch(server: str, run_id: str) -> Run | None:
    async with IgnisClient(server) as ignis:
        definition = await definition_of(ignis, await ignis.workflows.get_run(run_id))
        return await Session(ignis, server="" if server == DEFAULT_SERVER else server).follow(run_id, definition)
