"""`ignis workflow`, as people and scripts use it."""

import json
from pathlib import Path

import pytest

from support.catalogs import write_files
from support.program import run_ignis

EXAMPLES = Path(__file__).parents[2] / "examples"

DIRTY = {
    "flows/broken.yaml": "name: A\nsteps:\n  - id: a\n    agent: x\n    needs: [a]\n",
    "flows/bmad.yaml": "workflow:\n  sequence:\n    - agent: various\n      action: go\n",
    "team.yaml": "bundle:\n  name: Team\n",
    "good.yaml": "name: Good\ninputs: {wish: text}\nsteps:\n  - {id: a, agent: postgres-dba}\n",
}


async def test_lint_names_each_mistake_with_line_reason_and_remedy(tmp_path: Path) -> None:
    ended = await run_ignis("workflow", "lint", write_files(tmp_path, DIRTY))

    assert ended.status == 1
    lines = [line.split(": ", 1) for line in ended.output.splitlines()]
    assert [place for place, _ in lines] == ["flows/bmad.yaml:3", "flows/broken.yaml:5", "team.yaml:1"]
    assert lines[1][1] == (
        'error: steps[0].needs: "a" needs "a": none of them can begin [cycle]; remove one of these needs'
    )
    assert "4 files: 2 workflows with 2 steps; 1 errors, 0 warnings, 2 notes" in ended.complaints


async def test_lint_shows_only_what_is_severe_enough(tmp_path: Path) -> None:
    ended = await run_ignis("workflow", "lint", "--severity", "error", write_files(tmp_path, DIRTY))

    assert [line.partition(":")[0] for line in ended.output.splitlines()] == ["flows/broken.yaml"]


async def test_lint_writes_json_for_machines(tmp_path: Path) -> None:
    ended = await run_ignis("workflow", "lint", "--json", write_files(tmp_path, DIRTY))

    remarks = json.loads(ended.output)
    assert [(each["path"], each["line"], each["severity"], each["code"]) for each in remarks] == [
        ("flows/bmad.yaml", 3, "note", "agent-selected"),
        ("flows/broken.yaml", 5, "error", "cycle"),
        ("team.yaml", 1, "note", "not-a-workflow"),
    ]


async def test_the_examples_are_clean_and_their_agents_are_those_of_the_sample_catalog() -> None:
    ended = await run_ignis("workflow", "lint", EXAMPLES / "workflows", "--catalog", EXAMPLES / "catalog")

    assert (ended.status, ended.output) == (0, "")
    assert "3 workflows" in ended.complaints


async def test_agents_are_checked_by_a_catalog(tmp_path: Path, small_catalog: Path) -> None:
    text = "name: A\nsteps:\n  - {id: a, agent: postgres-dab}\n  - {id: b, agent: pm, needs: a}\n"

    ended = await run_ignis(
        "workflow", "lint", write_files(tmp_path, {"a.yaml": text}) / "a.yaml", "--catalog", small_catalog
    )

    assert ended.status == 1
    assert ended.output == (
        'a.yaml:3: error: steps[0].agent: no agent has the id or name "postgres-dab" [unknown-agent]; '
        "did you mean postgres-dba?\n"
    )


async def test_of_agents_with_one_name_the_nearest_is_meant(tmp_path: Path) -> None:
    agent = "# dev\n\n```yaml\nagent:\n  id: dev\n  title: Developer\n```\n"
    flow = "workflow:\n  sequence:\n    - agent: dev\n"
    files = {"one/agents/dev.md": agent, "two/agents/dev.md": agent, "two/workflows/a.yaml": flow, "b.yaml": flow}

    ended = await run_ignis("workflow", "list", "--json", write_files(tmp_path, files), "--catalog", tmp_path)

    steps = {each["id"]: each["steps"][0]["agent"] for each in json.loads(ended.output)}
    assert steps == {"b": "", "two/workflows/a": "two/agents/dev"}


async def test_list_shows_workflows_with_inputs_and_steps(tmp_path: Path) -> None:
    folder = write_files(tmp_path, DIRTY)

    people = await run_ignis("workflow", "list", folder)
    machines = await run_ignis("workflow", "list", "--json", folder)

    assert [line.split() for line in people.output.splitlines()] == [
        ["id", "name", "format", "inputs", "steps"],
        ["flows/bmad", "bmad", "bmad", "1"],
        ["good", "Good", "ignis", "wish", "1"],
    ]
    bmad, good = json.loads(machines.output)
    assert (bmad["id"], good["digest"][:7], good["inputs"][0]["required"]) == ("flows/bmad", "sha256:", True)


async def test_the_schema_is_printed() -> None:
    ended = await run_ignis("workflow", "schema")

    assert json.loads(ended.output)["title"] == "An ignis workflow"


@pytest.mark.parametrize(
    ("files", "path", "complaint"),
    [
        ({}, "nowhere", "there is no such file or directory"),
        ({"README.md": "x"}, ".", "none of its 0 YAML files is a workflow"),
        ({"team.yaml": "bundle: {name: A}"}, "team.yaml", "none of its 1 YAML files is a workflow"),
    ],
)
async def test_a_path_without_workflows_is_told_in_one_line(
    tmp_path: Path, files: dict[str, str], path: str, complaint: str
) -> None:
    ended = await run_ignis("workflow", "lint", write_files(tmp_path, files) / path)

    assert ended.status == 2
    assert ended.complaints.startswith("ignis: workflows ")
    assert complaint in ended.complaints
    assert ended.complaints.count("\n") == 1
