"""Files as they lie in catalogs: each gives agents, teams or remarks, and never an exception."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignis_server.agents.formats import Imported, TextFile, decode, import_file
from ignis_server.agents.model import AgentDefinition, AgentFormat
from ignis_server.diagnostics import Severity


def imported(path: str, text: str) -> Imported:
    return import_file(TextFile(path, text))


def only_agent(path: str, text: str) -> AgentDefinition:
    (agent,) = imported(path, text).agents
    return agent


def codes(result: Imported) -> list[tuple[int, str, Severity]]:
    return [(each.line, each.code, each.severity) for each in result.diagnostics]


SUBAGENT = """---
name: tailor
description: Mends clothes. Use for torn coats.
tools: Read, Write
model: opus
color: blue
---
# The tailor

Mend from inside.
"""


def test_a_claude_subagent() -> None:
    agent = only_agent("plugins/atelier/agents/the-tailor.md", SUBAGENT)

    assert agent == AgentDefinition(
        agent_id="plugins/atelier/agents/the-tailor",
        name="tailor",
        description="Mends clothes. Use for torn coats.",
        body="# The tailor\n\nMend from inside.",
        format=AgentFormat.CLAUDE_SUBAGENT,
        path="plugins/atelier/agents/the-tailor.md",
        category="atelier",
        title="The tailor",
        tools=("Read", "Write"),
        model="opus",
    )


def test_a_skill_is_known_by_its_folder() -> None:
    agent = only_agent("skills/clothes/sewing/SKILL.md", "---\ndescription: Sews.\nallowed-tools: [Bash]\n---\nSew.\n")

    assert (agent.agent_id, agent.name, agent.category) == ("skills/clothes/sewing", "sewing", "clothes")
    assert agent.format is AgentFormat.AGENT_SKILL
    assert agent.tools == ("Bash",)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("agents/tailor.agent.md", AgentFormat.COPILOT_AGENT),
        ("chatmodes/tailor.chatmode.md", AgentFormat.COPILOT_CHAT_MODE),
    ],
)
def test_copilots_two_suffixes(path: str, kind: AgentFormat) -> None:
    agent = only_agent(path, "---\ndescription: 'Sews'\ntools: ['search', 'edit']\n---\nSew.\n")

    assert (agent.format, agent.name, agent.tools) == (kind, "tailor", ("search", "edit"))


BMAD = """# sm

READ ALL OF THIS.

```yaml
activation-instructions:
  - Greet the user and mention `*help`
  - DO NOT: load other files
agent:
  name: Bob
  id: sm
  title: Scrum Master
  whenToUse: Use for stories, and: retrospectives
commands:
  - help: show commands
```
"""


def test_a_bmad_agent_whose_yaml_is_not_yaml() -> None:
    result = imported("bmad-core/agents/sm.md", BMAD)

    (agent,) = result.agents
    assert (agent.name, agent.title, agent.format) == ("sm", "Scrum Master", AgentFormat.BMAD_AGENT)
    assert agent.description == "Scrum Master: Use for stories, and: retrospectives"
    assert agent.body == BMAD.strip()
    assert codes(result) == [(13, "invalid-yaml", Severity.WARNING)]


def test_a_bmad_agent_whose_yaml_is_yaml() -> None:
    result = imported("bmad-core/agents/sm.md", BMAD.replace("and: retrospectives", "and retrospectives"))

    assert result.agents[0].description == "Scrum Master: Use for stories, and retrospectives"
    assert result.diagnostics == ()


def test_a_bmad_team() -> None:
    result = imported(
        "agent-teams/all.yaml", "bundle:\n  name: All\n  description: Everyone.\nagents:\n  - sm\n  - '*'\n"
    )

    (team,) = result.teams
    assert (team.team_id, team.name, team.description, team.members) == (
        "agent-teams/all",
        "All",
        "Everyone.",
        ("sm", "*"),
    )


@pytest.mark.parametrize("text", ["bundle: All\nagents: [sm]\n", "bundle:\n  name: All\n", "bundle:\n  name: a: b\n"])
def test_a_bmad_team_that_is_none_is_rejected(text: str) -> None:
    result = imported("agent-teams/all.yaml", text)

    assert [each.code for each in result.diagnostics] == ["invalid-team"]
    assert result.teams == ()


CREW = """researcher:
  role: >
    Senior {topic} researcher
  goal: Find what is new
  backstory: You read papers.
  llm: openai/gpt-4o
idler:
  role: Idler
writer:
  role: Writer
  goal: Write it down
