"""One attempt of a step: its handler, its heartbeats, and the report at its end."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from ignis_client._backoff import Backoff
from ignis_client._heart import Heart, cut
from ignis_client._passing import is_passing
from ignis_client._tasks import stopped
from ignis_client._trace_context import continued
from ignis_client.claims import ClaimedStep, OutputReference
from ignis_client.errors import IgnisError, LeaseLost, NotFound, OutputTooLarge
from ignis_client.run import StepFailure
from ignis_client.values import JsonValue
from ignis_client.worker_step import Handler, StepFailed, WorkerStep
from ignis_client.workflows import Workflows

__all__ = ["LAST_WORDS_SECONDS", "STOPPED", "Attempt"]

log = logging.getLogger("ignis_client.worker")

# What a worker that is told to end takes to say what became of its steps; a container is given 10 s as a rule.
LAST_WORDS_SECONDS: Final = 2.0
LONGEST_CALL_SECONDS: Final = 10.0
SHORTEST_CALL_SECONDS: Final = 0.1
FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 5.0
MAX_MESSAGE_CHARACTERS: Final = 4096
LONGEST_RETRY_AFTER: Final = timedelta(hours=1)

STOPPED: Final = StepFailure("worker-stopped", "the worker was stopped before the step was done", retryable=True)


@dataclass(frozen=True, slots=True)
class Completed:
    """The handler has done the step."""

    output: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt has failed."""

    failure: StepFailure
    retry_after: timedelta | None = None


Ending: TypeAlias = Completed | Failed


class Attempt:
    """Carries one attempt out."""

    def __init__(  # noqa: PLR0913 - three facts, and three of its heart
        self,
        workflows: Workflows,
        handler: Handler,
        claimed: ClaimedStep,
        *,
        lease_seconds: float,
        is_repeated: bool,
        chance: Callable[[], float],
    ) -> None:
        """Prepare; arguments as Heart's."""
        self._workflows = workflows
        self._handler = handler
        self._lease = claimed.lease
        self._chance = chance
        self._heart = Heart(
            workflows,
            claimed.lease,
            lease_seconds=lease_seconds,
            is_repeated=is_repeated,
            usage=lambda: self._step.usage,
            chance=chance,
        )
        self._step = WorkerStep(claimed, self._heart.tell, self._fetched)

    async def carry_out(self) -> None:
        """Do the step, and report how it ended.

        What goes wrong with the step is reported, or else the lease runs out; nothing of it is raised. Cancelled, it
        stops the handler, says within LAST_WORDS_SECONDS what became of the step, and passes the cancellation on.
        """
        with continued(self._step.claimed.trace_context):
            await self._carry_out()

    async def _carry_out(self) -> None:
        name = f"{self._lease.run_id}/{self._lease.step_id}"
        work = asyncio.create_task(self._handled(), name=f"ignis step {name}")
        beating = asyncio.create_task(self._heart.beat(), name=f"ignis heartbeats of {name}")
        try:
            await asyncio.wait({work, beating}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await stopped(work, beating)
            ending = Failed(STOPPED) if work.cancelled() else work.result()
            await self._report(ending, asyncio.get_running_loop().time() + LAST_WORDS_SECONDS)
            raise
        concluding = asyncio.create_task(self._conclude(work, beating), name=f"ignis report of {name}")
        try:
            await asyncio.shield(concluding)
        except asyncio.CancelledError:
            # The step has ended: only the server does not know yet.
            await asyncio.wait({concluding}, timeout=LAST_WORDS_SECONDS)
            await stopped(concluding)
            raise

    async def _conclude(self, work: "asyncio.Task[Ending]", beating: "asyncio.Task[str]") -> None:
        is_wanted = work.done()
        await stopped(work, beating)
        if not is_wanted:
            # Raises what nobody foresaw of a heartbeat: whoever carries attempts out tells of it.
            why = "heartbeats were cancelled" if beating.cancelled() else beating.result()
            log.info("step %s of run %s is dropped: %s", self._lease.step_id, self._lease.run_id, why)
            return
        # A handler that ends by a cancellation which nobody asked for has lost something that it waited for.
        ending = Failed(_failure_of(asyncio.CancelledError())) if work.cancelled() else work.result()
        await self._report(ending, self._heart.alive_until)

    async def _handled(self) -> Ending:
        try:
            return Completed(await self._handler(self._step))
        except StepFailed as failed:
            message = cut(failed.message, MAX_MESSAGE_CHARACTERS)
            failure = StepFailure(cut(failed.code, len(failed.code)), message, retryable=failed.retryable)
            return Failed(failure, failed.retry_after)
        except Exception as error:
            # The story stays here: it may hold what the run's readers must not see.
            log.exception("the handler of step %s of run %s failed", self._lease.step_id, self._lease.run_id)
            return Failed(_failure_of(error))

    async def _report(self, ending: Ending, until: float) -> None:
        """Report, again and again until a moment of the loop's clock, and at least once."""
        loop = asyncio.get_running_loop()
        backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, self._chance)
        while True:
            seconds = max(min(until - loop.time(), LONGEST_CALL_SECONDS), SHORTEST_CALL_SECONDS)
            try:
                await self._send(ending, seconds)
            except (LeaseLost, NotFound) as error:
                log.info("step %s of run %s is dropped: %s", self._lease.step_id, self._lease.run_id, error)
            except (TypeError, ValueError) as error:
                if isinstance(ending, Failed):
                    raise
                ending = Failed(_refusal("invalid-output", error))
                continue
            except IgnisError as error:
                if is_passing(error):
                    pause = backoff.next_seconds(error.retry_after)
                    if loop.time() + pause < until:
                        await asyncio.sleep(pause)
                        continue
                elif isinstance(ending, Completed):
                    code = "output-too-large" if isinstance(error, OutputTooLarge) else "output-refused"
                    ending = Failed(_refusal(code, error))
                    continue
                log.warning("step %s of run %s is not reported: %s", self._lease.step_id, self._lease.run_id, error)
            return

    async def _send(self, ending: Ending, timeout: float) -> None:
        usage = self._step.usage
        match ending:
            case Completed(output):
                artifacts = tuple(self._step.artifacts)
                await self._workflows.complete_step(
                    self._lease, output, artifacts=artifacts, usage=usage, timeout=timeout
                )
            case Failed(failure, retry_after):
                wait = None if retry_after is None else min(max(retry_after, timedelta()), LONGEST_RETRY_AFTER)
                await self._workflows.fail_step(self._lease, failure, usage=usage, retry_after=wait, timeout=timeout)

    async def _fetched(self, reference: OutputReference) -> Mapping[str, JsonValue]:
        step = await self._workflows.get_step(self._lease.run_id, reference.step_id)
        return step.output or {}


def _failure_of(error: BaseException) -> StepFailure:
    return StepFailure("worker-error", f"the handler raised {type(error).__name__}", retryable=True)


def _refusal(code: str, error: Exception) -> StepFailure:
    """Return the failure of an attempt whose output cannot be had: the next attempt's would be the same."""
    return StepFailure(code, cut(str(error), MAX_MESSAGE_CHARACTERS), retryable=False)
