"""Runs: one execution of a workflow each, where it stands, and what its steps have made."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from ignis_client.people import InputRequest
from ignis_client.values import JsonValue

__all__ = [
    "Artifact",
    "Progress",
    "Run",
    "RunState",
    "Step",
    "StepFailure",
    "StepState",
    "TokenUsage",
]


class RunState(StrEnum):
    """Where a run stands."""

    UNKNOWN = "unknown"
    """One that this client is too old to know."""
    SUBMITTED = "submitted"
    """Accepted; no step has been claimed yet."""
    WORKING = "working"
    """At least one step has been claimed, and steps remain."""
    INPUT_REQUIRED = "input-required"
    """Nothing can go on until a person answers."""
    COMPLETED = "completed"
    """All steps are done or were skipped. Terminal."""
    FAILED = "failed"
    """A step failed for good. Terminal."""
    CANCELED = "canceled"
    """A caller ended it. Terminal."""

    @property
    def is_terminal(self) -> bool:
        """Whether the run has ended."""
        return self in {RunState.COMPLETED, RunState.FAILED, RunState.CANCELED}


class StepState(StrEnum):
    """Where one step of a run stands."""

    UNKNOWN = "unknown"
    """One that this client is too old to know."""
    PENDING = "pending"
    """Waits for other steps."""
    READY = "ready"
    """Can be claimed."""
    WORKING = "working"
    """A worker holds its lease."""
    BACKING_OFF = "backing-off"
    """Failed, and will be ready again after its back-off."""
    INPUT_REQUIRED = "input-required"
    """Waits for a person."""
    COMPLETED = "completed"
    """Done. Terminal."""
    SKIPPED = "skipped"
    """Its condition did not hold, or it was optional and could not be done. Terminal."""
    FAILED = "failed"
    """Failed for good. Terminal."""
    CANCELED = "canceled"
    """The run was canceled before it was done. Terminal."""

    @property
    def is_terminal(self) -> bool:
        """Whether the step has ended."""
        return self in {StepState.COMPLETED, StepState.SKIPPED, StepState.FAILED, StepState.CANCELED}


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens, counted as a model's provider does.

    Attributes:
        input_tokens: Input tokens, those from a cache included.
        output_tokens: Output tokens.
        cache_read_tokens: Input tokens that were read from the provider's prompt cache.
        cache_write_tokens: Input tokens that were written to it.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


@dataclass(frozen=True, slots=True)
class StepFailure:
    """Why an attempt failed.

    Attributes:
        code: A stable word for machines, such as "timeout" or "model-refused". 1 to 128 characters.
        message: What happened, for people. At most 4,096 characters.
        retryable: Whether another attempt may succeed.
        step_id: The step whose attempt failed; empty in a report.
    """

    code: str
    message: str
    retryable: bool
    step_id: str = ""


@dataclass(frozen=True, slots=True)
class Artifact:
    """Something that a step made; `inline` makes one whose bytes go along.

    Attributes:
        name: Unique in its step, such as a file's name. 1 to 256 characters.
        media_type: Its IANA media type, such as "text/markdown".
        digest: "sha256:" and the SHA-256 of its bytes in hexadecimal. Required where `uri` is given.
        size_bytes: How many bytes it has.
        content: Its bytes, at most 1 MiB; None where they are elsewhere.
        uri: Where its bytes are to be had; None where they are here.
    """

    name: str
    media_type: str
    digest: str
    size_bytes: int
    content: bytes | None = None
    uri: str | None = None

    @classmethod
    def inline(cls, name: str, content: bytes, media_type: str = "application/octet-stream") -> Self:
        """Return an artefact whose bytes are kept with the run."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return cls(name=name, media_type=media_type, digest=digest, size_bytes=len(content), content=content)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run.

    Attributes:
        id: Unique in the run: the definition's id, with "[n]" for an instance of a repeated step, from 0.
        state: Where it stands.
        agent_id: The agent that does it; empty until it is known.
        attempt: The latest attempt, from 1; 0 before the first.
        worker_id: Who holds its lease; empty where nobody does.
        lease_expire_time: When the lease ends unless it is extended, in UTC; None where there is none.
        output: What it has made, by name; None until it is completed, and where it was left out as too large:
            `Workflows.get_step` has it.
        artifacts: The artefacts that it has made.
        failure: Why its latest attempt failed; None where none did.
        usage: Tokens of all its attempts.
        start_time: When its first attempt began, in UTC; None until then.
        end_time: When it ended, in UTC; None until then.
        output_digest: "sha256:" and the SHA-256 of its output as JSON with sorted keys; empty until it is completed.
        output_size_bytes: How many bytes its output has, as that.
    """

    id: str
    state: StepState
    agent_id: str
    attempt: int
    worker_id: str
    lease_expire_time: datetime | None
    output: Mapping[str, JsonValue] | None
    artifacts: tuple[Artifact, ...]
    failure: StepFailure | None
    usage: TokenUsage
    start_time: datetime | None
    end_time: datetime | None
    output_digest: str
    output_size_bytes: int


@dataclass(frozen=True, slots=True)
class Progress:
    """The steps of a run, counted.

    Attributes:
        ended_steps: Steps that have ended in any way.
        known_steps: Steps known so far; grows when a repeated step learns what to repeat over.
    """

    ended_steps: int
    known_steps: int


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a workflow.

    Attributes:
        id: Unique; ids sort by time.
        definition_id: The workflow that it executes.
        definition_digest: The content of the workflow that it began with.
        state: Where it stands.
        steps: Its steps, in the order of the workflow; instances of a repeated step follow each other. Empty in lists.
        input_requests: What it asks of people now.
        failure: Why it failed; None in every other state.
        create_time: When it began, in UTC.
        update_time: When it last changed, in UTC.
        end_time: When it ended, in UTC; None until then.
        version: Number of its latest event, from 1.
        labels: What it was labelled with.
        progress: How far it is.
        usage: Tokens of all its attempts.
    """

    id: str
    definition_id: str
    definition_digest: str
    state: RunState
    steps: tuple[Step, ...]
    input_requests: tuple[InputRequest, ...]
    failure: StepFailure | None
    create_time: datetime
    update_time: datetime
    end_time: datetime | None
    version: int
    labels: Mapping[str, str]
    progress: Progress
    usage: TokenUsage

    @property
    def has_ended(self) -> bool:
        """Whether nothing will happen in it any more."""
        return self.state.is_terminal

    def step(self, step_id: str) -> Step:
        """Return a step of it.

        Raises:
            KeyError: It has none of this id.
        """
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)
