"""A bundle: text for a model, agent by agent, under a digest."""

import hashlib
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from ignis_client.agents import AgentSummary, Evidence
from ignis_client.errors import DigestMismatch

__all__ = ["Bundle", "DetailLevel", "InclusionReason", "LoadedAgent"]


class DetailLevel(IntEnum):
    """How much of an agent is sent; a greater level holds all of a lesser one."""

    UNKNOWN = 0
    """One that this client is too old to know; in a request, the server's default."""
    CARD = 1
    """Name and description: enough to know that the agent exists and when to call it."""
    CORE = 2
    """The card and those whole sections of the body that say how the agent acts."""
    FULL = 3
    """The card and the whole body."""


class InclusionReason(StrEnum):
    """Why an agent is in a bundle."""

    UNKNOWN = "unknown"
    """One that this client is too old to know."""
    REQUIRED = "required"
    """The request requires it by name."""
    TEAM = "team"
    """The request requires a team it belongs to."""
    NAMED = "named"
    """The brief calls it by its name."""
    SELECTED = "selected"
    """It answers needs of the brief."""


@dataclass(frozen=True, slots=True)
class LoadedAgent:
    """One agent in a bundle.

    Attributes:
        agent: Which agent.
        detail: How much of it is here.
        content: The text, between a line `<agent …>` and a line `</agent>`; it ends with a line feed.
        tokens: Tokens of `content`.
        reason: Why it is in the bundle.
        evidence: What spoke for it.
        rank: Place by usefulness, from 1; required agents come first.
        omitted_sections: Headings of the sections of its body that `content` leaves out.
    """

    agent: AgentSummary
    detail: DetailLevel
    content: str
    tokens: int
    reason: InclusionReason
    evidence: Evidence
    rank: int
    omitted_sections: tuple[str, ...]

    @property
    def id(self) -> str:
        """The agent's id."""
        return self.agent.id


@dataclass(frozen=True, slots=True)
class Bundle:
    """Text for a model: the same agents make the same bytes, whatever they were asked for with.

    Attributes:
        digest: "sha256:" and the hexadecimal SHA-256 of `text` in UTF-8.
        agents: The agents, ordered by id.
        tokens: Tokens of `text`, the sum over `agents`.
        size_bytes: Bytes of `text` in UTF-8.
    """

    digest: str
    agents: tuple[LoadedAgent, ...]
    tokens: int
    size_bytes: int

    @property
    def text(self) -> str:
        """What to give the model: the content of all agents, with nothing between; joined at each access."""
        return "".join(loaded.content for loaded in self.agents)

    def verify(self) -> None:
        """Check that the text is what the digest says.

        A load does so by itself: it takes 0.1 ms for 100 KB, a small part of any call. Do it again where a
        bundle was kept in a place that could have changed it.

        Raises:
            DigestMismatch: It is not: something between the server's selector and here changed the text.
        """
        sha256 = hashlib.sha256()
        for loaded in self.agents:
            sha256.update(loaded.content.encode())
        actual_digest = f"sha256:{sha256.hexdigest()}"
        if actual_digest != self.digest:
            raise DigestMismatch.between(self.digest, actual_digest)
