"""What can go wrong, in the words of the domain: each error names the facts, and no transport."""

from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "AddressUnusable",
    "AgentNotFound",
    "AmbiguousAgent",
    "BudgetTooSmall",
    "CatalogUnusable",
    "DefinitionNotFound",
    "DestinationCannotVerify",
    "DestinationNotFound",
    "DestinationUnavailable",
    "IgnisError",
    "InputAlreadyResolved",
    "InputNotFound",
    "InvalidRequest",
    "LeaseLost",
    "MalformedMessage",
    "MethodUnavailable",
    "OutboxFull",
    "OutputTooLarge",
    "PageTokenInvalid",
    "RequestIdReused",
    "ResumeTokenInvalid",
    "RevisionTooOld",
    "RunNotFound",
    "SettingsInvalid",
    "ShuttingDown",
    "StepNotFound",
    "StoreUnavailable",
    "TeamNotFound",
    "TooManyWaiters",
    "TooManyWatchers",
    "Violation",
    "WorkflowsUnusable",
]

MAX_SHOWN_AGENTS = 3


class IgnisError(Exception):
    """Anything that this service foresees to go wrong; `str()` of it is fit for a caller."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that a request breaks: the field's path, and fact, value and limit in a sentence."""

    field: str
    description: str


class InvalidRequest(IgnisError):
    """The request breaks rules of the API; all of them are here."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        self.violations = violations
        super().__init__("; ".join(f"{each.field}: {each.description}" for each in violations))


class MalformedMessage(IgnisError):
    """The bytes of a request are no message of the type that the method takes."""

    def __init__(self, message_type: str) -> None:
        self.message_type = message_type
        super().__init__(
            f"the request is not a valid {message_type}: a string field is not UTF-8, or the bytes are not Protobuf"
        )


class PageTokenInvalid(IgnisError):
    """A page token that this server did not make, or made for another request."""

    def __init__(self, method: str) -> None:
        self.method = method
        super().__init__(
            f"page_token does not belong to this {method} request: send the next_page_token of the "
            "page before with all other fields unchanged, or leave it empty to begin anew"
        )


class MethodUnavailable(IgnisError):
    """The method is part of the API, and this release does not serve it yet."""

    def __init__(self, method: str) -> None:
        self.method = method
        super().__init__(f"{method} is not served by this release")


class AgentNotFound(IgnisError):
    """No agent has this id or name (and digest); `nearest` are names that look alike."""

    def __init__(self, agent: str, nearest: tuple[str, ...]) -> None:
        self.agent = agent
        self.nearest = nearest
        advice = f"did you mean {' or '.join(nearest)}?" if nearest else "ListAgents has them all"
        super().__init__(f"the catalog has no agent {agent!r}: {advice}")


class AmbiguousAgent(IgnisError):
    """Several agents have this name; `agent_ids` are some of them, of `count` in all."""

    def __init__(self, agent: str, agent_ids: tuple[str, ...], *, count: int) -> None:
        self.agent = agent
        self.agent_ids = agent_ids
        self.count = count
        super().__init__(f"{count} agents are called {agent!r}: say which by its id, such as {' or '.join(agent_ids)}")


class TeamNotFound(IgnisError):
    """No team has this id or name; `nearest` are ids that look alike."""

    def __init__(self, team: str, nearest: tuple[str, ...]) -> None:
        self.team = team
        self.nearest = nearest
        advice = f"did you mean {' or '.join(nearest)}?" if nearest else "GetCatalog has them all"
        super().__init__(f"the catalog has no team {team!r}: {advice}")


class BudgetTooSmall(IgnisError):
    """The budget does not hold the smallest bundle that could answer, which is named here."""

    def __init__(self, *, budget_tokens: int, smallest_tokens: int, smallest_agents: tuple[str, ...]) -> None:
        self.budget_tokens = budget_tokens
        self.smallest_tokens = smallest_tokens
        self.smallest_agents = smallest_agents
        more = len(smallest_agents) - MAX_SHOWN_AGENTS
        shown = ", ".join(smallest_agents[:MAX_SHOWN_AGENTS]) + (f" and {more} more" if more > 0 else "")
        cards = "card" if len(smallest_agents) == 1 else "cards"
        super().__init__(
            f"budget_tokens {budget_tokens} is below the smallest bundle, {smallest_tokens} tokens "
            f"({cards} of {shown}): ask for at least that many"
        )


class RevisionTooOld(IgnisError):
    """A revision of the catalog that this server never served, or has forgotten."""

    def __init__(self, revision: str, oldest_revision: str) -> None:
        self.revision = revision
        self.oldest_revision = oldest_revision
        super().__init__(
            f"revision {revision!r} is not remembered, the oldest that is being {oldest_revision}: "
            "watch without known_revision, which begins with all agents"
        )


class DestinationNotFound(IgnisError):
    """No destination of telemetry has this name; `known` are those that there are."""

    def __init__(self, destination: str, known: tuple[str, ...]) -> None:
        self.destination = destination
        self.known = known
        there = f"there are {', '.join(known)}" if known else "none is set: OTEL_EXPORTER_OTLP_ENDPOINT sets one"
        super().__init__(f"no destination of telemetry is named {destination!r}: {there}")


class DestinationCannotVerify(IgnisError):
    """A destination does not tell what it has."""

    def __init__(self, destination: str, why: str) -> None:
        self.destination = destination
        self.why = why
        super().__init__(
            f"the destination {destination!r} cannot be verified: {why}; the ledger tells what it has acknowledged"
        )


class DestinationUnavailable(IgnisError):
    """A destination that would tell what it has cannot be asked now."""

    retry_seconds = 10

    def __init__(self, destination: str, why: str) -> None:
        self.destination = destination
        self.why = why
        super().__init__(
            f"the destination {destination!r} cannot be asked now ({why}): try again in {self.retry_seconds} s"
        )


class CatalogUnusable(IgnisError):
    """A catalog that cannot be served: missing, unreadable, or without a single agent."""

    def __init__(self, path: Path, fact: str, remedy: str) -> None:
        self.path = path
        super().__init__(f"catalog {path}: {fact}; {remedy}")


class RequestIdReused(IgnisError):
    """A request_id that was used before, with other content."""

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        super().__init__(f"request_id {request_id!r} was used before, with other content: make a new one")


class DefinitionNotFound(IgnisError):
    """No workflow has this id or name."""

    def __init__(self, definition: str, nearest: tuple[str, ...]) -> None:
        self.definition = definition
        self.nearest = nearest
        advice = f"did you mean {' or '.join(nearest)}?" if nearest else "ListDefinitions has all that can be started"
        super().__init__(f"no workflow has the id or name {definition!r}: {advice}")


class RunNotFound(IgnisError):
    """There is no run of this id, or it is past its retention."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(f"there is no run {run_id!r}, or it is past its retention: ListRuns has those that are kept")


