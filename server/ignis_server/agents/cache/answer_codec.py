"""Answers as bytes, for the cache that replicas share."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from ignis_server import errors
from ignis_server.agents.answers import Answer, Answered, Refused
from ignis_server.errors import IgnisError, Violation
from ignis_server.signals import BundleCounts

__all__ = ["decode_answer", "encode_answer"]


class _AnsweredAs(msgspec.Struct, array_like=True, frozen=True, tag="answered"):
    body: bytes
    counts: BundleCounts


class _RefusedAs(msgspec.Struct, array_like=True, frozen=True, tag="refused"):
    name: str
    facts: tuple[Any, ...]


# An error is its class and what that is made of.
FACTS: Mapping[type[IgnisError], Callable[[Any], tuple[Any, ...]]] = MappingProxyType(
    {
        errors.AgentNotFound: lambda e: (e.agent, e.nearest),
        errors.AmbiguousAgent: lambda e: (e.agent, e.agent_ids, e.count),
        errors.TeamNotFound: lambda e: (e.team, e.nearest),
        errors.BudgetTooSmall: lambda e: (e.budget_tokens, e.smallest_tokens, e.smallest_agents),
        errors.InvalidRequest: lambda e: (tuple((each.field, each.description) for each in e.violations),),
    }
)
MADE_OF: Mapping[str, Callable[..., IgnisError]] = MappingProxyType(
    {
        "AgentNotFound": lambda agent, nearest: errors.AgentNotFound(agent, tuple(nearest)),
        "AmbiguousAgent": lambda agent, ids, count: errors.AmbiguousAgent(agent, tuple(ids), count=count),
        "TeamNotFound": lambda team, nearest: errors.TeamNotFound(team, tuple(nearest)),
        "BudgetTooSmall": lambda budget, smallest, agents: errors.BudgetTooSmall(
            budget_tokens=budget, smallest_tokens=smallest, smallest_agents=tuple(agents)
        ),
        "InvalidRequest": lambda violations: errors.InvalidRequest(tuple(Violation(*each) for each in violations)),
    }
)

ENCODER = msgspec.msgpack.Encoder()
DECODER = msgspec.msgpack.Decoder(_AnsweredAs | _RefusedAs)


def encode_answer(answer: Answer) -> bytes:
    """Return an answer as bytes."""
    match answer:
        case Answered(body, counts):
            return ENCODER.encode(_AnsweredAs(body, counts))
        case Refused(error):
            return ENCODER.encode(_RefusedAs(type(error).__name__, FACTS[type(error)](error)))


def decode_answer(content: bytes) -> Answer | None:
    """Return the answer that some bytes hold; None where they hold none."""
    try:
        match DECODER.decode(content):
            case _AnsweredAs(body, counts):
                return Answered(body, counts)
            case _RefusedAs(name, facts):
                return Refused(MADE_OF[name](*facts))
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        return None
    return None
