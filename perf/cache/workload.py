"""The workload: who asks for what, and when; nothing here waits or calls."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis_server.agents.catalog import CatalogAgent

__all__ = ["Popularity", "Workload", "requests_about"]

MAX_PHRASE_CHARACTERS = 160
SMALL_BUDGETS = 0.1
NOBODYS = 0.05


@dataclass(frozen=True, slots=True)
class Workload:
    """A day at the office, in minutes.

    Attributes:
        requests: Different requests there are.
        users: How many ask; half of them ask each replica.
        calls_per_second: What all users ask together, with exponential pauses between a user's calls.
        minutes: How long it lasts; the catalog changes after each but the last, and one replica is restarted half-way.
        memory_seconds: How long a replica keeps an answer that nobody asks for.
        shared_seconds: How long Redis keeps one.
        exponent: Of Zipf's law: the n-th most popular request is asked for in proportion to 1 / n ** exponent.
        seed: Of all that is left to chance.
    """

    requests: int = 2_000
    users: int = 10
    calls_per_second: float = 200.0
    minutes: float = 5.0
    memory_seconds: float = 20.0
    shared_seconds: float = 90.0
    exponent: float = 1.0
    seed: int = 7


class Popularity:
    """Draws requests by Zipf's law."""

    def __init__(self, workload: Workload) -> None:
        weights = [1 / rank**workload.exponent for rank in range(1, workload.requests + 1)]
        self._cumulative = list(accumulate(weights))

    def draw(self, chance: random.Random) -> int:
        """Return the number of a request, the most popular being 0."""
        (drawn,) = chance.choices(range(len(self._cumulative)), cum_weights=self._cumulative)
        return drawn


def requests_about(agents: Sequence[CatalogAgent], workload: Workload) -> list[bytes]:
    """Return different requests that a catalog answers, serialised: what one to three agents say of themselves, and more.

    One in twenty asks for an agent that there is not, and one in ten has a small budget.
    """
    chance = random.Random(workload.seed)  # noqa: S311 - a workload that repeats, no secret
    made: dict[bytes, None] = {}
    while len(made) < workload.requests:
        chosen = chance.sample(agents, min(len(agents), chance.randint(1, 3)))
        request = pb.LoadAgentsRequest(
            brief="; ".join(_phrase(agent, chance) for agent in chosen),
            task=f"ticket {chance.randrange(10**6)}",
            budget_tokens=400 if chance.random() < SMALL_BUDGETS else 6_000,
            required_agents=["nobody of this name"] if chance.random() < NOBODYS else [],
        )
        made[request.SerializeToString(deterministic=True)] = None
    return list(made)


def _phrase(agent: CatalogAgent, chance: random.Random) -> str:
    sentences = [each for each in agent.definition.description.split(". ") if each.strip()]
    return (chance.choice(sentences) if sentences else agent.definition.name)[:MAX_PHRASE_CHARACTERS]
