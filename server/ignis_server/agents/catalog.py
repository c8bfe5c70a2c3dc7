"""A catalog: agents and teams by id and name, with exact token counts and one revision for it all."""

import difflib
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Self

from ignis_server.agents.model import AgentDefinition, DetailLevel
from ignis_server.diagnostics import Diagnostic
from ignis_server.errors import AgentNotFound, AmbiguousAgent, TeamNotFound

__all__ = ["Catalog", "CatalogAgent", "CatalogTeam", "Rendered", "is_pin", "taken_apart"]

MIN_DIGEST_DIGITS = 8
MAX_SUGGESTIONS = 3
MAX_AMBIGUOUS_IDS = 5


@dataclass(frozen=True, slots=True)
class Rendered:
    """The text of an agent at one level of detail, its tokens, and the headings of the sections left out of it."""

    text: str
    tokens: int
    omitted_sections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CatalogAgent:
    """An agent with everything a load could send of it.

    `digest` is that of all three levels of detail, `fingerprint` that of the whole definition.
    """

    definition: AgentDefinition
    digest: str
    fingerprint: str
    card: Rendered
    core: Rendered
    full: Rendered

    @property
    def agent_id(self) -> str:
        """The id, unique in the catalog."""
        return self.definition.agent_id

    def has_digest(self, digits: str) -> bool:
        """Tell whether the digest begins with some digits."""
        return self.digest.removeprefix("sha256:").startswith(digits)

    def at(self, detail: DetailLevel) -> Rendered:
        """Return what is sent at a level of detail."""
        return {DetailLevel.CARD: self.card, DetailLevel.CORE: self.core, DetailLevel.FULL: self.full}[detail]


