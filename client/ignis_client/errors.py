"""What can go wrong with a call, named for what happened, with the facts as attributes.

    IgnisError
    ├── InvalidRequest          mend the request
    │   ├── AmbiguousAgent
    │   ├── BudgetTooSmall
    │   ├── DefinitionInvalid
    │   ├── OutputTooLarge
    │   ├── PageTokenInvalid
    │   ├── RequestIdReused
    │   └── ResumeTokenInvalid
    ├── NotFound                name something else
    │   ├── AgentNotFound
    │   ├── DefinitionNotFound
    │   ├── DestinationNotFound
    │   ├── InputNotFound
    │   ├── RunNotFound
    │   ├── StepNotFound
    │   └── TeamNotFound
    ├── InputAlreadyResolved    look what was decided
    ├── LeaseLost               drop the work
    ├── ResumeTokenTooOld       begin the watch anew
    ├── RevisionTooOld          begin the watch anew
    ├── FeatureUnavailable      do without it
    ├── AccessDenied            bring other credentials
    ├── LimitReached            wait, or ask for less
    │   ├── OutboxFull
    │   ├── TooManyRuns
    │   ├── TooManyWaiters
    │   └── WatcherTooSlow
    ├── Unavailable             wait; it was tried several times already
    │   └── StoreUnavailable
    ├── DeadlineExceeded        allow more time
    ├── DestinationCannotVerify read its account in the ledger
    ├── DestinationUnavailable  wait, or tell its operator
    ├── DigestMismatch          load again
    └── ServerError             tell the operator

A status that none of these foresees is an IgnisError and no more; `code` says what it is. Cancellation is no
error of these: asyncio.CancelledError passes through a call untouched.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

import grpc

__all__ = [
    "AccessDenied",
    "AgentNotFound",
    "AmbiguousAgent",
    "BudgetTooSmall",
    "DeadlineExceeded",
    "DefinitionInvalid",
    "DefinitionNotFound",
    "DestinationCannotVerify",
    "DestinationNotFound",
    "DestinationUnavailable",
    "DigestMismatch",
    "Failure",
    "FeatureUnavailable",
    "IgnisError",
    "InputAlreadyResolved",
    "InputNotFound",
    "InvalidRequest",
    "LeaseLost",
    "LimitReached",
    "NotFound",
    "OutboxFull",
    "OutputTooLarge",
    "PageTokenInvalid",
    "RequestIdReused",
    "ResumeTokenInvalid",
    "ResumeTokenTooOld",
    "RevisionTooOld",
    "RunNotFound",
    "ServerError",
    "StepNotFound",
    "StoreUnavailable",
    "TeamNotFound",
    "TooManyRuns",
    "TooManyWaiters",
    "Unavailable",
    "Violation",
    "WatcherTooSlow",
]


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that a request breaks: the field's path, and fact, value and limit in a sentence."""

    field: str
    description: str


@dataclass(frozen=True, slots=True)
class Failure:
    """How a call ended that did not end well: what every IgnisError is made of."""

    message: str
    code: grpc.StatusCode
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    retry_after: timedelta | None = None
    violations: tuple[Violation, ...] = ()


class IgnisError(Exception):
    """A call that did not end well; `str()` of it is the message.

    Attributes:
        message: What happened, for people.
        code: The status code of the call.
        reason: A name of ignis.errors.v1.ErrorReason without its prefix, such as "AGENT_NOT_FOUND"; empty
            where the failure is not the service's own. Newer servers may send reasons that are not listed.
        metadata: Each fact of the message, by name.
        retry_after: How long to wait before trying again, where the server says so.
        violations: Every rule that the request breaks.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.message = failure.message
        self.code = failure.code
        self.reason = failure.reason
        self.metadata = failure.metadata
        self.retry_after = failure.retry_after
        self.violations = failure.violations

    def __str__(self) -> str:
        return self.message


class InvalidRequest(IgnisError):
    """The request breaks rules of the API; `violations` has all of them."""


class AmbiguousAgent(InvalidRequest):
    """Several agents have the name.

    Attributes:
        agent: The name, as the request has it.
        ids: Ids of agents that have it; there may be more.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.agent = failure.metadata["agent"]
        self.ids = _listed(failure.metadata["ids"])


