"""A step that a worker has in hand: what its handler is given, and may say while it works."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import astuple
from datetime import timedelta
from typing import TypeAlias

from ignis_client.claims import AgentBundle, ClaimedStep, OutputReference
from ignis_client.people import InputAnswer
from ignis_client.run import Artifact, TokenUsage
from ignis_client.values import JsonValue
from ignis_client.workflow import StepDefinition

__all__ = ["Handler", "StepFailed", "WorkerStep"]

MAX_CODE_CHARACTERS = 128
MAX_TOKENS = (1 << 63) - 1


class StepFailed(Exception):
    """Raised by a handler: the attempt has failed, for a reason that a machine may read.

    Attributes:
        code: A stable word for machines, such as "model-refused". 1 to 128 characters.
        message: What happened, for people; cut at 4,096 characters.
        retryable: Whether another attempt may succeed.
        retry_after: Wait at least so long before it, at most an hour. None: as the step's retry policy says.
    """

    def __init__(self, code: str, message: str = "", *, retryable: bool, retry_after: timedelta | None = None) -> None:
        """Say why.

        Raises:
            ValueError: The code is empty or too long.
        """
        if not 1 <= len(code) <= MAX_CODE_CHARACTERS:
            raise ValueError(f"a code of {len(code)} characters is not 1 to {MAX_CODE_CHARACTERS}")
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message
        self.retryable = retryable
        self.retry_after = retry_after


class WorkerStep:
    """A step in hand. Belongs to the task of its handler.

    Attributes:
        claimed: All that the server said of it.
        artifacts: What the handler has made besides its output, to be appended to.
    """

    def __init__(
        self,
        claimed: ClaimedStep,
        tell: Callable[[str], None],
        fetch: Callable[[OutputReference], Awaitable[Mapping[str, JsonValue]]],
    ) -> None:
        """Take a step in hand; `Worker` does."""
        self.claimed = claimed
        self.artifacts: list[Artifact] = []
        self._usage: TokenUsage | None = None
        self._tell = tell
        self._fetch = fetch

    @property
    def id(self) -> str:
        """The step's id, unique in its run."""
        return self.claimed.lease.step_id

    @property
    def run_id(self) -> str:
        """The run that it belongs to."""
        return self.claimed.lease.run_id

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        return self.claimed.lease.attempt

    @property
    def definition(self) -> StepDefinition:
        """What is to be done."""
        return self.claimed.definition

    @property
    def inputs(self) -> Mapping[str, JsonValue]:
        """What it is done with; see `ClaimedStep`."""
        return self.claimed.inputs

    @property
    def item(self) -> JsonValue:
        """The item that this instance of a repeated step is for."""
        return self.claimed.item

    @property
    def bundle(self) -> AgentBundle:
        """The text of its agent, to be given to a model."""
        return self.claimed.bundle

    @property
    def answers(self) -> tuple[InputAnswer, ...]:
        """Answers that people gave to this step's questions, oldest first."""
        return self.claimed.answers

    @property
    def references(self) -> tuple[OutputReference, ...]:
        """Outputs that `inputs` does not hold, as they are large; `fetch` gets them."""
        return self.claimed.references

    @property
    def idempotency_key(self) -> str:
        """The same for all attempts of this step, for services that know idempotency keys."""
        return self.claimed.idempotency_key

    @property
    def usage(self) -> TokenUsage | None:
        """Tokens that this attempt has used so far; None where nobody said. Goes with each heartbeat and the report."""
        return self._usage

    @usage.setter
    def usage(self, usage: TokenUsage) -> None:
        if not all(isinstance(count, int) and 0 <= count <= MAX_TOKENS for count in astuple(usage)):
            raise ValueError(f"{usage} holds what is no whole number from 0 to 63 bits")
        self._usage = usage

    async def progress(self, message: str) -> None:
        """Tell people who watch how far the step is, in at most 512 characters; longer words are cut.

        They go with a heartbeat of their own, at most once a second: of words in between, the last are told.
        """
        self._tell(message)
        # A handler that never waits for anything else lets its heartbeats go out here.
        await asyncio.sleep(0)

    async def fetch(self, reference: OutputReference) -> Mapping[str, JsonValue]:
        """Return an output that `references` names.

        Raises:
            IgnisError: It could not be had.
        """
        return await self._fetch(reference)


Handler: TypeAlias = Callable[[WorkerStep], Awaitable[Mapping[str, JsonValue]]]
"""Does a step and returns its output by name, or raises StepFailed. It is cancelled when its work is wanted no more, and should
end soon then."""
