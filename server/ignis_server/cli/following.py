"""Following a run to its end: events are shown, questions put to people, and Ctrl-C is heeded."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from ignis_client import InputRequest, Question, Run, RunEvent, Workflows
from ignis_client.errors import InputAlreadyResolved, InputNotFound
from ignis_server.cli.people import Asked, People
from ignis_server.cli.run_display import Display
from ignis_server.cli.run_picture import Picture, definition_id_of

__all__ = ["Follower", "Left", "interruptions"]

LOOK_SECONDS: Final = 0.5


class Left(Exception):
    """Raised to follow a run no longer, which goes on."""


@dataclass
class Follower:
    """Follows a run; serves once.

    Attributes:
        workflows: Where the run is.
        display: Where it is shown.
        people: Who is asked, one after another until somebody decides.
        questions: What the workflow says of the questions of its steps, by id.
        nobody: Called with the run and what nobody here decides; may raise to end it all.
        interrupted: Called with the run at Ctrl-C; may raise Left. A second Ctrl-C cancels the call.
    """

    workflows: Workflows
    display: Display
    people: Sequence[People]
    questions: Mapping[str, Question]
    nobody: Callable[[str, InputRequest], Awaitable[None]]
    interrupted: Callable[[str], Coroutine[object, object, None]]
    _picture: Picture | None = None
    _asking: "asyncio.Task[None] | None" = None
    _asked: InputRequest | None = None
    _passed_on: set[str] = field(default_factory=set)

    async def to_end(self, run_id: str, told: asyncio.Event) -> Run:
        """Return the run as it ended.

        Args:
            run_id: The run.
            told: Is set at Ctrl-C.

        Raises:
            Left: Nobody wants to follow it any more.
            IgnisError: It cannot be watched, or answered.
        """
        said = self.workflows.watch_run(run_id)
        listening = asyncio.create_task(_next(said), name="ignis run: listen")
        interrupt = asyncio.create_task(told.wait(), name="ignis run: interrupt")
        try:
            while True:
                waited = {listening, interrupt} if self._asking is None else {listening, interrupt, self._asking}
                await asyncio.wait(waited, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if interrupt.done():
                    told.clear()
                    interrupt = asyncio.create_task(told.wait(), name="ignis run: interrupt")
                    await self._ask_no_more()
                    await self._interrupt(run_id, interrupt)
                if listening.done():
                    heard = listening.result()
                    if heard is None:
                        break
                    self._take(heard)
                    listening = asyncio.create_task(_next(said), name="ignis run: listen")
                await self._attend(run_id)
                if self._picture is not None:
                    self.display.show(self._picture)
        finally:
            for task in (self._asking, listening, interrupt):
                if task is not None:
                    await _stopped(task)
            await said.aclose()
        return await self.workflows.get_run(run_id)

    async def _interrupt(self, run_id: str, again: "asyncio.Task[bool]") -> None:
        """Do what Ctrl-C stands for; a second one is no time to wait for anything.

        Raises:
            Left: There was a second one, or nobody wants to follow the run any more.
        """
        interrupted = asyncio.create_task(self.interrupted(run_id), name="ignis run: interrupted")
        try:
            await asyncio.wait({interrupted, again}, return_when=asyncio.FIRST_COMPLETED)
            if not interrupted.done():
                raise Left
            await interrupted
        finally:
            await _stopped(interrupted)

    def _take(self, heard: Run | RunEvent) -> None:
        self.display.happened(heard)
        if self._picture is not None:
            self._picture = self._picture.after(heard)
        elif isinstance(heard, Run):
            self._picture = Picture(heard)

    async def _attend(self, run_id: str) -> None:
        """See to it that somebody is asked what the run asks, one thing at a time, and nobody what it asks no more."""
        requests = () if self._picture is None else self._picture.run.input_requests
        if self._asking is not None and self._asking.done():
            # Each is asked once: what is answered is not asked again while the word of it is on its way.
            asking, self._asking = self._asking, None
            await asking
        elif self._asking is not None and self._asked not in requests:
            await self._ask_no_more()
        if self._asking is None:
            self._asked = next((each for each in requests if each.id not in self._passed_on), None)
            if self._asked is not None:
                self._passed_on.add(self._asked.id)
                self._asking = asyncio.create_task(self._ask(run_id, self._asked), name="ignis run: ask")

    async def _ask(self, run_id: str, request: InputRequest) -> None:
        asked_now = Asked(request, self.questions.get(definition_id_of(request.step_id)))
        for each in self.people:
            decision = await each.decide(asked_now)
            if decision is not None:
                try:
                    await self.workflows.resolve_input(run_id, request.id, decision)
                except (InputAlreadyResolved, InputNotFound):
                    # Somebody else was faster, or its time was up: the watch tells what came of it.
                    return
                return
        await self.nobody(run_id, request)

    async def _ask_no_more(self) -> None:
        """Ask nobody for now; what is still open is asked again. What was just decided stays decided."""
        if self._asking is not None and self._asked is not None and not self._asking.done():
            asking, self._asking = self._asking, None
            self._passed_on.discard(self._asked.id)
            await _stopped(asking)


@contextmanager
def interruptions() -> Iterator[asyncio.Event]:
    """Yield an event that Ctrl-C and SIGTERM set, instead of what they do otherwise, until the block ends."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    try:
        yield told
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _next(said: AsyncGenerator[Run | RunEvent]) -> Run | RunEvent | None:
    """Return what comes next; None at the end, since no task can raise StopAsyncIteration."""
    async for each in said:
        return each
    return None


async def _stopped(task: "asyncio.Task[object]") -> None:
    """Cancel a task, and wait until it has ended; what it raised is of no use any more."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()
