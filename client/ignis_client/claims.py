"""Steps that workers claim: what is to be done, what it is done with, and for how long it is theirs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ignis_client.people import InputAnswer
from ignis_client.run import RunState, Step
from ignis_client.values import JsonValue
from ignis_client.workflow import StepDefinition

__all__ = ["AgentBundle", "ClaimedStep", "Heartbeat", "Lease", "OutputReference", "Reported"]


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do a step for a while.

    Attributes:
        run_id: The run.
        step_id: The step in it.
        attempt: Which attempt this is, from 1; only reports of the latest count.
        worker_id: Who holds it.
        expire_time: When it ends unless it is extended, in UTC by the server's clock.
    """

    run_id: str
    step_id: str
    attempt: int
    worker_id: str
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class AgentBundle:
    """Agents' text for a model, as the agent loader put it together.

    Attributes:
        digest: "sha256:" and the hexadecimal SHA-256 of `content` in UTF-8.
        content: The text; empty where the step wants no agent.
        tokens: Tokens of `content`, exactly.
        agents: Ids of the agents in it, each with "@" and its digest, in order.
    """

    digest: str
    content: str
    tokens: int
    agents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OutputReference:
    """An output that a worker needs and must fetch by itself, as it is large.

    Attributes:
        step_id: The step that made it.
        digest: "sha256:" and the SHA-256 of the output as JSON with sorted keys.
        size_bytes: How many bytes it has, as that.
    """

    step_id: str
    digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ClaimedStep:
    """Everything a worker needs to do a step.

    Attributes:
        lease: The lease, to be sent back with everything that is said of the step.
        definition: What is to be done.
        inputs: What its definition's `inputs` give, by name. Where it has none: "inputs" with the workflow's inputs,
            and "steps" with the outputs of the steps that this one needs, by id; a list of them, with None for
            an instance that made nothing, for a repeated one.
        item: The item that this instance of a repeated step is for; None elsewhere, and where it is null.
        bundle: The text of its agent, to be given to a model.
        trace_context: W3C `traceparent` and `tracestate` of the run.
        answers: Answers that people gave to this step's questions, oldest first.
        idempotency_key: The same for all attempts of this step, for services that know idempotency keys.
        references: Outputs that are missing in `inputs`, as all together would be too large.
    """

    lease: Lease
    definition: StepDefinition
    inputs: Mapping[str, JsonValue]
    item: JsonValue
    bundle: AgentBundle
    trace_context: Mapping[str, str]
    answers: tuple[InputAnswer, ...]
    idempotency_key: str
    references: tuple[OutputReference, ...]


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The answer to a sign of life.

    Attributes:
        lease: The extended lease.
        is_canceled: Whether the run was canceled: stop, and report nothing more.
    """

    lease: Lease
    is_canceled: bool


@dataclass(frozen=True, slots=True)
class Reported:
    """What became of a report.

    Attributes:
        step: The step as it stands now.
        run_state: Where its run stands.
    """

    step: Step
    run_state: RunState
