"""A worker: claims steps, has a handler do them, and tells the server what became of each."""

import asyncio
import logging
import math
import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from ignis_client._attempt import LAST_WORDS_SECONDS, STOPPED, Attempt
from ignis_client._backoff import Backoff
from ignis_client._passing import is_passing
from ignis_client._tasks import stopped
from ignis_client._texts import listed
from ignis_client.claims import ClaimedStep
from ignis_client.errors import IgnisError
from ignis_client.worker_step import Handler
from ignis_client.workflows import Workflows

__all__ = ["Worker"]

log = logging.getLogger("ignis_client.worker")

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 15.0
# An answer without a step that comes sooner than this is no long poll.
SOON_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Granted:
    """A step that was claimed, and whether the claim was sent more than once."""

    claimed: ClaimedStep
    is_repeated: bool


class Worker:
    """Does the steps of workflows, for as long as `run` runs; `IgnisClient.worker` makes one.

        worker = ignis.worker(handler, capabilities=["echo"])
        await worker.run()

    While a handler works, the lease of its step is kept alive by heartbeats, one in a third of the lease. The handler is
    cancelled when the run was canceled, the lease has gone to another, or no server could be reached until the lease was over.
    What it returns is reported, again and again until the lease is over where the server is away; StepFailed is reported as
    it says, and any other exception as a failure "worker-error" that may be retried, with its type and nothing else: the story
    goes to the logger "ignis_client.worker". An output that is not JSON, or that the server refuses, fails the step for good.

    End a worker before its client is closed. `stop` ends a worker when it has done what it has in hand. Cancelling `run` ends it at once: handlers are cancelled, and
    their steps reported as failed, "worker-stopped", to be retried.
    """

    def __init__(  # noqa: PLR0913 - as many as a claim has facts, all by name
        self,
        workflows: Workflows,
        handler: Handler,
        *,
        agents: Iterable[str],
        capabilities: Iterable[str],
        run_id: str,
        concurrency: int,
        lease: float,
        wait: float,
        worker_id: str,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Make a worker that does nothing yet; arguments as of `IgnisClient.worker`.

        Raises:
            TypeError: The agents or the capabilities are one string.
            ValueError: There is no room for a step, or a time is none.
        """
        if concurrency < 1:
            raise ValueError(f"concurrency {concurrency} is below 1")
        if not (0 < lease < math.inf and 0 < wait < math.inf):
            raise ValueError(f"a lease of {lease:g} s with a wait of {wait:g} s cannot be")
        self.worker_id = worker_id or str(uuid4())
        self._workflows = workflows
        self._handler = handler
        self._agents = listed("agents", agents)
        self._capabilities = listed("capabilities", capabilities)
        self._run_id = run_id
        self._lease = lease
        self._wait = wait
        self._chance = chance
        self._room = asyncio.Semaphore(concurrency)
        self._claiming: asyncio.Task[None] | None = None
        self._is_stopped = False

    async def run(self) -> None:
        """Work until `stop` is called, or this is cancelled. Once.

        A server that is away, busy or broken is waited for.

        Raises:
            IgnisError: The server refuses to hand out steps, for a reason that does not pass; what is in hand has been done.
        """
        async with asyncio.TaskGroup() as group:
            self._claiming = asyncio.create_task(self._claim_on(group), name=f"ignis worker {self.worker_id}")
            if self._is_stopped:
                self._claiming.cancel()
            try:
                await asyncio.wait({self._claiming})
            finally:
                await stopped(self._claiming)
        if not self._claiming.cancelled() and (error := self._claiming.exception()):
            raise error

    def stop(self) -> None:
        """Claim no more; `run` returns when what is in hand is done."""
        self._is_stopped = True
        if self._claiming is not None:
            self._claiming.cancel()

    async def _claim_on(self, group: asyncio.TaskGroup) -> None:
        while True:
            await self._room.acquire()
            try:
                granted = await self._granted()
            except BaseException:
                self._room.release()
                raise
            group.create_task(self._do(granted), name=f"ignis attempt {granted.claimed.lease.step_id}")

    async def _do(self, granted: Granted) -> None:
        try:
            await Attempt(
                self._workflows,
                self._handler,
                granted.claimed,
                lease_seconds=self._lease,
                is_repeated=granted.is_repeated,
                chance=self._chance,
            ).carry_out()
        except Exception:
            # Other steps are in hand, and more to be done: this one's lease runs out, and another worker gets it.
            log.exception(
                "step %s of run %s is not reported", granted.claimed.lease.step_id, granted.claimed.lease.run_id
            )
        finally:
            self._room.release()

    async def _granted(self) -> Granted:
        """Return the next step, however long it takes.

        A claim whose answer was lost is repeated with its id, and so gets the step that the first one was given.
        """
        loop = asyncio.get_running_loop()
        backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, self._chance)
        request_id, is_repeated = str(uuid4()), False
        try:
            while True:
                began = loop.time()
                try:
                    claimed = await self._claim(request_id, self._wait, None)
                except IgnisError as error:
                    if not is_passing(error):
                        raise
                    is_repeated = True
                    await asyncio.sleep(backoff.next_seconds(error.retry_after))
                    continue
                if claimed is not None:
                    return Granted(claimed, is_repeated)
                request_id, is_repeated = str(uuid4()), False
                if loop.time() - began < min(SOON_SECONDS, self._wait / 2):
                    await asyncio.sleep(backoff.next_seconds())
                else:
                    backoff.reset()
        except asyncio.CancelledError:
            await self._give_back(request_id)
            raise

    async def _give_back(self, request_id: str) -> None:
        """Return a step that may have been granted to a claim whose answer nobody waited for.

        Its lease would run out by itself; a step that must not be done twice would then be put before a person.
        """
        with suppress(IgnisError, TimeoutError):
            async with asyncio.timeout(LAST_WORDS_SECONDS):
                claimed = await self._claim(request_id, 0.0, LAST_WORDS_SECONDS)
                if claimed is not None:
                    await self._workflows.fail_step(claimed.lease, STOPPED, timeout=LAST_WORDS_SECONDS)

    async def _claim(self, request_id: str, wait: float, timeout: float | None) -> ClaimedStep | None:
        return await self._workflows.claim_step(
            self.worker_id,
            agents=self._agents,
            capabilities=self._capabilities,
            run_id=self._run_id,
            wait=wait,
            lease=self._lease,
            request_id=request_id,
            timeout=timeout,
        )
