"""What a client knows of the calls that it made: the truth that telemetry is compared with."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ignis.agents.v1 import agent_loader_pb2 as pb

__all__ = ["LOAD_AGENTS", "End", "Sent", "answers", "ends", "load_attributes", "load_sums"]

LOAD_AGENTS: Final = "ignis.agents.v1.AgentLoaderService/LoadAgents"
OUTCOMES: Final[Mapping[int, str]] = MappingProxyType(
    {
        pb.CACHE_OUTCOME_COMPUTED: "computed",
        pb.CACHE_OUTCOME_PROCESS_HIT: "process-hit",
        pb.CACHE_OUTCOME_SHARED_HIT: "shared-hit",
        pb.CACHE_OUTCOME_COALESCED: "coalesced",
    }
)
# A method, the code that the client saw, and the reason that it was given.
End = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Sent:
    """A call, as its client saw it.

    Attributes:
        trace_id: Of the trace that it was sent in.
        span_id: Of the client's span, which is the parent of the server's.
        is_sampled: Whether the client wants a span of it.
        method: Full name, "package.Service/Method".
        code: How it ended.
        reason: The reason of the error (ErrorInfo), the code where none was given, nothing of an OK.
        seconds: How long it took, by the client's clock.
        request_bytes: Of what was sent.
        response_bytes: Of what came.
        answer: The answer to a load.
        has_given_up: Whether the client ended it, by its deadline or by cancelling.
    """

    trace_id: bytes
    span_id: bytes
    is_sampled: bool
    method: str
    code: str
    reason: str
    seconds: float
    request_bytes: int
    response_bytes: int
    answer: pb.LoadAgentsResponse | None = None
    has_given_up: bool = False

    @property
    def end(self) -> End:
        """What calls are counted by."""
        return (self.method, self.code, self.reason)


def ends(sent: Iterable[Sent]) -> Counter[End]:
    """Count calls by how they ended."""
    return Counter(each.end for each in sent)


def answers(sent: Iterable[Sent]) -> list[pb.LoadAgentsResponse]:
    """Return the answers to loads."""
    return [each.answer for each in sent if each.answer is not None]


def load_attributes(answer: pb.LoadAgentsResponse) -> dict[str, object]:
    """Return what the span of a load must say, by the answer that its caller got."""
    return {
        "ignis.cache.outcome": OUTCOMES[answer.cache_outcome],
        "ignis.load.agents": len(answer.bundle.agents),
        "ignis.load.new_tokens": answer.bundle.tokens,
        "ignis.load.tokens": answer.savings.loaded_tokens,
        "ignis.load.budget_tokens": answer.budget_tokens,
        "ignis.load.load_all_tokens": round(answer.savings.load_all.baseline_tokens),
        "ignis.load.needs": len(answer.needs),
        "ignis.load.unanswered_needs": sum(not need.answered for need in answer.needs),
    }


def load_sums(given: Iterable[pb.LoadAgentsResponse]) -> dict[str, float]:
    """Return what the counters of loads must say, by all answers that callers got."""
    responses = list(given)

    def total(of: Callable[[pb.LoadAgentsResponse], float]) -> float:
        return sum(of(each) for each in responses)

    sums = {
        "ignis.load.agents": total(lambda each: len(each.bundle.agents)),
        "ignis.load.new_tokens": total(lambda each: each.bundle.tokens),
        "ignis.load.tokens": total(lambda each: each.savings.loaded_tokens),
        "ignis.load.needs ignis.answered=True": total(lambda each: sum(need.answered for need in each.needs)),
        "ignis.load.needs ignis.answered=False": total(lambda each: sum(not need.answered for need in each.needs)),
    }
    for baseline in ("load_all", "index_only", "cached_load_all"):
        costs = [getattr(each.savings, baseline) for each in responses]
        # Where prices are involved, the counters have whole tokens of each answer.
        name = f"ignis.baseline={baseline}"
        sums[f"ignis.load.baseline_tokens {name}"] = sum(round(each.baseline_tokens) for each in costs)
        sums[f"ignis.load.saved_tokens {name}"] = sum(
            round(each.baseline_tokens) - round(each.bundle_tokens) for each in costs
        )
    return sums
