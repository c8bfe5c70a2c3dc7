"""Epochs: how a bundle continues what a conversation holds, so that the bytes of each turn begin those of the next.

A provider's prompt cache knows a prompt by its beginning. So what was sent is not sent again in another order, in more
detail or without an agent that has become useless: new agents are put behind. Where that cannot be, an epoch ends, and the
reason is told.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Self

from ignis_server.agents.bundle import Bundle, LoadedAgent
from ignis_server.agents.catalog import CatalogAgent
from ignis_server.agents.model import DetailLevel, HeldAgent, HeldBundle
from ignis_server.agents.roster import Roster

__all__ = ["Epoch", "EpochReason", "Turn", "turn_of"]

# The rules by which an epoch goes on. Who holds an epoch of other rules begins a new one.
RULES = "1"
ID_DIGITS = 32


class EpochReason(Enum):
    """Why an epoch began, or that it goes on."""

    INITIAL = "initial"
    CONTINUED = "continued"
    AGENT_CHANGED = "agent-changed"
    AGENT_FORBIDDEN = "agent-forbidden"
    BUDGET_SPENT = "budget-spent"
    UNKNOWN_EPOCH = "unknown-epoch"


@dataclass(frozen=True, slots=True)
class Epoch:
    """An unbroken sequence of bundles up to this one; digest, tokens and bytes are those of all its text."""

    id: str
    reason: EpochReason
    digest: str
    tokens: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Held:
    """An agent that the caller holds, as the catalog has it still."""

    place: int
    agent: CatalogAgent
    detail: DetailLevel


@dataclass(frozen=True, slots=True)
class Turn:
    """What is new in one turn of a conversation, the epoch, and the places of the agents that are held on to."""

    bundle: Bundle
    epoch: Epoch
    held_places: tuple[int, ...] = ()

    @classmethod
    def begun(cls, agents: Iterable[LoadedAgent], reason: EpochReason) -> Self:
        """Begin an epoch with a bundle."""
        bundle = Bundle.of(agents)
        # The same beginning, the same name: an answer does not depend on when or where it is given.
        name = hashlib.sha256(bundle.digest.encode()).hexdigest()[:ID_DIGITS]
        return cls(bundle, Epoch(f"{RULES}.{name}", reason, bundle.digest, bundle.tokens, bundle.size_bytes))

    @classmethod
    def continued(cls, epoch_id: str, held: Sequence[_Held], new: Iterable[LoadedAgent]) -> Self:
        """Go on with an epoch."""
        bundle = Bundle.of(new)
        before = "".join(each.agent.at(each.detail).text for each in held).encode()
        whole = hashlib.sha256(before)
        for loaded in bundle.agents:
            whole.update(loaded.content.encode())
        return cls(
            bundle,
            Epoch(
                epoch_id,
                EpochReason.CONTINUED,
                f"sha256:{whole.hexdigest()}",
                sum(each.agent.at(each.detail).tokens for each in held) + bundle.tokens,
                len(before) + bundle.size_bytes,
            ),
            tuple(each.place for each in held),
        )


def turn_of(
    chosen: Sequence[LoadedAgent], held: HeldBundle | None, roster: Roster, *, forbidden: frozenset[int], budget: int
) -> Turn:
    """Continue what a caller holds with what was chosen for it now, or begin anew.

    An agent that is held is not sent again in more detail, unless only its card is held: its examples and references are
    worth less than the bytes before them in the cache.

    Args:
        chosen: What a caller would be sent who holds nothing.
        held: What it holds; None for nothing.
        roster: The agents as they are now.
        forbidden: Places of those that must not be held any longer.
        budget: Tokens that all the epoch may have.
    """
    if held is None:
        return Turn.begun(chosen, EpochReason.INITIAL)
    if held.epoch_id.partition(".")[0] != RULES:
        return Turn.begun(chosen, EpochReason.UNKNOWN_EPOCH)
    still = [_still_held(each, roster) for each in held.agents]
    kept = [each for each in still if each is not None]
    if len(kept) < len(still):
        return Turn.begun(chosen, EpochReason.AGENT_CHANGED)
    if any(each.place in forbidden for each in kept):
        return Turn.begun(chosen, EpochReason.AGENT_FORBIDDEN)
    details = {each.agent.agent_id: each.detail for each in sorted(kept, key=lambda each: each.detail)}
    new = [loaded for loaded in chosen if not _covers(details.get(loaded.agent.agent_id), loaded.detail)]
    room = budget - sum(each.agent.at(each.detail).tokens for each in kept)
    for offered in (new, [replace(loaded, detail=min(loaded.detail, DetailLevel.CORE)) for loaded in new]):
        if sum(loaded.tokens for loaded in offered) <= room:
            return Turn.continued(held.epoch_id, kept, offered)
    return Turn.begun(chosen, EpochReason.BUDGET_SPENT)


def _still_held(held: HeldAgent, roster: Roster) -> _Held | None:
    place = roster.place_of_id(held.agent_id)
    if place is None or roster.agents[place].digest != held.digest:
        return None
    return _Held(place, roster.agents[place], held.detail)


def _covers(held: DetailLevel | None, wanted: DetailLevel) -> bool:
    return held is not None and (held >= wanted or held >= DetailLevel.CORE)
