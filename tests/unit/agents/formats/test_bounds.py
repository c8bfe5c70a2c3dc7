"""What no agent may be, whatever its format; and files made to hurt who reads them."""

import json

import pytest

from ignis_server.agents.formats import Imported, TextFile, import_file
from ignis_server.agents.sections import core_of
from ignis_server.agents.selection.sentences import passages_of
from ignis_server.agents.tokenizer import TiktokenTokenizer

MEBIBYTE = 1 << 20


def imported(path: str, text: str) -> Imported:
    return import_file(TextFile(path, text))


def codes(result: Imported) -> list[str]:
    return [each.code for each in result.diagnostics]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("x.agent-card.json", json.dumps({"name": "n" * 200, "description": "d" * 9_000})),
        ("agents.yaml", f"{'n' * 200}:\n  role: r\n  goal: {'d' * 9_000}\n"),
        ("a.md", f"```yaml\nagent:\n  id: {'n' * 200}\n  title: t\n  whenToUse: {'d' * 9_000}\n```\n"),
    ],
)
def test_names_and_descriptions_are_cut_in_every_format(path: str, text: str) -> None:
    result = imported(path, text)

    assert (len(result.agents[0].name), len(result.agents[0].description)) == (128, 8_192)
    assert codes(result) == ["long-name", "long-description"]


def test_no_more_than_sixteen_examples_are_kept_and_each_is_cut() -> None:
    dialogues = "".join(f'<example>user: "mend {number} {"x" * 600}"</example>' for number in range(50))

    (agent,) = imported("agents/a.md", f"---\nname: a\ndescription: Mends. {dialogues}\n---\nMend.\n").agents

    assert len(agent.examples) == 16
    assert {len(example) for example in agent.examples} == {500}


def test_half_a_character_is_rejected_with_its_line() -> None:
    result = imported("x.agent-card.json", '{"name": "\\ud800x", "description": "y z"}')

    assert result.agents == ()
    assert codes(result) == ["invalid-text"]


def test_an_id_that_nobody_could_ask_for_is_rejected() -> None:
    result = imported("agents.yaml", f"{'k' * 1_020}:\n  role: r\n  goal: g\nshort:\n  role: r\n  goal: g\n")

    assert [agent.name for agent in result.agents] == ["short"]
    assert codes(result) == ["long-id"]


def test_blanks_that_would_end_the_tokenizer_are_rejected(tokenizer: TiktokenTokenizer) -> None:
    """Tiktoken ends with a stack overflow on a mebibyte of spaces; 10,000 it counts."""
    rejected = imported("agents/a.md", f"---\nname: a\ndescription: b\n---\nMend.{' ' * 10_001}x\n")
    (kept,) = imported("agents/a.md", f"---\nname: a\ndescription: b\n---\nMend.{' ' * 10_000}x\n").agents

    assert rejected.agents == ()
    assert codes(rejected) == ["too-many-blanks"]
    assert tokenizer.count([kept.body])[0] > 0


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("agents/a.md", f'---\nname: a\ndescription: "<example>user: hi</example>{" " * 9_000}x"\n---\nMend.\n'),
        ("agents/a.md", f"---\nname: a\ndescription: b\n---\n# a{' ' * 9_000}b\n" + f"# c{' ' * 9_000}d\n" * 100),
        ("agents/a.md", "---\nname: a\ndescription: b\n---\n" + "```yaml\n" * (MEBIBYTE // 8)),
        ("agents/a.md", "---\nname: a\ndescription: b\n---\n" + "~" * MEBIBYTE),
        ("agents/a.md", "---\nname: a\ndescription: b\n---\n" + "~~~~\n````\n" * (MEBIBYTE // 10)),
        ("agents/a.md", "---\nname: a\ndescription: " + '<example>user: "' * 60_000 + "\n---\nMend.\n"),
        ("agents.yaml", "".join(f"k{number}: {{}}\n" for number in range(90_000))),
    ],
    ids=["lead-in", "headings", "blocks", "tildes", "fences", "quotes", "entries"],
)
def test_files_made_to_hurt_are_read_in_linear_time(path: str, text: str) -> None:
    """With a pattern that backtracks this test would take hours."""
    result = imported(path, text[:MEBIBYTE])

    for agent in result.agents:
        assert core_of(agent.body).text
        assert len(passages_of(agent)) <= 32


def test_a_file_without_entries_is_named() -> None:
    assert codes(imported("agents.yaml", "{}")) == ["empty-file"]
