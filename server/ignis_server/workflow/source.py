"""Reading workflow files from paths, within bounds and never outside of them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ignis_server.diagnostics import Diagnostic, Severity
from ignis_server.errors import WorkflowsUnusable
from ignis_server.workflow.formats import TextFile
from ignis_server.workflow.limits import MAX_FILE_BYTES, MAX_FILES, MAX_FOLDER_DEPTH

__all__ = ["Sources", "read_paths"]

SUFFIXES = (".yaml", ".yml")
# Hidden folders in which workflows are kept by convention; other hidden folders hold tools' affairs.
WORKFLOW_FOLDERS = frozenset({".bmad-core", ".ignis"})
FOREIGN_FOLDERS = frozenset({"node_modules", "__pycache__", "venv", "site-packages"})


@dataclass(frozen=True, slots=True)
class Sources:
    """The files, ordered by path, and what could not be read."""

    files: tuple[TextFile, ...]
    diagnostics: tuple[Diagnostic, ...]


def read_paths(paths: Sequence[Path]) -> Sources:
    """Read files, and the YAML files below directories; 2,000 at most, of which each is read up to its bound.

    With one path, names are relative to it. With several, each begins with its path's name, made unique by a number
    where two share one, so that ids never collide. Symbolic links to directories are not followed, and those to files only
    within their directory.

    Raises:
        WorkflowsUnusable: A path is missing, or may not be read.
    """
    walk = _Walk()
    for path, label in zip(paths, _labels(paths), strict=True):
        walk.read(path, label)
    return Sources(tuple(sorted(walk.files, key=lambda file: file.path)), tuple(walk.diagnostics))


def _labels(paths: Sequence[Path]) -> list[str]:
    if len(paths) == 1:
        return [""]
    labels: list[str] = []
    for path in paths:
        name = path.resolve().stem if path.is_file() else path.resolve().name
        label, number = name, 1
        while label in labels:
            number += 1
            label = f"{name}-{number}"
        labels.append(label)
    return labels


class _Walk:
    """One pass over paths, which keeps count of what it has read."""

    def __init__(self) -> None:
        self.files: list[TextFile] = []
        self.diagnostics: list[Diagnostic] = []
        self._is_full = False

    def read(self, path: Path, label: str) -> None:
        """Read a file, or what lies below a directory."""
        try:
            if path.is_dir():
                self._read_folder(path.resolve(), path.resolve(), f"{label}/" if label else "")
            else:
                self.files.append(_file(path, f"{label}{path.suffix}" if label else path.name))
        except FileNotFoundError as error:
            raise WorkflowsUnusable(path, "there is no such file or directory", "give one that is there") from error
        except OSError as error:
            fact = f"it cannot be read ({error.strerror})"
            raise WorkflowsUnusable(path, fact, "let the server's user read it") from error

    def _read_folder(self, root: Path, folder: Path, prefix: str, *, depth: int = 0) -> None:
        for name in sorted(os.listdir(folder)):  # noqa: PTH208 - only the names, and sorted
            entry, path = folder / name, prefix + os.fsencode(name).decode(errors="replace")
            try:
                if not entry.is_dir():
                    self._read_file(root, entry, path)
                elif self._may_enter(entry, path, depth=depth + 1):
                    self._read_folder(root, entry, f"{path}/", depth=depth + 1)
            except OSError as error:
                fact = f"it cannot be read ({error.strerror})"
                self._say(path, Severity.ERROR, "unreadable-file", fact, "mend its permissions, or move it")

    def _may_enter(self, folder: Path, path: str, *, depth: int) -> bool:
        name = folder.name
        if folder.is_symlink():
            fact = "the symbolic link to a directory is not followed"
            self._say(path, Severity.NOTE, "symlink-skipped", fact, "give the directory that it leads to")
            return False
        if name in FOREIGN_FOLDERS or (name.startswith(".") and name not in WORKFLOW_FOLDERS):
            fact = f"folders named {name} hold no workflows"
            self._say(path, Severity.NOTE, "folder-skipped", fact, "move workflows elsewhere")
            return False
        if depth > MAX_FOLDER_DEPTH:
            fact = f"it lies deeper than {MAX_FOLDER_DEPTH} folders"
            self._say(path, Severity.ERROR, "too-deep", fact, "move its files further up")
            return False
        return True

    def _read_file(self, root: Path, file: Path, path: str) -> None:
        if self._is_full or not path.lower().endswith(SUFFIXES):
            return
        if len(self.files) >= MAX_FILES:
            self._is_full = True
            fact = f"from here on nothing was read: there may be {MAX_FILES} files"
            self._say(path, Severity.ERROR, "too-many-files", fact, "give only the directories that hold workflows")
        elif not file.is_file():
            fact = "it is a symbolic link that leads nowhere, or no file at all"
            self._say(path, Severity.ERROR, "not-a-file", fact, "remove it")
        elif not file.resolve().is_relative_to(root):
            fact = "the symbolic link leads out of the directory"
            self._say(path, Severity.ERROR, "symlink-leaves-directory", fact, "copy the file here")
        else:
            self.files.append(_file(file, path))

    def _say(self, path: str, severity: Severity, code: str, fact: str, remedy: str) -> None:
        self.diagnostics.append(Diagnostic(path, 1, severity, code, fact, remedy))


def _file(file: Path, path: str) -> TextFile:
    """Read a file, up to one byte beyond what it may have, by which it is known to be too large."""
    with file.open("rb") as stream:
        return TextFile(path, stream.read(MAX_FILE_BYTES + 1))
