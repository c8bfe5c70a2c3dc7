"""The revisions before the one that is served: what has changed since each, and what of them can still be loaded."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ignis_server.agents.catalog import Catalog, CatalogAgent, taken_apart
from ignis_server.errors import RevisionTooOld

__all__ = ["CatalogStep", "History", "PastRevision", "Version"]

# Digest and fingerprint: what a load sends of an agent, and all that is known of it.
Version = tuple[str, str]


@dataclass(frozen=True, slots=True)
class CatalogStep:
    """What leads from one revision to another; agents and ids are ordered by id.

    `previous_revision` is empty where nothing was known before: then all agents are added.
    """

    revision: str
    previous_revision: str
    added: tuple[CatalogAgent, ...]
    changed: tuple[CatalogAgent, ...]
    removed_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PastRevision:
    """A revision that was served, and the version of each agent it held, by id."""

    revision: str
    versions: Mapping[str, Version]

    @classmethod
    def of(cls, catalog: Catalog) -> "PastRevision":
        """Remember a catalog."""
        versions = {agent.agent_id: (agent.digest, agent.fingerprint) for agent in catalog.agents}
        return cls(catalog.revision, MappingProxyType(versions))


@dataclass(frozen=True, slots=True)
class History:
    """What is remembered of the past, newest last; immutable, like the snapshot it belongs to.

    At its bounds the oldest is forgotten: its revision can then not be followed from, and its agents not be loaded.

    Attributes:
        revisions: The revisions before the one that is served.
        retired: Agents of these that the one that is served does not hold in that version, the newest last.
        max_revisions: How many revisions are remembered.
        max_retired_bytes: How much text of retired agents is kept in memory, about.
    """

    revisions: tuple[PastRevision, ...] = ()
    retired: tuple[CatalogAgent, ...] = ()
    max_revisions: int = field(default=16, compare=False)
    max_retired_bytes: int = field(default=64 << 20, compare=False)

    def followed_by(self, before: Catalog, now: Catalog) -> "History":
        """Return the history of a catalog that takes the place of another."""
        past = [each for each in self.revisions if each.revision not in {before.revision, now.revision}]
        if before.revision != now.revision:
            past.append(PastRevision.of(before))
        revisions = tuple(past[-self.max_revisions :])
        return History(
            revisions,
            self._still_known((*self.retired, *before.agents), revisions, now),
            self.max_revisions,
            self.max_retired_bytes,
        )

    def _still_known(
        self, agents: Iterable[CatalogAgent], revisions: Iterable[PastRevision], now: Catalog
    ) -> tuple[CatalogAgent, ...]:
        current = {(agent.agent_id, agent.digest) for agent in now.agents}
        remembered = {(agent_id, digest) for past in revisions for agent_id, (digest, _) in past.versions.items()}
        unique = {(agent.agent_id, agent.digest): agent for agent in agents}
        kept: list[CatalogAgent] = []
        room = self.max_retired_bytes
        for key, agent in reversed(unique.items()):
            if key in remembered and key not in current:
                room -= 2 * len(agent.full.text) + len(agent.core.text)
                if room < 0:
                    break
                kept.append(agent)
        return tuple(reversed(kept))

    def find(self, reference: str) -> CatalogAgent | None:
        """Return the retired agent of an id or name with "@" and a digest, the newest of several."""
        wanted, digest = taken_apart(reference)
        if not digest:
            return None
        for agent in reversed(self.retired):
            is_called_so = wanted == agent.agent_id or wanted.casefold() == agent.definition.name.casefold()
            if is_called_so and agent.has_digest(digest):
                return agent
        return None

    def step(self, known_revision: str, now: Catalog) -> CatalogStep:
        """Return what leads from a revision to the present; from none, where it is empty.

        Raises:
            RevisionTooOld: The revision is not remembered.
        """
        versions = self._versions_at(known_revision, now)
        present = {agent.agent_id for agent in now.agents}
        return CatalogStep(
            revision=now.revision,
            previous_revision=known_revision,
            added=tuple(agent for agent in now.agents if agent.agent_id not in versions),
            changed=tuple(
                agent
                for agent in now.agents
                if agent.agent_id in versions and versions[agent.agent_id] != (agent.digest, agent.fingerprint)
            ),
            removed_ids=tuple(sorted(versions.keys() - present)),
        )

    def _versions_at(self, revision: str, now: Catalog) -> Mapping[str, Version]:
        if not revision:
            return {}
        known = (*self.revisions, PastRevision.of(now))
        for past in known:
            if past.revision == revision:
                return past.versions
        raise RevisionTooOld(revision, known[0].revision)