class BudgetTooSmall(InvalidRequest):
    """The budget does not hold even the smallest bundle that could answer.

    Attributes:
        budget_tokens: The budget.
        smallest_tokens: The smallest budget that would do.
        smallest_agents: Ids of the agents whose cards are that smallest bundle.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.budget_tokens = int(failure.metadata["budget_tokens"])
        self.smallest_tokens = int(failure.metadata["smallest_tokens"])
        self.smallest_agents = _listed(failure.metadata["smallest_agents"])


class PageTokenInvalid(InvalidRequest):
    """The server does not take up a listing where it was: begin anew."""


class RequestIdReused(InvalidRequest):
    """The request id was used before, with other content: make a new one.

    Attributes:
        request_id: The id.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.request_id = failure.metadata["request_id"]


class DefinitionInvalid(InvalidRequest):
    """A workflow has an error that keeps it from running.

    Attributes:
        definition: The workflow.
        line: Where in its file, from 1.
        problem: What is wrong.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.definition = failure.metadata["definition"]
        self.line = int(failure.metadata["line"])
        self.problem = failure.metadata["problem"]


class OutputTooLarge(InvalidRequest):
    """An output or artefact is larger than may be kept with a run: store it elsewhere.

    Attributes:
        name: Which.
        size_bytes: How large it is.
        limit_bytes: How large it may be.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.name = failure.metadata["name"]
        self.size_bytes = int(failure.metadata["size_bytes"])
        self.limit_bytes = int(failure.metadata["limit_bytes"])


class ResumeTokenInvalid(InvalidRequest):
    """A resume token is not the server's, or of another run.

    Attributes:
        run_id: The run that was to be watched.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.run_id = failure.metadata["run_id"]


class NotFound(IgnisError):
    """The server does not have what the request names."""


class AgentNotFound(NotFound):
    """No agent of the catalog has the id or name (and digest).

    Attributes:
        agent: The reference, as the request has it.
        nearest: Names that look alike; may be empty.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.agent = failure.metadata["agent"]
        self.nearest = _listed(failure.metadata["nearest"])


class TeamNotFound(NotFound):
    """No team of the catalog has the id or name.

    Attributes:
        team: The reference, as the request has it.
        nearest: Ids that look alike; may be empty.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.team = failure.metadata["team"]
        self.nearest = _listed(failure.metadata["nearest"])


class DestinationNotFound(NotFound):
    """No destination of telemetry has the name.

    Attributes:
        destination: The name, as the request has it.
        known: Names of those that there are; may be empty.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.destination = failure.metadata["destination"]
        self.known = _listed(failure.metadata["known"])


class DefinitionNotFound(NotFound):
    """No workflow has the id or name.

    Attributes:
        definition: The reference, as the request has it.
        nearest: Ids that look alike; may be empty.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.definition = failure.metadata["definition"]
        self.nearest = _listed(failure.metadata["nearest"])


class RunNotFound(NotFound):
    """There is no run of this id, or it is past its retention.

    Attributes:
        run_id: The id.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.run_id = failure.metadata["run_id"]


class StepNotFound(NotFound):
    """The run has no step of this id.

    Attributes:
        run_id: The run.
        step_id: The id.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.run_id = failure.metadata["run_id"]
        self.step_id = failure.metadata["step_id"]


class InputNotFound(NotFound):
    """The run has asked nothing under this id.

    Attributes:
        run_id: The run.
        input_id: The id.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.run_id = failure.metadata["run_id"]
        self.input_id = failure.metadata["input_id"]


class InputAlreadyResolved(IgnisError):
    """Somebody else has answered already, in another way.

    Attributes:
        input_id: What was asked.
        decision: What was decided, such as "approve".
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.input_id = failure.metadata["input_id"]
        self.decision = failure.metadata["decision"]


class LeaseLost(IgnisError):
    """A step's lease has gone to another worker, or its run has ended: drop the work.

    Attributes:
        step_id: The step.
        attempt: The attempt that has lost it.
        latest_attempt: The attempt that counts now.
        worker_id: The worker that has lost it.
        state: Where the step stands, such as "working".
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.step_id = failure.metadata["step_id"]
        self.attempt = int(failure.metadata["attempt"])
        self.latest_attempt = int(failure.metadata["latest_attempt"])
        self.worker_id = failure.metadata["worker_id"]
        self.state = failure.metadata["state"]


