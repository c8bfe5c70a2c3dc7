"""Reading workflow files from disk."""

import os
from pathlib import Path

import pytest

from ignis_server.errors import WorkflowsUnusable
from ignis_server.workflow import source
from ignis_server.workflow.source import read_paths
from support.catalogs import write_files


def test_a_directory_gives_its_yaml_files_in_order(tmp_path: Path) -> None:
    write_files(tmp_path, {"b.yml": "b", "a/c.YAML": "c", "a/README.md": "no", ".bmad-core/d.yaml": "d"})

    read = read_paths([tmp_path])

    assert [(file.path, file.data) for file in read.files] == [
        (".bmad-core/d.yaml", b"d"),
        ("a/c.YAML", b"c"),
        ("b.yml", b"b"),
    ]
    assert read.diagnostics == ()


def test_a_file_is_called_by_its_name_whatever_that_is(tmp_path: Path) -> None:
    write_files(tmp_path, {"deep/flow.txt": "x"})

    assert [file.path for file in read_paths([tmp_path / "deep" / "flow.txt"]).files] == ["flow.txt"]


def test_several_paths_never_share_an_id(tmp_path: Path) -> None:
    write_files(tmp_path, {"one/flows/a.yaml": "", "two/flows/a.yaml": "", "a.yaml": "", "two/a.yaml": ""})

    read = read_paths([tmp_path / "one/flows", tmp_path / "two/flows", tmp_path / "a.yaml", tmp_path / "two/a.yaml"])

    assert [file.path for file in read.files] == ["a-2.yaml", "a.yaml", "flows-2/a.yaml", "flows/a.yaml"]


def test_foreign_folders_and_links_are_not_entered_and_told(tmp_path: Path) -> None:
    outside = write_files(tmp_path / "outside", {"x.yaml": "x"})
    inside = write_files(tmp_path / "inside", {"node_modules/a.yaml": "", ".git/b.yaml": "", "c.yaml": "c"})
    (inside / "folder").symlink_to(outside)
    (inside / "far.yaml").symlink_to(outside / "x.yaml")
    (inside / "near.yaml").symlink_to(inside / "c.yaml")

    read = read_paths([inside])

    assert [file.path for file in read.files] == ["c.yaml", "near.yaml"]
    assert [(each.path, each.code) for each in read.diagnostics] == [
        (".git", "folder-skipped"),
        ("far.yaml", "symlink-leaves-directory"),
        ("folder", "symlink-skipped"),
        ("node_modules", "folder-skipped"),
    ]


def test_no_more_of_a_file_is_read_than_tells_that_it_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "large.yaml").write_bytes(b" " * 1_000_000)

    (file,) = read_paths([tmp_path]).files

    assert len(file.data) == 262_145


def test_there_is_a_bound_on_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_FILES", 2)
    write_files(tmp_path, {f"{number}.yaml": "" for number in range(5)})

    read = read_paths([tmp_path])

    assert len(read.files) == 2
    assert [(each.path, each.code) for each in read.diagnostics] == [("2.yaml", "too-many-files")]


def test_a_path_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(WorkflowsUnusable, match="there is no such file or directory"):
        read_paths([tmp_path / "nowhere"])


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "broken.yaml").symlink_to(tmp_path / "nowhere")

    read = read_paths([tmp_path])

    assert read.files == ()
    assert [(each.path, each.code) for each in read.diagnostics] == [
        ("broken.yaml", "not-a-file"),
        ("pipe.yaml", "not-a-file"),
    ]


def test_what_lies_too_deep_or_has_too_long_a_name_is_told(tmp_path: Path) -> None:
    write_files(tmp_path, {"/".join(["d"] * 32) + "/a.yaml": "", "/".join(["d"] * 33) + "/b.yaml": ""})
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(20):
            os.mkdir("n" * 250, dir_fd=folder)
            below = os.open("n" * 250, os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = below
        read = read_paths([tmp_path])
    finally:
        os.close(folder)

    assert [file.path for file in read.files] == ["/".join(["d"] * 32) + "/a.yaml"]
    assert [each.code for each in read.diagnostics] == ["too-deep", "unreadable-file"]
