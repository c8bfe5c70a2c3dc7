"""Workers of the command line: what they report line by line, and how long they live."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

from ignis_client import Handler, JsonValue, StepFailed, Worker, WorkerStep
from ignis_server.cli.run_view import one_line, tokens_of

__all__ = ["beside", "reported", "working"]

T = TypeVar("T")


def reported(handler: Handler, say: Callable[[str], None]) -> Handler:
    """Return a handler that says in a line what became of each step.

    Args:
        handler: Does the steps.
        say: Is given the lines.
    """

    async def do(step: WorkerStep) -> Mapping[str, JsonValue]:
        began = time.monotonic()
        outcome = "given up: its run was canceled, its lease is lost, or the worker stops"
        try:
            output = await handler(step)
            outcome = f"done, {', '.join(output) or 'no output'}"
        except StepFailed as error:
            outcome = f"failed, {error}"
            raise
        except Exception as error:
            outcome = f"failed, worker-error: {type(error).__name__}"
            raise
        finally:
            parts = [f"{step.run_id} {step.id} attempt {step.attempt}: {outcome}"]
            parts += [f"{tokens_of(step.usage):,} tokens"] if step.usage else []
            parts += [f"{time.monotonic() - began:.1f} s"]
            say(one_line(", ".join(parts)))
        return output

    return do


@asynccontextmanager
async def working(worker: Worker) -> AsyncIterator["asyncio.Task[None]"]:
    """Have a worker work until the block ends; then what it has in hand is done, or cancelled where the block failed."""
    task = asyncio.create_task(worker.run(), name="ignis worker")
    try:
        yield task
    except BaseException:
        task.cancel()
        raise
    finally:
        worker.stop()
        await asyncio.wait({task})
    if not task.cancelled():
        task.result()


async def beside(worker: Worker, waiting: Coroutine[object, object, T]) -> T:
    """Return what is waited for while a worker works; it is not waited for where nobody works any more.

    Raises:
        IgnisError: The worker is refused.
    """
    waited = asyncio.create_task(waiting, name="ignis beside a worker")
    try:
        async with working(worker) as work:
            await asyncio.wait({waited, work}, return_when=asyncio.FIRST_COMPLETED)
            if not waited.done():
                work.result()
            return await waited
    finally:
        waited.cancel()
        await asyncio.wait({waited})