class StepNotFound(IgnisError):
    """A run has no step of this id; a repeated one has instances only, as soon as it knows how many."""

    def __init__(self, run_id: str, step_id: str) -> None:
        self.run_id = run_id
        self.step_id = step_id
        super().__init__(f"run {run_id!r} has no step {step_id!r}: GetRun has them all")


class InputNotFound(IgnisError):
    """A run asks nothing under this id, or does not ask it any more."""

    def __init__(self, run_id: str, input_id: str) -> None:
        self.run_id = run_id
        self.input_id = input_id
        super().__init__(f"run {run_id!r} asks nothing under {input_id!r}, or no more: GetRun has what it asks")


class LeaseLost(IgnisError):
    """A worker reports on an attempt that is not its any more; `state` is where the step stands."""

    def __init__(self, step_id: str, *, attempt: int, latest_attempt: int, worker_id: str, state: str) -> None:
        self.step_id = step_id
        self.attempt = attempt
        self.latest_attempt = latest_attempt
        self.worker_id = worker_id
        self.state = state
        super().__init__(
            f"worker {worker_id!r} has no lease of attempt {attempt} of step {step_id!r}, or no more: the step is "
            f"{state}, its latest attempt {latest_attempt}. This report comes too late: drop the work"
        )


class InputAlreadyResolved(IgnisError):
    """Somebody else has answered already, in another way."""

    def __init__(self, input_id: str, decision: str) -> None:
        self.input_id = input_id
        self.decision = decision
        super().__init__(f"input {input_id!r} was resolved before, with another word: {decision}; that holds")


