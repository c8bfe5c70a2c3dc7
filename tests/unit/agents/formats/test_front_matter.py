"""Front matter, proper and not."""

import pytest

from ignis_server.agents.formats import TextFile
from ignis_server.agents.formats.front_matter import FrontMatter, read_front_matter


def read(text: str) -> FrontMatter:
    return read_front_matter(TextFile("a.md", text))


def remarks(front: FrontMatter) -> list[tuple[int, str]]:
    return [(each.line, each.code) for each in front.diagnostics]


def test_proper_front_matter_is_read_without_a_remark() -> None:
    front = read("---\nname: tailor\ntools: [Read, Write]\n---\nSew.\n")

    assert front == FrontMatter({"name": "tailor", "tools": ["Read", "Write"]}, "Sew.\n", 5)


def test_a_file_without_front_matter_is_all_body() -> None:
    assert read("Sew.\n---\nOn.\n") == FrontMatter({}, "Sew.\n---\nOn.\n", 1)


@pytest.mark.parametrize(
    ("value", "text"),
    [("yes", "yes"), ("1.10", "1.10"), ("2026-11-23", "2026-11-23"), ("~", ""), ("null", ""), ("'null'", "null")],
)
def test_values_are_kept_as_they_are_written(value: str, text: str) -> None:
    assert read(f"---\nversion: {value}\n---\n").text("version") == text


def test_an_unquoted_colon_is_read_and_remarked_on_at_its_line() -> None:
    front = read("---\nname: tailor\ndescription: Use when: cloth is torn. Not: for shoes\nmodel: opus\n---\nSew.\n")

    assert front.fields == {
        "name": "tailor",
        "description": "Use when: cloth is torn. Not: for shoes",
        "model": "opus",
    }
    assert remarks(front) == [(3, "invalid-yaml")]


def test_a_dialogue_with_escaped_line_breaks_is_read() -> None:
    front = read('---\nname: tailor\ndescription: Sews.\\n\\n<example>user: "mend: this"</example>\n---\n')

    assert front.text("description") == 'Sews.\\n\\n<example>user: "mend: this"</example>'


def test_continued_lines_blocks_and_lists_survive_broken_yaml() -> None:
    front = read(
        "---\ndescription: Use when: torn\n  and when worn\nnotes: |\n  one\n  two\nfolded: >-\n  three\n  four\n"
        "tools:\n  - Read\n  - 'Write'\n---\n"
    )

    assert front.fields == {
        "description": "Use when: torn and when worn",
        "notes": "one\ntwo",
        "folded": "three four",
        "tools": ["Read", "Write"],
    }


@pytest.mark.parametrize(
    "head", ["name: 'tailor\nmodel: opus", "name: tailor\n\tmodel: opus", "name: [tailor\nmodel: opus", "name: @tailor"]
)
def test_quotes_tabs_and_brackets_out_of_place_are_survived(head: str) -> None:
    front = read(f"---\n{head}\n---\nSew.\n")

    assert front.text("name").strip("'[").startswith(("tailor", "@tailor"))
    assert front.body == "Sew.\n"
    assert [code for _, code in remarks(front)] == ["invalid-yaml"]


def test_of_a_repeated_key_the_last_value_holds_with_a_remark() -> None:
    front = read("---\nname: one\nname: two\n---\n")

    assert front.text("name") == "two"
    assert remarks(front) == [(3, "duplicate-key")]


def test_a_repeated_key_in_broken_yaml_is_remarked_on_too() -> None:
    front = read("---\nname: one: x\nname: two\n---\n")

    assert front.text("name") == "two"
    assert (3, "duplicate-key") in remarks(front)


def test_front_matter_without_an_end_gives_its_first_lines() -> None:
    front = read("---\nname: tailor\nmodel: opus\n# Tailor\n\nSew.\n")

    assert front.fields == {"name": "tailor", "model": "opus"}
    assert front.body == "# Tailor\n\nSew.\n"
    assert remarks(front) == [(1, "unterminated-front-matter")]


def test_front_matter_that_is_a_list_is_remarked_on() -> None:
    assert remarks(read("---\n- a\n- b\n---\nSew.\n")) == [(2, "invalid-yaml")]


def test_an_alias_bomb_is_not_expanded() -> None:
    bomb = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 'x'}]" for n in range(40))

    front = read(f"---\nname: tailor\n{bomb}\n---\nSew.\n")

    assert front.text("name") == "tailor"
    assert [code for _, code in remarks(front)] == ["invalid-yaml"]


def test_deep_nesting_is_survived() -> None:
    front = read(f"---\nname: tailor\ndeep: {'[' * 50_000}\n---\nSew.\n")

    assert front.text("name") == "tailor"
    assert front.body == "Sew.\n"


def test_a_text_is_split_at_commas_where_a_list_is_wanted() -> None:
    assert read("---\ntools: Read, 'Write' ,, Bash\n---\n").texts("tools") == ("Read", "Write", "Bash")
