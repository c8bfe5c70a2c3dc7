"""Following a run at a terminal or without one: what the commands `ignis run` and `ignis runs watch` share."""

import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Final

import grpc
import typer
from rich.console import Console

from ignis_client import IgnisClient, InputKind, InputRequest, Question, Run, RunState, WorkflowDefinition, errors
from ignis_server.cli.consoles import new_console
from ignis_server.cli.following import Follower, Left, interruptions
from ignis_server.cli.people import Agreeing, People, Prepared, Terminal, is_somebody_here
from ignis_server.cli.run_display import Display, Lines, LiveView
from ignis_server.cli.run_lines import run_line
from ignis_server.cli.run_picture import depths_of
from ignis_server.cli.run_view import asked, one_line

__all__ = ["Session", "definition_of", "end_with"]

CANCELED_HERE: Final = "Ctrl-C at the command line"


@dataclass(frozen=True, slots=True)
class Session:
    """How a run is followed from here.

    Attributes:
        ignis: Where the run is.
        is_private: Whether the server ends with this program, and so does the run.
        is_owner: Whether Ctrl-C is about the run, and not just about watching it.
        agrees: Whether everything is approved, and questions answered with what is given beforehand.
        answers: Answers that were given beforehand, as STEP=ANSWER.
        server: What to name in commands that are told; empty where it need not be named.
    """

    ignis: IgnisClient
    is_private: bool = False
    is_owner: bool = False
    agrees: bool = False
    answers: Sequence[str] = ()
    server: str = ""

    async def follow(self, run_id: str, definition: WorkflowDefinition | None) -> Run | None:
        """Return a run as it ended; None where it goes on, and nobody here wants to follow it any more.

        Raises:
            typer.Exit: Nobody wants to wait for the end of a run that ends with this program.
        """
        steps = definition.steps if definition else ()
        questions: dict[str, Question] = {step.id: step.question for step in steps if step.question is not None}
        display: Display = LiveView(new_console(), depths_of(steps)) if sys.stdout.isatty() else Lines(new_console())
        terminal = Terminal(display) if is_somebody_here() else None
        people: list[People] = [Prepared(self.answers)]
        people += [Agreeing()] if self.agrees else []
        people += [terminal] if terminal else []
        follower = Follower(
            self.ignis.workflows, display, people, questions, self._pass_on, self._interrupted(terminal)
        )
        try:
            with interruptions() as told, display:
                return await follower.to_end(run_id, told)
        except Left:
            if self.is_private:
                _tell("the run ended with this program")
                raise typer.Exit(1) from None
            _tell(f"the run goes on: {self._command('watch', run_id)}")
            return None

    async def _pass_on(self, run_id: str, request: InputRequest) -> None:
        """Say who must decide what nobody here does; a run that nobody else can reach is canceled.

        Raises:
            IgnisError: The run cannot be canceled.
        """
        what = f"step {request.step_id} {one_line(asked(request))}"
        if self.is_private:
            _tell(f"{what}; nobody is here to answer: say --yes, or --answer {request.step_id}=ANSWER")
            await self.ignis.workflows.cancel_run(run_id, reason="nobody was there to answer")
            return
        verb = "answer" if request.kind is InputKind.QUESTION else "approve"
        _tell(f"{what}: {self._command(verb, run_id, request.id)}")

    def _interrupted(self, terminal: Terminal | None) -> Callable[[str], Coroutine[object, object, None]]:
        async def interrupted(run_id: str) -> None:
            if not self.is_owner:
                raise Left
            if terminal is not None and not self.is_private and not await terminal.agrees("\nCancel the run?"):
                raise Left
            await self.ignis.workflows.cancel_run(run_id, reason=CANCELED_HERE)

        return interrupted

    def _command(self, verb: str, *names: str) -> str:
        at = f" --server {self.server}" if self.server else ""
        return f"`ignis runs {verb} {' '.join(names)}{' ANSWER' if verb == 'answer' else ''}{at}`"


async def definition_of(ignis: IgnisClient, run: Run) -> WorkflowDefinition | None:
    """Return the workflow that a run executes; None where the server has it no longer, or another of that id."""
    try:
        definition = await ignis.workflows.get_definition(run.definition_id)
    except errors.IgnisError as error:
        if error.code is grpc.StatusCode.NOT_FOUND:
            return None
        raise
    return definition if definition.digest == run.definition_digest else None


def end_with(run: Run | None) -> None:
    """End the command: with 0 where the run is completed or goes on, with 1 where it failed or was canceled.

    Raises:
        typer.Exit: Always.
    """
    if run is None:
        raise typer.Exit(0)
    if run.state is not RunState.COMPLETED:
        _tell(run_line(run))
        raise typer.Exit(1)
    if not sys.stdout.isatty():
        typer.echo(run_line(run))
    raise typer.Exit(0)


def _tell(text: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"ignis: {text}", markup=False)
