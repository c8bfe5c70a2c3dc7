"""The program, as people and scripts use it."""

import asyncio
import json
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from ignis_client import IgnisClient
from support.catalogs import write_files
from support.collector import free_port
from support.program import run_ignis, serving_ignis

DIRTY = {
    "agents/colon.md": "---\nname: colon\ndescription: Use when: always\n---\nBody.\n",
    "agents/empty.md": "",
    "README.md": "# About\n",
}


async def test_lint_names_each_file_with_line_reason_and_remedy(tmp_path: Path) -> None:
    ended = await run_ignis("catalog", "lint", write_files(tmp_path, DIRTY))

    assert ended.status == 1
    lines = dict(line.split(": ", 1) for line in ended.output.splitlines())
    assert lines.keys() == {"README.md:1", "agents/colon.md:3", "agents/empty.md:1"}
    assert lines["agents/colon.md:3"].startswith("warning: ")
    assert "[invalid-yaml]" in lines["agents/colon.md:3"]
    assert lines["agents/empty.md:1"].startswith("error: ")
    assert "3 files: 1 agents" in ended.complaints


async def test_lint_shows_only_what_is_severe_enough(tmp_path: Path) -> None:
    ended = await run_ignis("catalog", "lint", "--severity", "error", write_files(tmp_path, DIRTY))

    assert [line.partition(":")[0] for line in ended.output.splitlines()] == ["agents/empty.md"]


async def test_lint_of_a_clean_catalog_exits_0(small_catalog: Path) -> None:
    ended = await run_ignis("catalog", "lint", small_catalog)

    assert ended.status == 0


async def test_lint_writes_json_for_machines(tmp_path: Path) -> None:
    ended = await run_ignis("catalog", "lint", "--json", write_files(tmp_path, DIRTY))

    remarks = json.loads(ended.output)
    assert [(each["path"], each["line"], each["severity"]) for each in remarks] == [
        ("README.md", 1, "note"),
        ("agents/colon.md", 3, "warning"),
        ("agents/empty.md", 1, "error"),
    ]


async def test_a_list_that_is_piped_cuts_nothing(tmp_path: Path) -> None:
    folder = "a-folder-whose-name-is-long/" * 6
    agent = f"---\nname: {'tailor-' * 10}\ndescription: Mends.\n---\nMend.\n"

    ended = await run_ignis("catalog", "list", write_files(tmp_path, {f"{folder}tailor.md": agent}))

    assert f"{folder}tailor  {'tailor-' * 10}  " in ended.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["load"], "say what the project needs"),
        (["load", "x", "--json", "--text"], "exclude each other"),
        (["load", "x", "--server", "127.0.0.1:99999"], "'127.0.0.1:99999' is not HOST:PORT"),
        (["demo", "--brief", "/nowhere/brief.md"], "is no file"),
        (["catalog", "lint", "{tmp}"], "it holds no file"),
        (["serve", "--catalog", "{tmp}", "--otlp-endpoint", "http://host:4317/path"], "gRPC has no use for a path"),
    ],
)
async def test_what_cannot_be_done_is_told(tmp_path: Path, arguments: list[str], complaint: str) -> None:
    ended = await run_ignis(*(argument.format(tmp=tmp_path) for argument in arguments), COLUMNS="200")

    assert ended.status == 2
    assert complaint in ended.complaints
    assert "Traceback" not in ended.complaints


async def test_no_server_and_no_such_number_are_told_in_one_line() -> None:
    nobody = await run_ignis("load", "x", "--server", f"127.0.0.1:{free_port()}")
    number = await run_ignis("load", "x", "--budget", str(1 << 63))

    assert (nobody.status, number.status) == (1, 1)
    assert nobody.complaints.startswith("ignis: no server answers: ")
    assert "`ignis serve --catalog DIR` starts one" in nobody.complaints
    assert (
        number.complaints
        == "ignis: budget_tokens: 9223372036854775808 does not fit into 64 bits: at most 9223372036854775807\n"
    )


async def test_the_version_is_told() -> None:
    ended = await run_ignis("--version")

    assert ended.output == f"ignis {version('ignis-agents')}\n"


async def test_list_shows_every_agent_with_its_tokens(small_catalog: Path) -> None:
    ended = await run_ignis("catalog", "list", "--json", small_catalog)

    agents = json.loads(ended.output)
    assert [agent["id"] for agent in agents][:2] == ["backend/postgres-dba", "frontend/nextjs-developer"]
    assert all(agent["full_tokens"] > agent["card_tokens"] > 0 for agent in agents)


async def test_load_asks_a_served_catalog(small_catalog: Path) -> None:
    async with serving_ignis("--catalog", small_catalog) as serving:
        asked = await run_ignis("load", "tune PostgreSQL queries", "--server", serving.address)
        machine = await run_ignis("load", "tune PostgreSQL queries", "--json", IGNIS_SERVER=serving.address)
        text = await run_ignis("load", "tune PostgreSQL queries", "--text", "--server", serving.address)
        ended = await serving.terminate()

    assert "backend/postgres-dba" in asked.output
    assert "PostgreSQL" in asked.output
    loaded = json.loads(machine.output)
    assert {agent["detail"] for agent in loaded["bundle"]["agents"]} == {"full"}
    assert isinstance(loaded["savings"]["load_all"]["baseline_tokens"], int)
    assert "".join(agent["content"] for agent in loaded["bundle"]["agents"]) == text.output
    assert ended.status == 0


