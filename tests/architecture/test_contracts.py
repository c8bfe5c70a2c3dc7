"""The architecture, stated in .importlinter and in the protos, and held by their own tools."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of the development environment in the project's root."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"} | environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )


def test_imports_point_inwards() -> None:
    result = run(BIN / "lint-imports", "--no-cache")

    assert result.returncode == 0, result.stdout


def test_protos_are_clean() -> None:
    result = run(BIN / "buf", "lint")

    assert result.returncode == 0, result.stdout


def test_protos_break_nothing_that_was_released() -> None:
    result = run(BIN / "buf", "breaking", "--against", "protos/released.binpb")

    assert result.returncode == 0, result.stdout


def test_committed_stubs_are_those_that_the_protos_give(tmp_path: Path) -> None:
    result = run("make", "--no-print-directory", "stubs", f"OUT={tmp_path}", f"PYTHON={sys.executable}")

    assert result.returncode == 0, result.stderr
    generated = {path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*.py*")}
    committed_root = ROOT / "client"
    committed = {
        path.relative_to(committed_root): path.read_text()
        for path in (committed_root / "ignis").rglob("*.py*")
        if "__pycache__" not in path.parts and path.name != "py.typed"
    }
    assert generated.keys() == committed.keys()
    assert [str(path) for path in generated if generated[path] != committed[path]] == []


def test_the_published_schema_of_workflows_is_the_one_that_they_are_read_by() -> None:
    result = run(BIN / "ignis", "workflow", "schema")

    assert result.stdout == (ROOT / "docs" / "workflow.schema.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(("module", "readers"), [("os.environ", ["settings.py"]), ("os.getenv", [])])
def test_the_environment_is_read_in_one_place(module: str, readers: list[str]) -> None:
    found = [path.name for path in (ROOT / "server").rglob("*.py") if module in path.read_text(encoding="utf-8")]

    assert found == readers
