"""Putting a catalog together from its files: ids made unique, teams resolved to agents that are there."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from ignis_server.agents.catalog import Catalog, CatalogAgent, CatalogTeam, Rendered
from ignis_server.agents.compilation import CompiledAgent, CompiledFile, compile_agents, compile_files, digest_of
from ignis_server.agents.model import AgentDefinition, TeamDefinition
from ignis_server.agents.rendering import render_card, render_core, render_full
from ignis_server.agents.source import Sources
from ignis_server.agents.tokenizer import Tokenizer
from ignis_server.diagnostics import Diagnostic, Severity

__all__ = ["Assembly", "assemble", "compile_catalog", "rendered"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Assembly:
    """A catalog, and for each compiled agent, file by file, its place there."""

    catalog: Catalog
    places: tuple[int, ...]


def assemble(files: Sequence[CompiledFile], diagnostics: Iterable[Diagnostic], tokenizer: Tokenizer) -> Assembly:
    """Put files together, in the order of their paths, which decides who keeps an id that two claim.

    Args:
        files: What was compiled.
        diagnostics: What there is to say of files that could not be read.
        tokenizer: Counts once more what a new id changes.
    """
    assembling = _Assembling(tokenizer)
    agents = assembling.unique_agents([agent for file in files for agent in file.agents])
    teams = assembling.resolved_teams(
        [team for file in files for team in file.teams], [agent.definition for agent in agents]
    )
    found = [diagnostic for file in files for diagnostic in file.diagnostics]
    catalog = Catalog.of(
        map(rendered, agents),
        teams,
        (*diagnostics, *found, *assembling.diagnostics),
        file_count=len(files),
        tokenizer=tokenizer.name,
    )
    return Assembly(catalog, tuple(catalog.place_of_id(agent.definition.agent_id) for agent in agents))


def compile_catalog(sources: Sources, tokenizer: Tokenizer) -> Catalog:
    """Compile all files of a catalog, and put them together."""
    return assemble(compile_files(sources.files, tokenizer), sources.diagnostics, tokenizer).catalog


def rendered(agent: CompiledAgent) -> CatalogAgent:
    """Render an agent at every level of detail."""
    card, core, full = (
        render_card(agent.definition),
        render_core(agent.definition, agent.core),
        render_full(agent.definition),
    )
    return CatalogAgent(
        agent.definition,
        digest_of(f"{card}\0{core}\0{full}".encode()),
        agent.fingerprint,
        card=Rendered(card, agent.card_tokens),
        core=Rendered(core, agent.core_tokens, agent.core.omitted),
        full=Rendered(full, agent.full_tokens),
    )


class _Assembling:
    """What there is to say of files together that none of them tells alone."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.diagnostics: list[Diagnostic] = []
        self._tokenizer = tokenizer

    def unique_agents(self, agents: Sequence[CompiledAgent]) -> list[CompiledAgent]:
        """Return all agents with unique ids; the second of two gets a number."""
        unique = list(
            _with_unique_ids(
                agents,
                lambda agent: agent.definition.agent_id,
                self._renamed,
                lambda agent, agent_id: self._warn_of_id(agent.definition.path, agent.definition.line, agent_id),
            )
        )
        self._warn_of_repeated_names([agent.definition for agent in unique])
        return unique

    def _renamed(self, agent: CompiledAgent, agent_id: str) -> CompiledAgent:
        (renamed,) = compile_agents([replace(agent.definition, agent_id=agent_id)], self._tokenizer)
        return renamed

    def resolved_teams(self, teams: Sequence[TeamDefinition], definitions: list[AgentDefinition]) -> list[CatalogTeam]:
        """Return all teams with unique ids and with members that exist."""
        unique = _with_unique_ids(
            teams,
            lambda team: team.team_id,
            lambda team, team_id: replace(team, team_id=team_id),
            lambda team, team_id: self._warn_of_id(team.path, 1, team_id),
        )
        return [self._resolved(team, definitions) for team in unique]

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
    items: Iterable[T],
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