async def test_load_says_in_one_line_what_is_wrong(small_catalog: Path) -> None:
    async with serving_ignis("--catalog", small_catalog) as serving:
        ended = await run_ignis("load", "x", "--require", "postgres-dab", "--server", serving.address)

    assert ended.status == 1
    assert ended.complaints == "ignis: the catalog has no agent 'postgres-dab': did you mean postgres-dba?\n"


async def test_health_tells_a_served_port_from_another(small_catalog: Path) -> None:
    async with serving_ignis("--catalog", small_catalog) as serving:
        served = await run_ignis("health", "--server", serving.address)
    other = await run_ignis("health", "--server", f"127.0.0.1:{free_port()}")

    assert (served.status, served.output) == (0, "SERVING\n")
    assert other.status == 1
    assert "does not answer" in other.complaints


async def test_the_caller_of_the_examples_works(small_catalog: Path) -> None:
    caller = Path(__file__).parents[2] / "examples" / "caller.py"
    async with serving_ignis("--catalog", small_catalog) as serving:
        process = await asyncio.create_subprocess_exec(
            sys.executable, caller, "tune PostgreSQL", serving.address, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()

    assert output.decode().startswith("backend/postgres-dba: ")


async def test_settings_come_from_the_environment_too(small_catalog: Path) -> None:
    environment = {"IGNIS_CATALOG_PATHS": str(small_catalog), "IGNIS_DEFAULT_BUDGET_TOKENS": "777"}

    async with serving_ignis(**environment) as serving, IgnisClient(serving.address) as ignis:
        catalog = await ignis.get_catalog()

    assert catalog.default_budget_tokens == 777


async def test_several_catalogs_are_served_together(small_catalog: Path, tmp_path: Path) -> None:
    other = write_files(tmp_path / "other", {"agents/tailor.md": "---\nname: tailor\ndescription: Sews.\n---\nSew.\n"})

    async with (
        serving_ignis("--catalog", small_catalog, "--catalog", other) as serving,
        IgnisClient(serving.address) as ignis,
    ):
        tailor = await ignis.get_agent("tailor")

    assert tailor.summary.id == "other/agents/tailor"


async def test_the_demo_holds_what_it_claims() -> None:
    ended = await run_ignis("demo")

    assert ended.status == 0, ended.output + ended.complaints
    assert "✗" not in ended.output
    assert "3 calls, 3 spans delivered over OTLP, 0 lost" in ended.output


async def test_a_demo_that_cannot_be_shown_says_so_in_one_line() -> None:
    ended = await run_ignis("demo", "--budget", "5")

    assert ended.status == 1
    assert ended.complaints.startswith("ignis: budget_tokens 5 is below the smallest bundle")
    assert ended.complaints.count("\n") == 1


async def test_a_brief_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "brief.md").write_bytes(b"A shop\xff")

    ended = await run_ignis("load", "--file", tmp_path / "brief.md")

    assert ended.status == 2
    assert "byte 6 is 0xff" in " ".join(ended.complaints.split())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--catalog", "{tmp}/nowhere"], "there is no such directory"),
        (["--catalog", "{tmp}/file.md"], "it is not a directory"),
        (["--catalog", "{tmp}/" + "x" * 300], "it cannot be listed (File name too long)"),
        (["--catalog", "{tmp}/empty"], "none of its 0 files holds an agent"),
        ([], "catalog_paths: is empty"),
        (["--catalog", "{tmp}", "--listen", "nonsense"], "listen: 'nonsense' is refused"),
        (["--catalog", "{tmp}", "--listen", "127.0.0.1:99999"], "listen: '127.0.0.1:99999' is refused"),
        (["--catalog", "{tmp}", "--listen", "0.0.0.0:0"], "callers are not authenticated"),
    ],
)
async def test_a_server_that_cannot_start_says_so_in_one_line(
    tmp_path: Path, arguments: list[str], complaint: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.md").write_text("Sews.\n")

    ended = await run_ignis("serve", *(argument.format(tmp=tmp_path) for argument in arguments))

    assert ended.status == 2
    (line,) = [line for line in ended.complaints.splitlines() if not line.startswith("{")]
    assert line.startswith("ignis: ")
    assert complaint in line


async def test_an_address_that_is_taken_is_said_in_one_line(small_catalog: Path) -> None:
    async with serving_ignis("--catalog", small_catalog) as serving:
        ended = await run_ignis("serve", "--catalog", small_catalog, "--listen", serving.address)

    assert ended.status == 2
    (line,) = [line for line in ended.complaints.splitlines() if line.startswith("ignis: ")]
    assert serving.address in line
