"""Compiling catalogs, and finding things in them."""

from pathlib import Path

import pytest

from ignis_server.agents.catalog import Catalog
from ignis_server.errors import AgentNotFound, AmbiguousAgent, TeamNotFound
from support.catalogs import FILES, catalog_of


def agent(name: str, description: str = "Mends.") -> str:
    return f"---\nname: {name}\ndescription: {description}\n---\nMend.\n"


def codes(catalog: Catalog) -> list[tuple[str, str]]:
    return [(each.path, each.code) for each in catalog.diagnostics]


def test_agents_are_ordered_by_id_and_counted(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path)

    ids = [each.agent_id for each in catalog.agents]
    assert ids == sorted(ids)
    assert all(each.full.tokens == len(each.full.text.split()) for each in catalog.agents)
    assert all(each.card.tokens == len(each.card.text.split()) for each in catalog.agents)


def test_equal_content_has_an_equal_revision_wherever_it_lies(tmp_path: Path) -> None:
    one = catalog_of(tmp_path / "one")
    other = catalog_of(tmp_path / "other", dict(reversed(list(FILES.items()))))

    assert one.revision == other.revision
    assert [each.digest for each in one.agents] == [each.digest for each in other.agents]


@pytest.mark.parametrize("old", ["Read the plan", "name: haiku", "model: sonnet", "- postgres-dba"])
def test_any_change_changes_the_revision(tmp_path: Path, old: str) -> None:
    before = catalog_of(tmp_path / "before")

    after = catalog_of(tmp_path / "after", {path: text.replace(old, f"{old}x") for path, text in FILES.items()})

    assert after.revision != before.revision


def test_a_change_of_text_changes_that_agents_digest_only(tmp_path: Path) -> None:
    before = catalog_of(tmp_path / "before")
    after = catalog_of(tmp_path / "after", {path: text.replace("one turn", "no turn") for path, text in FILES.items()})

    changed = [a.agent_id for a, b in zip(before.agents, after.agents, strict=True) if a.digest != b.digest]

    assert changed == ["skills/haiku"]


def test_of_two_files_with_one_id_both_are_loaded_and_the_second_is_renamed(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, {"a.agent.md": agent("one"), "a.md": agent("two")})

    assert [(each.agent_id, each.definition.name) for each in catalog.agents] == [("a", "one"), ("a~2", "two")]
    assert codes(catalog) == [("a.md", "duplicate-id")]


def test_a_name_that_repeats_is_remarked_on_and_ambiguous(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, {"x/a.md": agent("tailor"), "y/b.md": agent("Tailor")})

    assert codes(catalog) == [("y/b.md", "duplicate-name")]
    with pytest.raises(AmbiguousAgent) as caught:
        catalog.agent("tailor")
    assert (caught.value.agent_ids, caught.value.count) == (("x/a", "y/b"), 2)


def test_an_ambiguous_name_with_a_digest_is_not(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, {"x/a.md": agent("tailor"), "y/b.md": agent("tailor", "Sews.")})
    wanted = catalog.agents[1]

    assert catalog.agent(f"tailor@{wanted.digest}") is wanted
    assert catalog.agent(f"tailor@{wanted.digest.removeprefix('sha256:')[:8].upper()}") is wanted


def test_an_at_sign_in_a_name_is_no_digest(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, {"a.md": agent("'tailor@home'")})

    assert catalog.agent("tailor@home").agent_id == "a"


@pytest.mark.parametrize(
    ("wanted", "nearest"),
    [
        ("postgress-dba", "postgres-dba"),
        ("backend/postgres-dab", "postgres-dba"),
        ("Kubernetes-Operators", "kubernetes-operator"),
    ],
)
def test_what_is_not_there_gets_the_nearest_names(tmp_path: Path, wanted: str, nearest: str) -> None:
    with pytest.raises(AgentNotFound) as caught:
        catalog_of(tmp_path).agent(wanted)

    assert caught.value.nearest[0] == nearest


def test_nothing_near_is_said_with_advice(tmp_path: Path) -> None:
    with pytest.raises(AgentNotFound, match="ListAgents has them all"):
        catalog_of(tmp_path).agent("zzz")


def test_a_team_means_the_agents_of_its_own_pack_first(tmp_path: Path) -> None:
    team = "bundle:\n  name: {0}\nagents:\n  - tailor\n  - weaver\n"
    catalog = catalog_of(
        tmp_path,
        {
            "one/agents/tailor.md": agent("tailor"),
            "two/agents/tailor.md": agent("tailor"),
            "one/agents/weaver.md": agent("weaver"),
            "one/agent-teams/t.yaml": team.format("One"),
            "two/agent-teams/t.yaml": team.format("Two"),
        },
    )

    assert catalog.team("One").agent_ids == ("one/agents/tailor", "one/agents/weaver")
    assert catalog.team("two").agent_ids == ("one/agents/weaver", "two/agents/tailor")
    assert catalog.teams_of("one/agents/weaver") == ("one/agent-teams/t", "two/agent-teams/t")


def test_a_star_stands_for_everybody_of_the_pack(tmp_path: Path) -> None:
    catalog = catalog_of(
        tmp_path,
        {
            "one/agents/a.md": agent("a"),
            "one/agents/b.md": agent("b"),
            "two/agents/c.md": agent("c"),
            "one/agent-teams/all.yaml": "bundle:\n  name: All\nagents: ['*']\n",
        },
    )

    assert catalog.team("All").agent_ids == ("one/agents/a", "one/agents/b")


def test_a_member_that_nobody_is_gets_a_remark(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, {"agents/a.md": agent("a"), "t.yaml": "bundle:\n  name: T\nagents: [a, ghost]\n"})

    assert codes(catalog) == [("t.yaml", "unknown-team-member")]
    assert catalog.team("T").agent_ids == ("agents/a",)


def test_a_team_that_is_not_there_gets_the_nearest_ids(tmp_path: Path) -> None:
    with pytest.raises(TeamNotFound) as caught:
        catalog_of(tmp_path).team("Dou")

    assert caught.value.nearest == ("pack/agent-teams/duo",)


def test_an_id_that_ends_as_a_reference_with_a_digest_does_is_found(tmp_path: Path) -> None:
    files = {
        "dba@20250101.md": agent("dba@20250101"),
        "dba.md": agent("dba"),
        "teams/t.yaml": "bundle:\n  name: T\nagents:\n  - dba@20250101\n",
    }
    catalog = catalog_of(tmp_path, files)

    assert catalog.agent("dba@20250101").agent_id == "dba@20250101"
    assert [catalog.place_of(each) for each in catalog.team("T").agent_ids] == [catalog.place_of("dba@20250101")]
