"""Compiling a catalog: from files to agents with unique ids, teams that resolve, and exact token counts."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from ignis_server.agents.catalog import Catalog, CatalogAgent, CatalogTeam, Rendered
from ignis_server.agents.formats import decode, import_file
from ignis_server.agents.model import AgentDefinition, Diagnostic, Severity, TeamDefinition
from ignis_server.agents.rendering import render_card, render_core, render_full
from ignis_server.agents.sections import core_of
from ignis_server.agents.source import RawFile, Sources
from ignis_server.agents.tokenizer import Tokenizer

__all__ = ["compile_catalog", "count_agents"]

T = TypeVar("T")


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
        count_agents(definitions, tokenizer),
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


def count_agents(definitions: list[AgentDefinition], tokenizer: Tokenizer) -> Iterable[CatalogAgent]:
    """Render definitions at every level of detail, and count the tokens of each."""
    cores = [core_of(definition.body) for definition in definitions]
    card_texts = [render_card(definition) for definition in definitions]
    core_texts = [render_core(definition, core) for definition, core in zip(definitions, cores, strict=True)]
    full_texts = [render_full(definition) for definition in definitions]
    counted = zip(
        definitions,
        cores,
        zip(card_texts, tokenizer.count(card_texts), strict=True),
        zip(core_texts, tokenizer.count(core_texts), strict=True),
        zip(full_texts, tokenizer.count(full_texts), strict=True),
        strict=True,
    )
    for definition, core, card, (core_text, core_tokens), full in counted:
        digest = hashlib.sha256("\0".join((card[0], core_text, full[0])).encode()).hexdigest()
        yield CatalogAgent(
            definition,
            f"sha256:{digest}",
            card=Rendered(*card),
            core=Rendered(core_text, core_tokens, core.omitted),
            full=Rendered(*full),
        )
