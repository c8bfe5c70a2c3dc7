"""Catalogs as people publish them: every file is loaded or diagnosed.

The catalogs are no part of this project. Where IGNIS_CATALOGS names the folder that holds them, the counts below are
asserted; elsewhere conftest.py leaves this file out, and the same cases stand, small, in tests/unit/agents/formats/.
"""

import os
from collections import Counter
from pathlib import Path

import pytest

from ignis_server.agents.catalog import Catalog, compile_catalog
from ignis_server.agents.model import AgentFormat, Severity
from ignis_server.agents.source import read_directories
from support.fakes import WordTokenizer

CATALOGS = Path(os.environ["IGNIS_CATALOGS"])

# Catalog: agents by format, teams, and remarks by severity.
EXPECTED: dict[str, tuple[dict[AgentFormat, int], int, dict[Severity, int]]] = {
    "awesome-copilot": (
        {AgentFormat.COPILOT_AGENT: 224, AgentFormat.AGENT_SKILL: 402},
        0,
        {Severity.NOTE: 2, Severity.WARNING: 3},
    ),
    "bmad-v5": ({AgentFormat.BMAD_AGENT: 18}, 6, {Severity.NOTE: 12, Severity.WARNING: 3}),
    "voltagent-subagents": ({AgentFormat.CLAUDE_SUBAGENT: 158}, 0, {Severity.NOTE: 12, Severity.WARNING: 8}),
    "wshobson-agents": (
        {AgentFormat.CLAUDE_SUBAGENT: 202, AgentFormat.AGENT_SKILL: 181},
        0,
        {Severity.NOTE: 107},
    ),
}


pytestmark = pytest.mark.parametrize("name", EXPECTED)


def compiled(name: str) -> Catalog:
    return compile_catalog(read_directories((CATALOGS / name,)), WordTokenizer())


def test_agents_teams_and_remarks_are_those_expected(name: str) -> None:
    formats, teams, severities = EXPECTED[name]

    catalog = compiled(name)

    assert Counter(agent.definition.format for agent in catalog.agents) == formats
    assert len(catalog.teams) == teams
    assert Counter(diagnostic.severity for diagnostic in catalog.diagnostics) == severities


def test_every_file_is_loaded_or_diagnosed(name: str) -> None:
    files = {path.relative_to(CATALOGS / name).as_posix() for path in (CATALOGS / name).rglob("*") if path.is_file()}

    catalog = compiled(name)

    loaded = {agent.definition.path for agent in catalog.agents}
    teams = {f"{team.team_id}.yaml" for team in catalog.teams}
    diagnosed = {diagnostic.path for diagnostic in catalog.diagnostics}
    assert files - loaded - teams - diagnosed == set()


def test_every_agent_has_a_name_a_description_and_a_body(name: str) -> None:
    catalog = compiled(name)

    lacking = [
        agent.agent_id
        for agent in catalog.agents
        if not (agent.definition.name and agent.definition.description and agent.definition.body)
    ]
    assert lacking == []