class ResumeTokenTooOld(IgnisError):
    """The events after a resume token are no longer kept: begin with a snapshot.

    Attributes:
        version: The last event that the watcher had.
        oldest_version: The oldest that is kept.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.version = int(failure.metadata["version"])
        self.oldest_version = int(failure.metadata["oldest_version"])


class RevisionTooOld(IgnisError):
    """The server never served the revision of a catalog, or has forgotten it.

    Attributes:
        revision: The revision, as the request has it.
        oldest_revision: The oldest one that the server remembers.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.revision = failure.metadata["revision"]
        self.oldest_revision = failure.metadata["oldest_revision"]


class FeatureUnavailable(IgnisError):
    """The server does not serve this feature or method (yet)."""


class AccessDenied(IgnisError):
    """The caller is not known, or may not do this."""


class LimitReached(IgnisError):
    """The server takes no more calls for now, or the answer is larger than this client accepts."""


class OutboxFull(LimitReached):
    """The server's telemetry waits for its destinations, and it takes no calls whose telemetry it could not keep.

    Attributes:
        limit_bytes: What may wait.
        committed_count: Items of this call that are committed all the same.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.limit_bytes = int(failure.metadata["limit_bytes"])
        self.committed_count = int(failure.metadata["committed_count"])


class TooManyRuns(LimitReached):
    """As many runs are open as the server allows.

    Attributes:
        limit: How many.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.limit = int(failure.metadata["limit"])


class TooManyWaiters(LimitReached):
    """As many workers wait for steps as the server allows.

    Attributes:
        limit: How many.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.limit = int(failure.metadata["limit"])


class WatcherTooSlow(LimitReached):
    """A watcher did not read, and the server let go of it; `watch_run` resumes by itself.

    Attributes:
        limit: How many events may wait for a watcher.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.limit = int(failure.metadata["limit"])


class Unavailable(IgnisError):
    """No server can be reached, or it takes no calls, after all retries."""


class StoreUnavailable(Unavailable):
    """The server's database cannot do what is asked at the moment; nothing is half done.

    Attributes:
        why: One of "unreachable", "slow", "busy", "full", "read-only", "damaged" and "refusing".
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.why = failure.metadata["reason"]


class DeadlineExceeded(IgnisError):
    """The call did not end within its timeout."""


class DestinationCannotVerify(IgnisError):
    """A destination of telemetry does not tell what it has.

    Attributes:
        destination: Its name.
        why: What keeps it from that.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.destination = failure.metadata["destination"]
        self.why = failure.metadata["why"]


class DestinationUnavailable(IgnisError):
    """A destination of telemetry cannot be asked now; the server itself can.

    Attributes:
        destination: Its name.
        why: What went wrong.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.destination = failure.metadata["destination"]
        self.why = failure.metadata["why"]


class DigestMismatch(IgnisError):
    """A bundle's text is not what its digest says.

    Attributes:
        digest: What the text should be.
        actual_digest: What it is.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.digest = failure.metadata["digest"]
        self.actual_digest = failure.metadata["actual_digest"]

    @classmethod
    def between(cls, digest: str, actual_digest: str) -> Self:
        """Return the error of a text that is `actual_digest` and should be `digest`."""
        message = f"the bundle's digest is {digest}, and that of its text {actual_digest}"
        facts = {"digest": digest, "actual_digest": actual_digest}
        return cls(Failure(message, grpc.StatusCode.DATA_LOSS, metadata=facts))


class ServerError(IgnisError):
    """The server failed in a way that nobody foresaw.

    Attributes:
        error_id: Finds the story in the server's log; None where the server gave none.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.error_id = failure.metadata.get("error_id")


def _listed(fact: str) -> tuple[str, ...]:
    return tuple(item.replace("%2C", ",") for item in fact.split(",")) if fact else ()
