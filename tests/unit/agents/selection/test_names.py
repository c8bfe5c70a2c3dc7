"""Agents called by name."""

from pathlib import Path

import pytest

from ignis_server.agents.selection.names import NameIndex
from support.catalogs import catalog_of


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("ask the postgres-dba about it", ["backend/postgres-dba"]),
        ("ask the Postgres DBA about it", ["backend/postgres-dba"]),
        ("POSTGRES_DBA, then security reviewer", ["backend/postgres-dba", "security/security-reviewer"]),
        ("a haiku would be nice", []),
        ("@haiku would be nice", ["skills/haiku"]),
        ("use `haiku` twice: `haiku`", ["skills/haiku"]),
        ("@haikus are something else", []),
        ("postgres and a dba", []),
        ("written in Postgres. DBA wanted", []),
        ("write to ops@haiku.io", []),
        ("write to @haiku.io", []),
        ("write to @haiku.", ["skills/haiku"]),
        ("postgres " * 20_000, []),
        ("", []),
    ],
)
def test_names_of_several_words_and_marked_names_call_an_agent(tmp_path: Path, text: str, ids: list[str]) -> None:
    catalog = catalog_of(tmp_path)

    mentions = NameIndex.of(catalog).mentions_in(text)

    assert [catalog.agents[place].agent_id for places in mentions for place in places] == ids


def test_a_name_that_repeats_calls_all_who_have_it(tmp_path: Path) -> None:
    agent = "---\nname: master-tailor\ndescription: Mends.\n---\nMend.\n"
    catalog = catalog_of(tmp_path, {"a.md": agent, "b.md": agent})

    assert NameIndex.of(catalog).mentions_in("the master tailor") == ((0, 1),)


def test_of_names_that_begin_alike_the_longest_is_meant(tmp_path: Path) -> None:
    files = {
        f"{stem}.md": f"---\nname: {stem}\ndescription: Tunes.\n---\nTune.\n" for stem in ("pg-tuner", "pg-tuner-two")
    }
    catalog = catalog_of(tmp_path, files)
    names = NameIndex.of(catalog)

    assert names.mentions_in("ask pg-tuner two") == ((catalog.place_of("pg-tuner-two"),),)
    assert names.mentions_in("ask pg-tuner") == ((catalog.place_of("pg-tuner"),),)