@dataclass(frozen=True, slots=True)
class CatalogTeam:
    """A team whose members are ids that the catalog holds, in order."""

    team_id: str
    name: str
    description: str
    agent_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Catalog:
    """An immutable snapshot of agents and teams, each ordered by id.

    `revision` is a digest of the whole content: equal content has an equal revision everywhere.
    """

    revision: str
    agents: tuple[CatalogAgent, ...]
    teams: tuple[CatalogTeam, ...]
    diagnostics: tuple[Diagnostic, ...]
    file_count: int
    tokenizer: str
    _places: Mapping[str, int]
    _places_by_name: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(
        cls,
        agents: Iterable[CatalogAgent],
        teams: Iterable[CatalogTeam],
        diagnostics: Iterable[Diagnostic],
        *,
        file_count: int,
        tokenizer: str,
    ) -> Self:
        """Put a catalog together: order it, index it by name, and give it its revision."""
        ordered = tuple(sorted(agents, key=lambda agent: agent.agent_id))
        ordered_teams = tuple(sorted(teams, key=lambda team: team.team_id))
        ordered_diagnostics = tuple(sorted(diagnostics))
        by_name: defaultdict[str, list[int]] = defaultdict(list)
        for place, agent in enumerate(ordered):
            by_name[agent.definition.name.casefold()].append(place)
        return cls(
            revision=_revision(ordered, ordered_teams, ordered_diagnostics, tokenizer),
            agents=ordered,
            teams=ordered_teams,
            diagnostics=ordered_diagnostics,
            file_count=file_count,
            tokenizer=tokenizer,
            _places=MappingProxyType({agent.agent_id: place for place, agent in enumerate(ordered)}),
            _places_by_name=MappingProxyType({name: tuple(places) for name, places in by_name.items()}),
        )

    def place_of(self, reference: str) -> int:
        """Return the place in `agents` of an id or unique name, either with "@" and a digest.

        Raises:
            AgentNotFound: Nothing has this id or name, or not with this digest.
            AmbiguousAgent: Several agents have this name.
        """
        places = self._places_of(reference)
        if not places:
            raise AgentNotFound(reference, self._nearest(taken_apart(reference)[0]))
        if len(places) > 1:
            ids = tuple(self.agents[place].agent_id for place in places)
            raise AmbiguousAgent(reference, ids[:MAX_AMBIGUOUS_IDS], count=len(ids))
        return places[0]

    def has(self, reference: str) -> bool:
        """Tell whether a reference means any agent of this catalog."""
        return bool(self._places_of(reference))

    def has_id(self, agent_id: str) -> bool:
        """Tell whether an agent of this catalog has an id."""
        return agent_id in self._places

    def place_of_id(self, agent_id: str) -> int:
        """Return the place in `agents` of an id that is there."""
        return self._places[agent_id]

    def agent(self, reference: str) -> CatalogAgent:
        """Return the agent of an id or unique name; errors as `place_of`."""
        return self.agents[self.place_of(reference)]

    def team(self, reference: str) -> CatalogTeam:
        """Return the team of an id or unique name.

        Raises:
            TeamNotFound: Nothing has this id or name, or several have this name.
        """
        for team in self.teams:
            if team.team_id == reference:
                return team
        named = [team for team in self.teams if team.name.casefold() == reference.casefold()]
        if len(named) == 1:
            return named[0]
        if named:
            raise TeamNotFound(reference, tuple(team.team_id for team in named[:MAX_SUGGESTIONS]))
        by_label = {label: team.team_id for team in self.teams for label in (team.team_id, team.name)}
        raise TeamNotFound(reference, _look_alikes(reference, by_label))

    def teams_of(self, agent_id: str) -> tuple[str, ...]:
        """Return the ids of the teams that an agent belongs to."""
        return tuple(team.team_id for team in self.teams if agent_id in team.agent_ids)

    def places_named(self, name: str) -> tuple[int, ...]:
        """Return the places of all agents of a name, whatever its case."""
        return self._places_by_name.get(name.casefold(), ())

    def _places_of(self, reference: str) -> tuple[int, ...]:
        places = self._candidates(reference)
        wanted, digest = taken_apart(reference)
        # Only what is no id or name itself is taken apart: "dba@20250101" may well be one.
        if places or not digest:
            return places
        return tuple(place for place in self._candidates(wanted) if self.agents[place].has_digest(digest))

    def _candidates(self, wanted: str) -> tuple[int, ...]:
        place = self._places.get(wanted)
        return (place,) if place is not None else self.places_named(wanted)

    def _nearest(self, wanted: str) -> tuple[str, ...]:
        by_label: dict[str, str] = {}
        for agent in self.agents:
            shown = agent.agent_id if len(self.places_named(agent.definition.name)) > 1 else agent.definition.name
            by_label.setdefault(agent.definition.name, shown)
            by_label.setdefault(agent.agent_id.rpartition("/")[2], agent.agent_id)
            by_label[agent.agent_id] = shown
        return _look_alikes(wanted, by_label)


def taken_apart(reference: str) -> tuple[str, str]:
    """Return the id or name of a reference and the digits of a digest after it; all of it and none where it has none."""
    name, at, digest = reference.rpartition("@")
    digits = digest.removeprefix("sha256:").lower()
    is_digest = at and len(digits) >= MIN_DIGEST_DIGITS and all(digit in "0123456789abcdef" for digit in digits)
    return (name, digits) if is_digest else (reference, "")


def is_pin(reference: str) -> bool:
    """Tell whether a reference names one version of an agent, by a digest after "@"."""
    return bool(taken_apart(reference)[1])


def _look_alikes(wanted: str, shown_by_label: Mapping[str, str]) -> tuple[str, ...]:
    """Return what to suggest for a word that nothing is called by: the closest labels' owners."""
    lowered = {label.casefold(): shown for label, shown in shown_by_label.items()}
    close = difflib.get_close_matches(wanted.casefold(), lowered, n=2 * MAX_SUGGESTIONS, cutoff=0.6)
    return tuple(dict.fromkeys(lowered[label] for label in close))[:MAX_SUGGESTIONS]


def _revision(
    agents: tuple[CatalogAgent, ...],
    teams: tuple[CatalogTeam, ...],
    diagnostics: tuple[Diagnostic, ...],
    tokenizer: str,
) -> str:
    content = [
        tokenizer,
        [(agent.agent_id, agent.fingerprint, agent.digest) for agent in agents],
        [asdict(team) for team in teams],
        [asdict(diagnostic) for diagnostic in diagnostics],
    ]
    packed = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return f"sha256:{hashlib.sha256(packed).hexdigest()}"
