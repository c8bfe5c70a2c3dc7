"""A session: the agents of one conversation, turn after turn, with bytes that only grow until an epoch ends."""

import asyncio
import hashlib
from collections.abc import Awaitable, Iterable
from typing import Protocol, TypedDict, Unpack

from ignis_client.agents import AgentFormat
from ignis_client.bundle import DetailLevel, LoadedAgent
from ignis_client.epoch import EpochReason, HeldAgent, HeldBundle
from ignis_client.errors import DigestMismatch
from ignis_client.loaded import Loaded
from ignis_client.savings import TokenPrices

__all__ = ["LoadArguments", "Session"]


class LoadArguments(TypedDict, total=False):
    """What a load may say besides its brief; see `IgnisClient.load_agents`."""

    task: str
    tags: Iterable[str]
    required_agents: Iterable[str]
    required_teams: Iterable[str]
    forbidden_agents: Iterable[str]
    formats: Iterable[AgentFormat]
    categories: Iterable[str]
    budget_tokens: int | None
    min_recall: float | None
    max_detail: DetailLevel
    prices: TokenPrices | None
    timeout: float | None


class Load(Protocol):
    """Loads agents for who holds some already."""

    def __call__(self, brief: str, *, held: HeldBundle | None, **arguments: Unpack[LoadArguments]) -> Awaitable[Loaded]:
        """Return what is new."""
        ...


class Session:
    """Keeps what a conversation holds, so that each load sends what is new and nothing else.

        session = ignis.session()
        loaded = await session.load_agents(brief, task="add Stripe payments")
        prompt = session.text + conversation

    `text` of one turn begins with that of the turn before, so a provider's prompt cache finds it, until
    `Loaded.epoch` declares a new epoch and says why: then `text` begins anew. A load that fails changes nothing.
    Loads of one session wait for each other.
    """

    def __init__(self, load: Load) -> None:
        """Make a session; `IgnisClient.session` does."""
        self._load = load
        self._turn = asyncio.Lock()
        self._epoch_id = ""
        self._agents: tuple[LoadedAgent, ...] = ()
        self._text = ""

    @property
    def text(self) -> str:
        """What to give the model: the content of all agents held, with nothing between."""
        return self._text

    @property
    def agents(self) -> tuple[LoadedAgent, ...]:
        """The agents held, in the order in which they came; one may be here as a card and, later, in more detail."""
        return self._agents

    @property
    def held(self) -> HeldBundle | None:
        """What is held, as a request names it; None before the first load."""
        if not self._epoch_id:
            return None
        held = tuple(HeldAgent(each.id, each.agent.digest, each.detail) for each in self._agents)
        return HeldBundle(self._epoch_id, held)

    async def load_agents(self, brief: str = "", **arguments: Unpack[LoadArguments]) -> Loaded:
        """Load what the conversation needs now, with the arguments of `IgnisClient.load_agents`.

        The budget is that of all the text held. `Loaded.bundle` is what is new.

        Raises:
            IgnisError: As `IgnisClient.load_agents`.
            DigestMismatch: What is held is not what the server takes it for.
        """
        async with self._turn:
            loaded = await self._load(brief, held=self.held, **arguments)
            goes_on = loaded.epoch.reason is EpochReason.CONTINUED
            agents = (*self._agents, *loaded.agents) if goes_on else loaded.agents
            text = self._text + loaded.text if goes_on else loaded.text
            digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
            if digest != loaded.epoch.digest:
                raise DigestMismatch.between(loaded.epoch.digest, digest)
            self._epoch_id, self._agents, self._text = loaded.epoch.id, agents, text
            return loaded
