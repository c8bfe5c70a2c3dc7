"""Catalogs as people publish them: every file is loaded or diagnosed.

The catalogs are no part of this project. Where IGNIS_CATALOGS names the folder that holds them, the counts below are
asserted; elsewhere conftest.py leaves this file out, and the same cases stand, small, in tests/unit/agents/formats/.
"""

import os
from collections import Counter
from pathlib import Path

import pytest

from ignis_server.agents.assembly import compile_catalog
from ignis_server.agents.canonical import LoadRequest
from ignis_server.agents.catalog import Catalog
from ignis_server.agents.loader import AgentLoader
from ignis_server.agents.model import AgentFormat, Project
from ignis_server.agents.selection.embedding import StaticEmbedder
from ignis_server.agents.selection.hybrid import HybridSelector
from ignis_server.agents.snapshot import compile_snapshot
from ignis_server.agents.source import Sources, read_directories
from ignis_server.agents.tokenizer import TiktokenTokenizer
from ignis_server.diagnostics import Severity
from ignis_server.signals import NoSignals
from support.fakes import HandClock, WordTokenizer
from support.recount import recount

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


each_catalog = pytest.mark.parametrize("name", EXPECTED)


def compiled(name: str) -> Catalog:
    return compile_catalog(read_directories((CATALOGS / name,)), WordTokenizer())


@each_catalog
def test_agents_teams_and_remarks_are_those_expected(name: str) -> None:
    formats, teams, severities = EXPECTED[name]

    catalog = compiled(name)

    assert Counter(agent.definition.format for agent in catalog.agents) == formats
    assert len(catalog.teams) == teams
    assert Counter(diagnostic.severity for diagnostic in catalog.diagnostics) == severities


@each_catalog
def test_every_file_is_loaded_or_diagnosed(name: str) -> None:
    files = {path.relative_to(CATALOGS / name).as_posix() for path in (CATALOGS / name).rglob("*") if path.is_file()}

    catalog = compiled(name)

    loaded = {agent.definition.path for agent in catalog.agents}
    teams = {f"{team.team_id}.yaml" for team in catalog.teams}
    diagnosed = {diagnostic.path for diagnostic in catalog.diagnostics}
    assert files - loaded - teams - diagnosed == set()


@each_catalog
def test_every_agent_has_a_name_a_description_and_a_body(name: str) -> None:
    catalog = compiled(name)

    lacking = [
        agent.agent_id
        for agent in catalog.agents
        if not (agent.definition.name and agent.definition.description and agent.definition.body)
    ]
    assert lacking == []


# What an expert would want at hand for the brief below; several would do for each.
WANTED = {
    "Next.js storefront": {"frontend-developer"},
    "Stripe payments": {"payment-integration"},
    "PostgreSQL": {"database-admin", "database-architect", "database-optimizer", "sql-pro"},
    "deployed to Kubernetes": {"kubernetes-architect"},
    "needs security review": {"security-auditor", "code-reviewer"},
}


def test_the_202_subagents_give_a_set_that_an_expert_would_nod_at(
    tokenizer: TiktokenTokenizer, embedder: StaticEmbedder
) -> None:
    sources = read_directories((CATALOGS / "wshobson-agents",))
    subagents = Sources(tuple(file for file in sources.files if "/agents/" in file.path), ())
    snapshot = compile_snapshot(
        subagents,
        tokenizer=tokenizer,
        selector=HybridSelector(embedder),
        clock=HandClock(),
    )
    brief = "Next.js storefront with Stripe payments on PostgreSQL, deployed to Kubernetes; needs security review"

    loader = AgentLoader(clock=HandClock(), signals=NoSignals())
    loaded = loader.load(LoadRequest.of(Project(brief=brief), 12_000), snapshot)

    answered = {need.text: {agent_id.rpartition("/")[2] for agent_id in need.agent_ids} for need in loaded.needs}
    assert len(snapshot.catalog.agents) == 202
    assert answered.keys() == WANTED.keys()
    assert [need for need, wanted in WANTED.items() if not wanted & answered[need]] == []
    assert loaded.bundle.tokens <= 12_000
    assert loaded.bundle.tokens == recount("".join(agent.content for agent in loaded.bundle.agents))
    assert loaded.savings.load_all.saved_ratio > 0.9
