"""Who answers what a run asks: answers given beforehand, consent to everything, or a person at this terminal."""

import asyncio
import os
import sys
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

import typer
from rich.console import Console

from ignis_client import Answer, Approval, Decision, InputKind, InputRequest, Question, Rejection
from ignis_server.cli.pairs import split_pair
from ignis_server.cli.run_display import Display
from ignis_server.cli.run_picture import definition_id_of
from ignis_server.cli.run_view import asked, one_line

__all__ = ["Agreeing", "Asked", "People", "Prepared", "Terminal", "decision_of", "is_somebody_here"]

MAX_LINE_BYTES: Final = 4_096
APPROVING: Final = frozenset({"y", "yes", "approve"})
REJECTING: Final = frozenset({"n", "no", "reject"})
FAILING: Final = frozenset({"fail"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run asks, and what its workflow says of the question; None where it asks for approval."""

    request: InputRequest
    question: Question | None


class People(Protocol):
    """Somebody who may decide; is cancelled when the answer is wanted no more."""

    async def decide(self, asked_now: Asked) -> Decision | None:
        """Return what is decided; None where others must."""


class Prepared:
    """Gives the answers that were given beforehand, each once, in their order."""

    def __init__(self, answers: Iterable[str]) -> None:
        """Take answers as STEP=ANSWER.

        Raises:
            typer.BadParameter: One is no such pair.
        """
        self._answers: defaultdict[str, deque[str]] = defaultdict(deque)
        for text in answers:
            step_id, answer = split_pair("--answer", text)
            self._answers[step_id].append(answer)

    async def decide(self, asked_now: Asked) -> Decision | None:
        """Return the next answer for the step that asks, or for the repeated step that it is an instance of.

        Raises:
            typer.BadParameter: The answer is none to what is asked.
        """
        step_id = asked_now.request.step_id
        for name in (step_id, definition_id_of(step_id)):
            if self._answers[name]:
                text = self._answers[name].popleft()
                try:
                    return decision_of(asked_now.request, text)
                except ValueError as error:
                    raise typer.BadParameter(f"--answer {name}={text}: {error}") from error
        return None


class Agreeing:
    """Approves everything, and answers questions with their default, their first choice, or yes."""

    async def decide(self, asked_now: Asked) -> Decision | None:
        """Return consent."""
        if asked_now.request.kind is not InputKind.QUESTION:
            return Approval()
        if asked_now.question is not None and asked_now.question.default_value is not None:
            return Answer(asked_now.question.default_value)
        return Answer(asked_now.request.choices[0] if asked_now.request.choices else "yes")


class Terminal:
    """Asks whoever sits at standard input."""

    def __init__(self, display: Display) -> None:
        """Write to standard error, so that what is piped on is not mixed with questions, while a display keeps still."""
        self._display = display
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)

    async def decide(self, asked_now: Asked) -> Decision | None:
        """Ask until there is an answer; None where standard input has ended."""
        request = asked_now.request
        with self._display.paused():
            self._say(f"step {request.step_id} {one_line(asked(request))}", "bold magenta")
            while (text := await self.line(_hint(request))) is not None:
                try:
                    return decision_of(request, text)
                except ValueError as error:
                    self._say(str(error), "yellow")
        return None

    async def agrees(self, proposal: str) -> bool:
        """Tell whether a person says yes to something."""
        with self._display.paused():
            text = await self.line(f"{proposal} [y/N] ")
        return text is not None and text.strip().lower() in APPROVING

    async def line(self, prompt: str) -> str | None:
        """Return what a person writes in a line; None where standard input has ended."""
        self._console.print(prompt, end="", markup=False)
        return await read_line()

    def _say(self, text: str, style: str) -> None:
        self._console.print(text, style=style, markup=False)


def is_somebody_here() -> bool:
    """Tell whether there is a terminal to ask at."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def decision_of(request: InputRequest, text: str) -> Decision:
    """Return the decision that a person's words mean.

    Raises:
        ValueError: They mean none.
    """
    if request.kind is InputKind.QUESTION:
        return Answer(_choice(request.choices, text) if request.choices else text)
    word, _, comment = text.partition(":")
    comment = comment.strip()
    match word.strip().lower():
        case word if word in APPROVING:
            return Approval(comment)
        case word if word in REJECTING:
            return Rejection(comment)
        case word if word in FAILING:
            return Rejection(comment, fail_run=True)
        case _:
            raise ValueError(f"{text!r} is not approve, reject or fail, with a comment behind a colon if you like")


async def read_line() -> str | None:
    """Return a line of the terminal without its end, None where it has ended; unlike input(), it can be cancelled."""
    loop = asyncio.get_running_loop()
    is_there = asyncio.Event()
    descriptor = sys.stdin.fileno()
    loop.add_reader(descriptor, is_there.set)
    try:
        await is_there.wait()
    finally:
        loop.remove_reader(descriptor)
    # A terminal hands out whole lines, of 4,096 bytes at most.
    line = os.read(descriptor, MAX_LINE_BYTES)
    return line.decode("utf-8", "replace").rstrip("\r\n") if line else None


def _choice(choices: tuple[str, ...], text: str) -> str:
    stripped = text.strip()
    if stripped in choices:
        return stripped
    if stripped.isdecimal() and 1 <= int(stripped) <= len(choices):
        return choices[int(stripped) - 1]
    raise ValueError(f"{text!r} is none of {', '.join(choices)}")


def _hint(request: InputRequest) -> str:
    if request.kind is not InputKind.QUESTION:
        return "approve, reject or fail[: comment] > "
    if request.choices:
        return f"1 to {len(request.choices)}, or the words > "
    return "> "