class OutputTooLarge(IgnisError):
    """Something that a step has made is larger than may be kept with the run."""

    def __init__(self, name: str, *, size_bytes: int, limit_bytes: int) -> None:
        self.name = name
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes
        super().__init__(
            f"{name}: {size_bytes} bytes are more than the {limit_bytes} that are kept with a run: store it elsewhere, "
            "and report it as an artefact with its uri and digest"
        )


class ResumeTokenInvalid(IgnisError):
    """A resume token that this service did not make, or made for another run."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(
            f"resume_token does not belong to a watch of run {run_id!r}: send that of the last response that was "
            "received of it, or leave it empty to begin with a snapshot"
        )


class WorkflowsUnusable(IgnisError):
    """A path that workflows cannot be read from: missing, unreadable, or without any."""

    def __init__(self, path: Path, fact: str, remedy: str) -> None:
        self.path = path
        super().__init__(f"workflows {path}: {fact}; {remedy}")


class ShuttingDown(IgnisError):
    """The server takes no more calls; another replica will, or this one when it is back."""

    retry_seconds = 1

    def __init__(self) -> None:
        super().__init__(f"the server is shutting down: try another replica, or again in {self.retry_seconds} s")


class StoreUnavailable(IgnisError):
    """The database cannot do what is asked at the moment; nothing is half done. `reason` is a word for operators."""

    retry_seconds = 1

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the database is {reason}: nothing is half done, try again in {self.retry_seconds} s")


class TooManyWatchers(IgnisError):
    """As many streams stand open as the server keeps."""

    retry_seconds = 5

    def __init__(self, method: str, limit: int) -> None:
        self.method = method
        self.limit = limit
        super().__init__(
            f"{limit} streams of {method} and its like stand open, which is the limit: close some first, "
            f"or try another replica in {self.retry_seconds} s"
        )


class TooManyWaiters(IgnisError):
    """As many workers wait for steps as the server lets wait."""

    retry_seconds = 5

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(
            f"{limit} workers wait for steps, which is the limit: run fewer, or try another replica in "
            f"{self.retry_seconds} s"
        )


class OutboxFull(IgnisError):
    """The telemetry outbox is at its bound, and its policy is to keep calls out; `committed_count` items were taken in before."""

    retry_seconds = 30

    def __init__(self, *, limit_bytes: int, committed_count: int = 0) -> None:
        self.limit_bytes = limit_bytes
        self.committed_count = committed_count
        super().__init__(
            f"telemetry waits for its destinations, and more than the outbox's limit of {limit_bytes} bytes will not be kept: "
            f"try another replica, or again in {self.retry_seconds} s ({committed_count} items of this call are committed)"
        )


class AddressUnusable(IgnisError):
    """An address that cannot be listened on: it is taken, not this machine's, or not for us."""

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__(f"cannot listen on {address}: it is taken or not ours; say another --listen, or port 0")


class SettingsInvalid(IgnisError):
    """Settings that the server cannot start with; all mistakes at once."""

    def __init__(self, mistakes: tuple[str, ...]) -> None:
        self.mistakes = mistakes
        super().__init__("; ".join(mistakes))
