"""`ignis run`: run a workflow, from a file or at a server, and watch it to its end."""

import asyncio
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from ignis_client import IgnisClient, Run, WorkflowDefinition
from ignis_client.executors.echo import echo
from ignis_server.cli.addresses import DEFAULT_SERVER, checked_address
from ignis_server.cli.briefs import read_brief
from ignis_server.cli.logs import configure_logs
from ignis_server.cli.pairs import read_inputs, read_labels
from ignis_server.cli.private_server import serving_privately
from ignis_server.cli.run_session import Session, end_with
from ignis_server.cli.working import beside
from ignis_server.errors import WorkflowsUnusable

__all__ = ["run"]

SUFFIXES: Final = frozenset({".yaml", ".yml"})
CONCURRENCY: Final = 8


class WorkerKind(StrEnum):
    """Who does the steps."""

    ECHO = "echo"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be run, as it was said."""

    inputs: tuple[str, ...]
    brief: str
    labels: dict[str, str]
    answers: tuple[str, ...]
    agrees: bool
    worker: WorkerKind


def run(
    workflow: Annotated[
        str,
        typer.Argument(
            metavar="WORKFLOW",
            help="A file (FILE#NAME where it holds several), or the id or name of a workflow at a server.",
            show_default=False,
        ),
    ],
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", help="NAME=VALUE for the workflow; lists and objects in JSON; repeatable."),
    ] = None,
    brief: Annotated[
        str, typer.Option(help="The project that it is for, from which agents are chosen; '@FILE' reads a file.")
    ] = "",
    label: Annotated[list[str] | None, typer.Option(help="NAME=VALUE to find the run by; repeatable.")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Approve everything; answer questions by default, first choice, or yes.")
    ] = False,
    answer: Annotated[
        list[str] | None,
        typer.Option(help="STEP=ANSWER to what a step asks: words, or approve, reject or fail[: why]; repeatable."),
    ] = None,
    watch: Annotated[
        bool | None,
        typer.Option("--watch/--no-watch", help="Watch it to its end.", show_default="for files, and at a terminal"),
    ] = None,
    worker: Annotated[
        WorkerKind | None,
        typer.Option(
            help="Who does the steps from here: echo says what each was asked, without a model.",
            show_default="echo for files, none at a server",
        ),
    ] = None,
    catalog: Annotated[
        list[Path] | None,
        typer.Option(help="For a file: a directory that holds agents; repeatable.", show_default="the sample catalog"),
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(
            help="HOST:PORT of the server. A file is run by a server of its own unless this is given.",
            envvar="IGNIS_SERVER",
            show_default=DEFAULT_SERVER,
        ),
    ] = None,
) -> None:
    """Run a workflow and watch it to its end: what each step does, and what it asks of you.

    Example: ignis run examples/workflows/release-notes.yaml --input repository=https://git.example.org/shop --yes

    A file needs no server: it runs in this process, nothing of it is kept, and unless there is a worker of yours its
    steps are echoed, so that a workflow can be tried before it costs anything. At a server the run goes on without this
    program. Ctrl-C cancels the run; at a server and a terminal it asks before.

    Exits 0 if the run is completed (or, not watched, has begun), 1 if it failed or was canceled, 2 if it cannot be run
    as told.
    """
    file, _, name = workflow.partition("#")
    is_file = server is None and Path(file).exists()
    if not is_file and server is None and Path(file).suffix in SUFFIXES:
        raise typer.BadParameter(f"{file} is no file")
    if catalog and not is_file:
        raise typer.BadParameter("--catalog is for a file that is run without a server: a server has its own")
    if is_file and watch is False:
        raise typer.BadParameter("--no-watch is for servers: the run of a file ends with this program")
    begin = worker or (WorkerKind.ECHO if is_file else WorkerKind.NONE)
    wanted = Wanted(
        inputs=tuple(inputs or ()),
        brief=_brief(brief),
        labels=read_labels(label or ()),
        answers=tuple(answer or ()),
        agrees=yes,
        worker=begin,
    )
    if is_file:
        end_with(asyncio.run(_run_file(Path(file), name, catalog or [], wanted)))
    is_watching = sys.stdout.isatty() if watch is None else watch
    if begin is WorkerKind.ECHO or yes or answer:
        if watch is False:
            raise typer.BadParameter("--worker, --yes and --answer need --watch: they end with this program")
        is_watching = True
    end_with(asyncio.run(_run_at(checked_address(server or DEFAULT_SERVER), workflow, wanted, is_watching=is_watching)))


def _brief(text: str) -> str:
    if not text.startswith("@"):
        return text
    path = Path(text.removeprefix("@"))
    if not path.is_file():
        raise typer.BadParameter(f"--brief {text}: {path} is no file")
    return read_brief(path)


async def _run_file(file: Path, name: str, catalogs: list[Path], wanted: Wanted) -> Run | None:
    configure_logs("error")
    async with serving_privately(file, catalogs) as (address, ignis):
        definition = await ignis.workflows.get_definition(await _id_in(ignis, file, name))
        inputs = read_inputs(wanted.inputs, definition)
        if wanted.worker is WorkerKind.NONE:
            _tell(f"serving on {address}: `ignis worker echo --server {address}` does steps")
        session = Session(ignis, is_private=True, is_owner=True, agrees=wanted.agrees, answers=wanted.answers)
        begun = await ignis.workflows.start_run(definition.id, brief=wanted.brief, inputs=inputs, labels=wanted.labels)
        return await _follow(session, begun.id, definition, wanted.worker)


async def _run_at(server: str, workflow: str, wanted: Wanted, *, is_watching: bool) -> Run | None:
    async with IgnisClient(server) as ignis:
        definition = await ignis.workflows.get_definition(workflow)
        inputs = read_inputs(wanted.inputs, definition)
        begun = await ignis.workflows.start_run(definition.id, brief=wanted.brief, inputs=inputs, labels=wanted.labels)
        at = "" if server == DEFAULT_SERVER else server
        if not is_watching:
            typer.echo(begun.id)
            return None
        session = Session(ignis, is_owner=True, agrees=wanted.agrees, answers=wanted.answers, server=at)
        return await _follow(session, begun.id, definition, wanted.worker)


async def _id_in(ignis: IgnisClient, file: Path, name: str) -> str:
    """Return the id of the workflow that a file holds, or of the one that is named where it holds several.

    Raises:
        WorkflowsUnusable: It holds none that can be started.
        typer.BadParameter: It holds several, and none is named.
    """
    ids = [each.id async for each in ignis.workflows.list_definitions()]
    if not ids:
        remedy = f"`ignis workflow lint {file}` says why"
        raise WorkflowsUnusable(file, "it holds no workflow that can be started", remedy)
    # An id is the file's own name, or has the name of the workflow behind a "#", or is a path below a directory.
    by_name = {each.partition("#")[2] or each: each for each in ids}
    if not name and len(ids) == 1:
        return ids[0]
    if name in by_name:
        return by_name[name]
    what = f"no workflow {name!r}" if name else "several workflows"
    raise typer.BadParameter(f"{file} holds {what}: say {', or '.join(f'{file}#{each}' for each in by_name)}")


async def _follow(session: Session, run_id: str, definition: WorkflowDefinition, kind: WorkerKind) -> Run | None:
    """Follow a run, and have its steps done, whatever abilities they ask for, where a worker is wanted."""
    following = session.follow(run_id, definition)
    if kind is WorkerKind.NONE:
        return await following
    abilities = {each for step in definition.steps for each in (*step.capabilities, step.executor) if each}
    worker = session.ignis.worker(
        echo, capabilities=sorted({*abilities, "echo"}), run_id=run_id, concurrency=CONCURRENCY
    )
    return await beside(worker, following)


def _tell(text: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)
