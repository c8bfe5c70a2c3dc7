"""Reading directories."""

import os
from pathlib import Path

import pytest

from ignis_server.agents.source import SourceLimits, Sources, read_directories
from ignis_server.diagnostics import Severity
from ignis_server.errors import CatalogUnusable
from support.catalogs import write_files


def paths(sources: Sources) -> list[str]:
    return [file.path for file in sources.files]


def remarks(sources: Sources) -> list[tuple[str, str]]:
    return [(each.path, each.code) for each in sources.diagnostics]


def test_every_file_is_read_in_order(tmp_path: Path) -> None:
    sources = read_directories((write_files(tmp_path, {"b.md": "b", "a/c.md": "c", "a.md": "a"}),))

    assert [(file.path, file.data) for file in sources.files] == [("a.md", b"a"), ("a/c.md", b"c"), ("b.md", b"b")]
    assert sources.diagnostics == ()


def test_with_several_roots_paths_begin_with_the_roots_names(tmp_path: Path) -> None:
    roots = [write_files(tmp_path / root, {"a.md": "a"}) for root in ("one/agents", "two/agents", "three")]

    sources = read_directories(tuple(roots))

    assert paths(sources) == ["agents-2/a.md", "agents/a.md", "three/a.md"]


def test_a_link_inside_of_the_root_is_followed_and_no_file_read_twice(tmp_path: Path) -> None:
    write_files(tmp_path, {"real/a.md": "a"})
    (tmp_path / "link.md").symlink_to(tmp_path / "real" / "a.md")
    (tmp_path / "folder").symlink_to(tmp_path / "real")

    sources = read_directories((tmp_path,))

    assert [file.data for file in sources.files] == [b"a"]
    assert {code for _, code in remarks(sources)} == {"already-read"}


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    write_files(tmp_path, {"a/b/c.md": "c"})
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path / "a")
    (tmp_path / "self").symlink_to(tmp_path / "self")

    sources = read_directories((tmp_path,))

    assert paths(sources) == ["a/b/c.md"]
    assert remarks(sources) == [("a/b/up", "already-read"), ("self", "broken-symlink")]


def test_a_link_that_leaves_the_root_is_refused(tmp_path: Path) -> None:
    write_files(tmp_path, {"outside/secret.md": "s", "root/a.md": "a"})
    (tmp_path / "root" / "secret.md").symlink_to(tmp_path / "outside" / "secret.md")
    (tmp_path / "root" / "folder").symlink_to(tmp_path / "outside")

    sources = read_directories((tmp_path / "root",))

    assert paths(sources) == ["a.md"]
    assert remarks(sources) == [("folder", "symlink-leaves-catalog"), ("secret.md", "symlink-leaves-catalog")]
    assert all(each.severity is Severity.ERROR for each in sources.diagnostics)


def test_a_file_of_ten_megabytes_is_refused_with_its_size_and_the_limit(tmp_path: Path) -> None:
    write_files(tmp_path, {"large.md": b"x" * 10_000_000, "a.md": "a"})

    sources = read_directories((tmp_path,))

    assert paths(sources) == ["a.md"]
    (diagnostic,) = sources.diagnostics
    assert diagnostic.message == "10000000 bytes are more than the 1048576 that an agent's file may have"


@pytest.mark.parametrize("limits", [SourceLimits(max_files=2), SourceLimits(max_total_bytes=2)])
def test_reading_stops_at_the_bounds_of_a_catalog(tmp_path: Path, limits: SourceLimits) -> None:
    write_files(tmp_path, {f"{name}.md": name for name in "abcd"})

    sources = read_directories((tmp_path,), limits)

    assert paths(sources) == ["a.md", "b.md"]
    assert remarks(sources) == [("c.md", "catalog-too-large")]


def test_folders_deeper_than_the_bound_are_not_entered(tmp_path: Path) -> None:
    write_files(tmp_path, {"a/b/c/d.md": "d", "a/e.md": "e"})

    sources = read_directories((tmp_path,), SourceLimits(max_depth=2))

    assert paths(sources) == ["a/e.md"]
    assert remarks(sources) == [("a/b/c", "too-deep")]


def test_tools_folders_are_passed_over_and_agents_folders_are_not(tmp_path: Path) -> None:
    write_files(tmp_path, {".git/a.md": "g", "node_modules/b.md": "n", ".claude/agents/c.md": "c", ".github/d.md": "d"})

    sources = read_directories((tmp_path,))

    assert paths(sources) == [".claude/agents/c.md", ".github/d.md"]
    assert remarks(sources) == [(".git", "folder-skipped"), ("node_modules", "folder-skipped")]


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """Opening a pipe that nobody writes to would wait for ever."""
    os.mkfifo(tmp_path / "pipe.md")

    sources = read_directories((tmp_path,))

    assert sources.files == ()
    assert remarks(sources) == [("pipe.md", "not-a-file")]


def test_a_name_that_is_not_utf8_is_shown_as_far_as_it_is(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.md"))).write_text("a")

    (file,) = read_directories((tmp_path,)).files

    assert file.path == "caf\N{REPLACEMENT CHARACTER}.md"


@pytest.mark.parametrize(
    ("root", "fact"),
    [
        ("nowhere", "there is no such directory"),
        ("file.md", "it is not a directory"),
        ("x" * 300, "it cannot be listed"),
    ],
)
def test_a_root_that_cannot_be_read_is_an_error(tmp_path: Path, root: str, fact: str) -> None:
    write_files(tmp_path, {"file.md": "a"})

    with pytest.raises(CatalogUnusable, match=fact):
        read_directories((tmp_path / root,))


def test_what_lies_in_a_root_is_read_before_what_its_links_lead_to(tmp_path: Path) -> None:
    write_files(tmp_path, {"real/deep/a.md": "a", "another/b.md": "b"})
    (tmp_path / "a-link").symlink_to(tmp_path)
    (tmp_path / "another" / "link").symlink_to(tmp_path / "real")

    sources = read_directories((tmp_path,))

    assert paths(sources) == ["another/b.md", "real/deep/a.md"]
    assert remarks(sources) == [("a-link", "already-read"), ("another/link", "already-read")]


def test_a_name_that_is_too_long_to_look_at_is_diagnosed(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.md": "a"})
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(20):
            os.mkdir("d" * 250, dir_fd=folder)
            below = os.open("d" * 250, os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = below
        sources = read_directories((tmp_path,))
    finally:
        os.close(folder)

    assert paths(sources) == ["a.md"]
    assert [code for _, code in remarks(sources)] == ["unreadable-file"]
