"""A catalog: agents and teams by id and name, with exact token counts and one revision for it all."""

import difflib
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Self, TypeVar

from ignis_server.agents.formats import decode, import_file
from ignis_server.agents.model import AgentDefinition, DetailLevel, Diagnostic, Severity, TeamDefinition
from ignis_server.agents.rendering import render_card, render_full
from ignis_server.agents.source import RawFile, Sources
from ignis_server.agents.tokenizer import Tokenizer
from ignis_server.errors import AgentNotFound, AmbiguousAgent, TeamNotFound

__all__ = ["Catalog", "CatalogAgent", "CatalogTeam", "compile_catalog"]

T = TypeVar("T")

MIN_DIGEST_DIGITS = 8
MAX_SUGGESTIONS = 3
MAX_AMBIGUOUS_IDS = 5


@dataclass(frozen=True, slots=True)
class CatalogAgent:
    """An agent with everything a load could send of it, rendered and counted."""

    definition: AgentDefinition
    digest: str
    card_text: str
    full_text: str
    card_tokens: int
    full_tokens: int

    @property
    def agent_id(self) -> str:
        """The id, unique in the catalog."""
        return self.definition.agent_id

    def text(self, detail: DetailLevel) -> str:
        """Return what is sent at a level of detail."""
        return self.card_text if detail is DetailLevel.CARD else self.full_text

    def tokens(self, detail: DetailLevel) -> int:
        """Return the tokens of `text(detail)`."""
        return self.card_tokens if detail is DetailLevel.CARD else self.full_tokens


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
        wanted, _, digest = reference.rpartition("@") if _ends_in_digest(reference) else (reference, "", "")
        places = self._candidates(wanted)
        if digest:
            wanted_digest = digest.removeprefix("sha256:").lower()
            places = tuple(place for place in places if self._has_digest(place, wanted_digest))
        if not places:
            raise AgentNotFound(reference, self._nearest(wanted))
        if len(places) > 1:
            ids = tuple(self.agents[place].agent_id for place in places)
            raise AmbiguousAgent(reference, ids[:MAX_AMBIGUOUS_IDS], count=len(ids))
        return places[0]

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

    def _candidates(self, wanted: str) -> tuple[int, ...]:
        place = self._places.get(wanted)
        return (place,) if place is not None else self.places_named(wanted)

    def _has_digest(self, place: int, digest: str) -> bool:
        return self.agents[place].digest.removeprefix("sha256:").startswith(digest)

    def _nearest(self, wanted: str) -> tuple[str, ...]:
        by_label: dict[str, str] = {}
        for agent in self.agents:
            shown = agent.agent_id if len(self.places_named(agent.definition.name)) > 1 else agent.definition.name
            by_label.setdefault(agent.definition.name, shown)
            by_label[agent.agent_id] = shown
        return _look_alikes(wanted, by_label)


def _ends_in_digest(reference: str) -> bool:
    digits = reference.rpartition("@")[2].removeprefix("sha256:")
    return (
        "@" in reference
        and len(digits) >= MIN_DIGEST_DIGITS
        and all(digit in "0123456789abcdefABCDEF" for digit in digits)
    )


def _look_alikes(wanted: str, shown_by_label: Mapping[str, str]) -> tuple[str, ...]:
    """Return what to suggest for a word that nothing is called by: the closest labels' owners."""
    lowered = {label.casefold(): shown for label, shown in shown_by_label.items()}
    close = difflib.get_close_matches(wanted.casefold(), lowered, n=2 * MAX_SUGGESTIONS, cutoff=0.6)
    return tuple(dict.fromkeys(lowered[label] for label in close))[:MAX_SUGGESTIONS]


def compile_catalog(sources: Sources, tokenizer: Tokenizer) -> Catalog:
    """Turn files into a catalog: import, make ids unique, resolve teams, render, count.

    Pure but for the tokenizer's threads. Every file gives at least one agent, team or diagnostic.
    """
    collection = _Collection()
    for file in sources.files:
        collection.add(file)
    definitions = collection.unique_definitions()
    teams = collection.resolved_teams(definitions)
    return Catalog.of(
        _counted(definitions, tokenizer),
        teams,
        (*sources.diagnostics, *collection.diagnostics),
        file_count=len(sources.files),
        tokenizer=tokenizer.name,
    )


