"""`ignis run`, `ignis runs` and `ignis worker`, as people and scripts use them."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.catalogs import write_files
from support.collector import free_port
from support.openai_server import Chat, openai_server
from support.program import Running, Serving, run_ignis, serving_ignis, starting_ignis
from support.terminal import at_terminal

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTES = EXAMPLES / "workflows" / "release-notes.yaml"
LAUNCH = EXAMPLES / "workflows" / "launch.yaml"

GATED = """\
name: Gated
inputs: {wish: text, size: {type: number, default: 1}}
steps:
  - {id: plan, executor: echo, outputs: [stories], approval: true}
  - id: colour
    needs: plan
    ask: {prompt: Which colour?, choices: [red, blue], timeout: 7d, default: blue}
  - {id: build, needs: colour, executor: echo}
"""
BROKEN = """\
name: Broken
steps:
  - {id: plan, executor: echo, outputs: [stories]}
  - {id: build, needs: plan, executor: echo, for_each: steps.plan.output.stories}
"""


@pytest.fixture
def workflows(tmp_path: Path) -> Path:
    return write_files(tmp_path / "workflows", {"gated.yaml": GATED, "broken.yaml": BROKEN})


@asynccontextmanager
async def serving(catalog: Path, workflows: Path, folder: Path) -> AsyncIterator[Serving]:
    environment = {"IGNIS_DATABASE_URL": f"sqlite:///{folder / 'runs.db'}"}
    async with serving_ignis("--catalog", catalog, "--workflows", workflows, **environment) as server:
        yield server


async def test_a_file_runs_to_its_end_without_a_server() -> None:
    ended = await run_ignis("run", NOTES, "--input", "repository=https://git.example.org/shop")

    assert (ended.status, ended.complaints) == (0, "")
    lines = ended.output.splitlines()
    assert "of release-notes is submitted: 0 of 4 steps ended" in lines[0]
    assert sum(" step correct: completed" in line for line in lines) == 1
    assert lines[-2].endswith("run: working -> completed")
    assert "is completed: 4 of 4 steps ended" in lines[-1]


async def test_yes_approves_whatever_abilities_the_steps_ask_for() -> None:
    ended = await run_ignis(
        "run",
        LAUNCH,
        "--yes",
        "--input",
        "product=Shop",
        "--input",
        'recipients=["a@example.org"]',
        "--brief",
        "@" + str(EXAMPLES / "briefs" / "storefront.md"),
    )

    assert ended.status == 0, ended.complaints
    assert "input write.approval.1: approved" in ended.output
    assert "step announce: completed" in ended.output


async def test_yes_answers_a_question_by_its_default(workflows: Path, small_catalog: Path) -> None:
    ended = await run_ignis("run", workflows / "gated.yaml", "--catalog", small_catalog, "--input", "wish=x", "--yes")

    assert ended.status == 0, ended.complaints
    assert ": answered: blue\n" in ended.output


async def test_answers_given_beforehand_are_given_in_their_order(workflows: Path, small_catalog: Path) -> None:
    ended = await run_ignis(
        "run",
        workflows / "gated.yaml",
        *("--catalog", small_catalog, "--input", "wish=x"),
        *("--answer", "plan=reject: more stories", "--answer", "plan=approve", "--answer", "colour=red"),
    )

    assert ended.status == 0, ended.complaints
    assert ": rejected: more stories\n" in ended.output
    assert "step plan: completed, attempt 2" in ended.output
    assert ": answered: red\n" in ended.output


async def test_where_nobody_can_answer_the_run_of_a_file_is_canceled(workflows: Path, small_catalog: Path) -> None:
    ended = await run_ignis("run", workflows / "gated.yaml", "--catalog", small_catalog, "--input", "wish=x")

    assert ended.status == 1
    assert "nobody is here to answer: say --yes, or --answer plan=ANSWER" in ended.complaints
    assert "of gated is canceled" in ended.complaints


async def test_a_run_that_fails_exits_1_and_says_why(workflows: Path, small_catalog: Path) -> None:
    ended = await run_ignis("run", workflows / "broken.yaml", "--catalog", small_catalog)

    assert ended.status == 1
    assert "is failed: 2 of 2 steps ended" in ended.complaints
    assert "step build: expression: `for_each` gives a text" in ended.complaints
    assert "Traceback" not in ended.complaints


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["{folder}/gated.yaml"], "the workflow gated needs more: --input wish=TEXT"),
        (["{folder}/gated.yaml", "--input", "hope=x"], "has no such input; it takes wish, size"),
        (["{folder}/gated.yaml", "--input", "wish=x", "--answer", "plan=perhaps"], "is not approve, reject or fail"),
        (["{folder}/gated.yaml", "--label", "x"], "--label 'x' is not name=value"),
        (["{folder}/gated.yaml", "--brief", "@{folder}/brief.md"], "brief.md is no file"),
        (["{folder}/gated.yaml", "--no-watch"], "--no-watch is for servers"),
        (["{folder}/gated.yaml", "--catalog", "{folder}/nowhere"], "there is no such directory"),
        (["{folder}/nowhere.yaml"], "nowhere.yaml is no file"),
        (["gated", "--catalog", "{folder}"], "--catalog is for a file"),
        (["gated", "--no-watch", "--yes"], "--worker, --yes and --answer need --watch"),
        (["gated", "--server", "127.0.0.1"], "is not HOST:PORT"),
        (["{folder}"], "holds several workflows: say {folder}#broken, or {folder}#gated"),
        (["{folder}#wrong"], "holds no workflow 'wrong': say {folder}#broken, or {folder}#gated"),
        (["{folder}/empty.yaml", "--catalog", "{catalog}"], "it holds no workflow that can be started"),
    ],
)
async def test_what_cannot_be_run_as_told_exits_2(
    workflows: Path, small_catalog: Path, arguments: list[str], complaint: str
) -> None:
    (workflows / "empty.yaml").write_text("bundle: {name: A}\n")

    ended = await run_ignis(
        "run", *(each.format(folder=workflows, catalog=small_catalog) for each in arguments), COLUMNS="400"
    )

    assert ended.status == 2
    assert complaint.format(folder=workflows) in ended.complaints
    assert "Traceback" not in ended.complaints


async def test_a_server_that_is_away_or_has_no_such_workflow_is_told_in_one_line(
    small_catalog: Path, workflows: Path, tmp_path: Path
) -> None:
    nobody = await run_ignis("run", "gated", "--server", f"127.0.0.1:{free_port()}")
    async with serving(small_catalog, workflows, tmp_path) as server:
        unknown = await run_ignis("run", "gatde", "--server", server.address)

    assert (nobody.status, unknown.status) == (1, 1)
    assert nobody.complaints.startswith("ignis: no server answers: ")
    assert unknown.complaints.startswith("ignis: ")
    assert "gated" in unknown.complaints
    assert unknown.complaints.count("\n") == 1


async def test_a_run_at_a_server_is_begun_listed_answered_and_shown(
    small_catalog: Path, workflows: Path, tmp_path: Path
) -> None:
    async with serving(small_catalog, workflows, tmp_path) as server, working(server) as worker:
        at = ("--server", server.address)
        begun = await run_ignis("run", "Gated", "--input", "wish=x", "--label", "team=shop", *at)
        run_id = begun.output.strip()
        watching = asyncio.create_task(run_ignis("runs", "watch", run_id, *at))
        await until_it_asks(run_id, server, "plan.approval.1")
        listed = await run_ignis("runs", "--state", "input-required", "--label", "team=shop", *at)
        approved = await run_ignis("runs", "approve", run_id, "plan.approval.1", "--comment", "fine", *at)
        question = await until_it_asks(run_id, server, r"colour\S*")
        wrong = await run_ignis("runs", "answer", run_id, question, "green", *at)
        answered = await run_ignis("runs", "answer", run_id, question, "1", *at)
        watched = await watching
        shown = await run_ignis("runs", "show", run_id, *at)
        worker.process.send_signal(signal.SIGINT)
        worked = await worker.ended()

    assert (begun.status, approved.status, answered.status) == (0, 0, 0)
    assert run_id in listed.output
    assert "team=shop" in listed.output
    assert (wrong.status, "'green' is none of red, blue" in wrong.complaints) == (2, True)
    assert watched.status == 0
    assert f"`ignis runs approve {run_id} plan.approval.1 --server {server.address}`" in watched.complaints
    assert 'colour.answer = "red"' in shown.output
    assert worked.status == 0
    assert [line.split(" ")[1] for line in worked.output.splitlines() if run_id in line] == ["plan", "build"]


async def test_a_run_is_canceled_once_and_rejected_for_good(
    small_catalog: Path, workflows: Path, tmp_path: Path
) -> None:
    async with serving(small_catalog, workflows, tmp_path) as server, working(server):
        at = ("--server", server.address)
        first = (await run_ignis("run", "gated", "--input", "wish=x", *at)).output.strip()
        second = (await run_ignis("run", "gated", "--input", "wish=x", *at)).output.strip()
        canceled = await run_ignis("runs", "cancel", first, "--reason", "enough", *at)
        again = await run_ignis("runs", "--server", server.address, "cancel", first)
        await until_it_asks(second, server, "plan.approval.1")
        rejected = await run_ignis("runs", "reject", second, "plan.approval.1", "--fail", *at)
        watched = await run_ignis("runs", "watch", second, *at)
        unknown = await run_ignis("runs", "show", "nonsense", *at)

    assert (canceled.status, again.status, rejected.status, watched.status, unknown.status) == (0, 0, 0, 1, 1)
    assert "is canceled" in canceled.output
    assert "is canceled" in again.output
    assert "is failed" in watched.complaints
    assert unknown.complaints.count("\n") == 1


async def test_a_server_without_runs_says_how_to_begin_one(
    small_catalog: Path, workflows: Path, tmp_path: Path
) -> None:
    async with serving(small_catalog, workflows, tmp_path) as server:
        ended = await run_ignis("runs", IGNIS_SERVER=server.address)

    assert (ended.status, ended.output) == (0, "")
    assert "`ignis run WORKFLOW` begins one" in ended.complaints


async def test_ctrl_c_cancels_the_run_of_a_file(workflows: Path, small_catalog: Path) -> None:
    arguments = ("run", workflows / "gated.yaml", "--catalog", small_catalog, "--input", "wish=x", "--worker", "none")
    async with starting_ignis(*arguments) as program:
        await program.line_with("is submitted")
        program.process.send_signal(signal.SIGINT)
        ended = await program.ended()

    assert ended.status == 1
    assert "run: submitted -> canceled" in ended.output
    assert "Traceback" not in ended.complaints


async def test_a_worker_without_a_server_says_so() -> None:
    ended = await run_ignis("worker", "echo", "--server", f"127.0.0.1:{free_port()}")

    assert ended.status == 1
    assert ended.complaints.startswith("ignis: no server answers: no connection to 127.0.0.1:")


async def test_a_model_does_the_steps_with_the_key_that_is_named(
    small_catalog: Path, workflows: Path, tmp_path: Path
) -> None:
    async with serving(small_catalog, workflows, tmp_path) as server, openai_server() as endpoint:
        endpoint.script(Chat(("All ", "done."), usage={"prompt_tokens": 30, "completion_tokens": 4}))
        arguments = ("--base-url", endpoint.base_url, "--model", "small", "--api-key-env", "MY_KEY")
        async with starting_ignis(
            *("worker", "openai", "--capability", "echo", "--server", server.address, *arguments), MY_KEY="secret"
        ) as worker:
            begun = await run_ignis("run", "gated", "--input", "wish=x", "--server", server.address)
            line = await worker.line_with(begun.output.strip())

    assert endpoint.asked[0].headers["authorization"] == "Bearer secret"
    assert " plan attempt 1: done, stories, 34 tokens, " in line


async def test_a_model_that_is_nowhere_is_refused() -> None:
    ended = await run_ignis("worker", "openai", "--base-url", "localhost", "--model", "x")

    assert ended.status == 2
    assert "'localhost' is no URL" in ended.complaints


async def test_a_terminal_has_a_live_view_and_is_asked(workflows: Path, small_catalog: Path) -> None:
    said = [("fail[: comment] > ", "perhaps\n"), ("'perhaps' is not", "approve: fine\n"), ("or the words > ", "1\n")]

    shown, status = await asyncio.to_thread(
        at_terminal, ("run", workflows / "gated.yaml", "--catalog", small_catalog, "--input", "wish=x"), said
    )

    assert status == 0, shown
    assert "step colour asks: Which colour? (red, blue)" in shown
    last = shown.rpartition("gated  ")[2]
    assert re.search(r"✓ completed  .*  3/3 steps", last)
    assert "    build" in last


async def test_ctrl_c_while_a_terminal_is_asked_cancels(workflows: Path, small_catalog: Path) -> None:
    shown, status = await asyncio.to_thread(
        at_terminal,
        ("run", workflows / "gated.yaml", "--catalog", small_catalog, "--input", "wish=x"),
        [("fail[: comment] > ", "\x03")],
    )

    assert status == 1, shown
    assert "of gated is canceled" in shown


async def test_ctrl_c_at_a_server_asks_before_it_cancels(small_catalog: Path, workflows: Path, tmp_path: Path) -> None:
    async with serving(small_catalog, workflows, tmp_path) as server:
        arguments = ("run", "gated", "--input", "wish=x", "--server", server.address)
        left, left_status = await asyncio.to_thread(
            at_terminal, arguments, [("○ submitted", "\x03"), ("Cancel the run? [y/N]", "n\n")]
        )
        hurried, hurried_status = await asyncio.to_thread(
            at_terminal, arguments, [("○ submitted", "\x03"), ("Cancel the run? [y/N]", "\x03")]
        )
        canceled, canceled_status = await asyncio.to_thread(
            at_terminal, arguments, [("○ submitted", "\x03"), ("Cancel the run? [y/N]", "y\n")]
        )

    assert (left_status, hurried_status, canceled_status) == (0, 0, 1)
    assert "the run goes on: `ignis runs watch " in left
    assert "the run goes on: `ignis runs watch " in hurried
    assert "of gated is canceled" in canceled


@asynccontextmanager
async def working(server: Serving) -> AsyncIterator[Running]:
    async with starting_ignis("worker", "echo", "--server", server.address) as worker:
        await worker.line_with("offers echo")
        yield worker


async def until_it_asks(run_id: str, server: Serving, pattern: str) -> str:
    """Return the id of what a run asks, which it comes to by itself."""
    async with asyncio.timeout(30):
        while True:
            shown = await run_ignis("runs", "show", run_id, "--server", server.address)
            if found := re.search(rf"^input ({pattern}): ", shown.output, re.MULTILINE):
                return found[1]
