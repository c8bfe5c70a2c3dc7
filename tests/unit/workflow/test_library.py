"""Libraries: many files together, and who their agents are."""

from ignis_server.diagnostics import Severity
from ignis_server.workflow.agent_directory import AmbiguousAgent, KnownAgent, Reference, UnknownAgent
from ignis_server.workflow.definition_codec import decode_definition, definition_digest, encode_definition
from ignis_server.workflow.formats import TextFile
from ignis_server.workflow.library import Library, compile_library
from unit.workflow.formats.test_ignis_yaml import EVERYTHING

OURS = "name: A\nsteps:\n  - id: a\n    agent: {agent}\n"
BMAD = "workflow:\n  sequence:\n    - agent: {agent}\n"


class Directory:
    """Knows pm and two devs, of which one lies with game."""

    def look_up(self, reference: str, *, near: str) -> Reference:
        if reference == "pm":
            return KnownAgent("agents/pm")
        if reference == "dev":
            return KnownAgent("game/dev") if near.startswith("game/") else AmbiguousAgent(("core/dev", "game/dev"))
        return UnknownAgent(("pm",) if reference == "pn" else ())


def library(**files: str) -> Library:
    return compile_library(
        [TextFile(f"{name.replace('__', '/')}.yaml", text.encode()) for name, text in files.items()], Directory()
    )


def test_definitions_are_ordered_and_found_by_id() -> None:
    found = library(b__flow=OURS.format(agent="pm"), a=BMAD.format(agent="pm"))

    assert list(found.definitions) == ["a", "b/flow"]
    assert found.definitions["b/flow"].steps[0].agent == "agents/pm"
    assert found.file_count == 2


def test_a_reference_that_means_nobody_is_an_error_in_our_format() -> None:
    found = library(a=OURS.format(agent="pn"), b=OURS.format(agent="nobody"), c=OURS.format(agent="dev"))

    assert found.definitions == {}
    assert [(each.path, each.line, each.code, each.remedy) for each in found.diagnostics] == [
        ("a.yaml", 4, "unknown-agent", "did you mean pm?"),
        ("b.yaml", 4, "unknown-agent", "add the agent, or name another"),
        ("c.yaml", 4, "ambiguous-agent", "write the id, such as core/dev or game/dev"),
    ]


def test_bmads_agents_that_nobody_knows_are_chosen_by_the_loader() -> None:
    found = library(a=BMAD.format(agent="nobody"), game__b=BMAD.format(agent="dev"))

    assert [(each.path, each.line, each.severity) for each in found.diagnostics] == [("a.yaml", 3, Severity.WARNING)]
    assert (found.definitions["a"].steps[0].agent, found.definitions["a"].steps[0].is_selected) == ("", True)
    assert found.definitions["game/b"].steps[0].agent == "game/dev"


def test_one_bad_file_keeps_no_other_out() -> None:
    found = library(a="steps: [", b=OURS.format(agent="pm"), c="name: A\nsteps:\n  - {id: a, agent: pm, needs: a}\n")

    assert list(found.definitions) == ["b"]
    assert [(each.path, each.code) for each in found.diagnostics] == [("a.yaml", "invalid-yaml"), ("c.yaml", "cycle")]


def test_files_of_other_kinds_are_noted() -> None:
    found = library(team="bundle: {name: A}\n")

    assert [(each.severity, each.code) for each in found.diagnostics] == [(Severity.NOTE, "not-a-workflow")]


def test_two_files_with_one_id_are_told() -> None:
    files = [TextFile(path, OURS.format(agent="pm").encode()) for path in ("a.yaml", "a.yml")]

    found = compile_library(files)

    assert list(found.definitions) == ["a"]
    assert [(each.path, each.code) for each in found.diagnostics] == [("a.yml", "duplicate-definition")]


def test_a_file_of_the_wrong_size_or_encoding_is_told() -> None:
    large, latin = TextFile("a.yaml", b" " * 262_145), TextFile("b.yaml", b"name: A\nsteps: \xe9\n")
    long = TextFile("x" * 1_025, b"")

    found = compile_library([large, latin, long])

    assert [(each.line, each.code) for each in found.diagnostics] == [
        (1, "file-too-large"),
        (2, "not-utf8"),
        (1, "long-id"),
    ]


def test_a_definition_comes_back_from_its_bytes() -> None:
    (definition,) = compile_library([TextFile("a.yaml", EVERYTHING.encode())]).definitions.values()

    assert decode_definition(encode_definition(definition)) == definition
    assert definition_digest(definition).startswith("sha256:")


def test_another_content_has_another_digest() -> None:
    one, other = library(a=OURS.format(agent="pm"), b=OURS.format(agent="pm")).definitions.values()

    assert definition_digest(one) != definition_digest(other)