class _Collection:
    """What the files gave, before ids are unique and teams are resolved."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self._definitions: list[AgentDefinition] = []
        self._teams: list[TeamDefinition] = []

    def add(self, file: RawFile) -> None:
        """Import one file."""
        text, diagnostics = decode(file.path, file.data)
        self.diagnostics += diagnostics
        if text is None:
            return
        imported = import_file(text)
        self._definitions += imported.agents
        self._teams += imported.teams
        self.diagnostics += imported.diagnostics

    def unique_definitions(self) -> list[AgentDefinition]:
        """Return all agents with unique ids; the second of two gets its file's suffix, or a number."""
        definitions = list(
            _with_unique_ids(
                self._definitions,
                lambda definition: definition.agent_id,
                lambda definition, agent_id: replace(definition, agent_id=agent_id),
                lambda definition, agent_id: self._warn_of_id(definition.path, definition.line, agent_id),
            )
        )
        self._warn_of_repeated_names(definitions)
        return definitions

    def resolved_teams(self, definitions: list[AgentDefinition]) -> list[CatalogTeam]:
        """Return all teams with unique ids and with members that exist."""
        teams = _with_unique_ids(
            self._teams,
            lambda team: team.team_id,
            lambda team, team_id: replace(team, team_id=team_id),
            lambda team, team_id: self._warn_of_id(team.path, 1, team_id),
        )
        return [self._resolved(team, definitions) for team in teams]

    def _resolved(self, team: TeamDefinition, definitions: list[AgentDefinition]) -> CatalogTeam:
        pack = _pack_of(team.path)
        beside = [each for each in definitions if _pack_of(each.path) == pack and each.path != team.path]
        # A team means the agents of its own pack, unless only another pack has one of that name.
        by_name = {each.name.casefold(): each.agent_id for each in [*definitions, *beside]}
        agent_ids: set[str] = set()
        for member in team.members:
            if member == "*":
                agent_ids.update(each.agent_id for each in beside)
            elif found := by_name.get(member.casefold()):
                agent_ids.add(found)
            else:
                self._warn_of_member(team, member)
        return CatalogTeam(team.team_id, team.name, team.description, tuple(sorted(agent_ids)))

    def _warn_of_repeated_names(self, definitions: list[AgentDefinition]) -> None:
        first_of_name: dict[str, AgentDefinition] = {}
        for definition in definitions:
            first = first_of_name.setdefault(definition.name.casefold(), definition)
            if first is not definition:
                self.diagnostics.append(
                    Diagnostic(
                        definition.path,
                        definition.line,
                        Severity.WARNING,
                        "duplicate-name",
                        f"the name {definition.name!r} is also that of {first.agent_id}",
                        "rename one of the two, or refer to them by id",
                    )
                )

    def _warn_of_id(self, path: str, line: int, given_id: str) -> None:
        self.diagnostics.append(
            Diagnostic(
                path,
                line,
                Severity.WARNING,
                "duplicate-id",
                f"another file claims the same id; this one is called {given_id}",
                "rename one of the two files",
            )
        )

    def _warn_of_member(self, team: TeamDefinition, member: str) -> None:
        self.diagnostics.append(
            Diagnostic(
                team.path,
                1,
                Severity.WARNING,
                "unknown-team-member",
                f"the team names {member!r}, which no agent of the catalog is called",
                "correct the name, or add the agent's file to the catalog",
            )
        )


def _with_unique_ids(
    items: list[T],
    id_of: Callable[[T], str],
    renamed: Callable[[T, str], T],
    warn: Callable[[T, str], None],
) -> Iterable[T]:
    taken: set[str] = set()
    for item in items:
        wanted = given = id_of(item)
        number = 1
        while given in taken:
            number += 1
            given = f"{wanted}~{number}"
        taken.add(given)
        if given == wanted:
            yield item
        else:
            warn(item, given)
            yield renamed(item, given)


def _pack_of(path: str) -> str:
    """Return the folder above `agents/` or `agent-teams/`, in which a pack keeps both."""
    return path.rpartition("/")[0].rpartition("/")[0]


def _counted(definitions: list[AgentDefinition], tokenizer: Tokenizer) -> Iterable[CatalogAgent]:
    cards = [render_card(definition) for definition in definitions]
    fulls = [render_full(definition) for definition in definitions]
    counts = zip(tokenizer.count(cards), tokenizer.count(fulls), strict=True)
    for definition, card, full, (card_tokens, full_tokens) in zip(definitions, cards, fulls, counts, strict=True):
        digest = hashlib.sha256(f"{card}\0{full}".encode()).hexdigest()
        yield CatalogAgent(definition, f"sha256:{digest}", card, full, card_tokens, full_tokens)


def _revision(
    agents: tuple[CatalogAgent, ...],
    teams: tuple[CatalogTeam, ...],
    diagnostics: tuple[Diagnostic, ...],
    tokenizer: str,
) -> str:
    content = [
        tokenizer,
        [asdict(agent.definition) for agent in agents],
        [asdict(team) for team in teams],
        [asdict(diagnostic) for diagnostic in diagnostics],
    ]
    packed = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return f"sha256:{hashlib.sha256(packed).hexdigest()}"