"""


def test_every_entry_of_a_crew_is_an_agent_or_a_remark() -> None:
    result = imported("crew/config/agents.yaml", CREW)

    assert [(agent.agent_id, agent.name, agent.line) for agent in result.agents] == [
        ("crew/config/agents#researcher", "researcher", 1),
        ("crew/config/agents#writer", "writer", 9),
    ]
    assert result.agents[0].description == "Senior {topic} researcher: Find what is new"
    assert result.agents[0].body.endswith("## Backstory\n\nYou read papers.")
    assert codes(result) == [(7, "incomplete-agent", Severity.ERROR)]


CARD = {
    "name": "Currency agent",
    "description": "Converts currencies.",
    "version": "1.0.0",
    "skills": [
        {
            "id": "convert",
            "name": "Convert",
            "description": "At today's rate.",
            "tags": ["money"],
            "examples": ["5 EUR?"],
        },
        {"id": "history", "name": "History", "description": "Past rates.", "tags": ["money", "charts"]},
    ],
}


def test_an_a2a_card_is_rendered_with_its_skills() -> None:
    agent = only_agent("remote/.well-known/agent-card.json", json.dumps(CARD))

    assert (agent.name, agent.description, agent.tags) == (
        "Currency agent",
        "Converts currencies.",
        ("money", "charts"),
    )
    assert agent.examples == ("5 EUR?",)
    assert agent.category == "remote"
    assert "## Convert\n\nAt today's rate.\n\n- 5 EUR?\n\n## History" in agent.body


@pytest.mark.parametrize(
    ("text", "line"),
    [("{", 1), ('{\n "name": "x",\n}', 3), ("[]", 1), ('{"name": 7}', 1), ('{"name": "x"}', 1), ("[" * 100_000, 1)],
)
def test_a_card_that_is_none_is_rejected(text: str, line: int) -> None:
    assert codes(imported("agent-card.json", text)) == [(line, "invalid-card", Severity.ERROR)]


def test_plain_markdown_is_called_by_its_file_and_described_by_its_first_paragraph() -> None:
    agent = only_agent("agents/tailor.md", "# The tailor\n\nMends clothes\nby hand.\n\n- coats\n")

    assert (agent.name, agent.title, agent.description) == ("tailor", "The tailor", "Mends clothes by hand.")
    assert agent.format is AgentFormat.PLAIN_MARKDOWN


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("README.md", "not-an-agent"),
        ("docs/CONTRIBUTING.md", "not-an-agent"),
        ("LICENSE", "not-an-agent"),
        ("CLAUDE.md", "not-an-agent"),
        ("AGENTS.md", "not-an-agent"),
        ("plugins/x/commands/ship.md", "not-an-agent"),
        ("prompts/x.prompt.md", "not-an-agent"),
        ("x.instructions.md", "not-an-agent"),
        ("workflows/release.yaml", "not-an-agent"),
        ("skills/sewing/references/stitches.md", "not-an-agent"),
        ("skills/sewing/notes.md", "not-an-agent"),
        ("main.py", "unknown-format"),
        ("data.csv", "unknown-format"),
    ],
)
def test_what_is_no_agent_gets_a_note(path: str, code: str) -> None:
    assert codes(imported(path, SUBAGENT)) == [(1, code, Severity.NOTE)]


def test_missing_name_and_description_are_made_up_for_with_warnings() -> None:
    result = imported("agents/tailor.md", "---\nmodel: opus\n---\n# Tailor\n\nMends clothes.\n")

    assert (result.agents[0].name, result.agents[0].description) == ("tailor", "Mends clothes.")
    assert [code for _, code, _ in codes(result)] == ["missing-name", "missing-description"]


def test_an_agent_without_a_body_is_loaded_with_a_warning() -> None:
    result = imported("agents/tailor.md", "---\nname: tailor\ndescription: Mends.\n---\n")

    assert [code for _, code, _ in codes(result)] == ["missing-body"]
    assert result.agents[0].description == "Mends."


def test_an_agent_without_anything_is_rejected() -> None:
    assert codes(imported("agents/tailor.md", "---\nname: tailor\n---\n \n")) == [(1, "empty-agent", Severity.ERROR)]


def test_long_names_and_descriptions_are_cut_with_a_warning() -> None:
    result = imported("agents/tailor.md", f"---\nname: {'n' * 200}\ndescription: {'d' * 9_000}\n---\nSew.\n")

    assert (len(result.agents[0].name), len(result.agents[0].description)) == (128, 8_192)
    assert [code for _, code, _ in codes(result)] == ["long-name", "long-description"]


PATHS = st.sampled_from(
    [
        "a.md",
        "SKILL.md",
        "x/agents/a.md",
        "a.agent.md",
        "agents.yaml",
        "t.yaml",
        "agent-card.json",
        "a.chatmode.md",
        "x",
    ]
)
PIECES = st.sampled_from(
    ["---\n", "name: x\n", "description: a: b\n", "```yaml\n", "agent:\n", "  id: x\n", "```\n", "bundle:\n", "\t", "&a *a",
     "<example>", 'user: "', "{", "[", "# H\n", "- ", "\u2028", "\x85", "\\n", "|\n", "'", '"', ": ", "\n"]
)  # fmt: skip


@given(
    PATHS,
    st.one_of(st.binary(max_size=300), st.lists(PIECES, max_size=30).map(lambda pieces: "".join(pieces).encode())),
)
def test_no_file_raises_and_every_file_gives_something(path: str, data: bytes) -> None:
    file, diagnostics = decode(path, data)

    result = Imported(diagnostics=diagnostics) if file is None else import_file(file)

    assert result.agents or result.teams or result.diagnostics
