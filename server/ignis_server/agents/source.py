"""Reading a catalog's files from directories, within bounds and never outside of their roots."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from ignis_server.diagnostics import Diagnostic, Severity
from ignis_server.errors import CatalogUnusable

__all__ = ["RawFile", "SourceLimits", "Sources", "read_directories"]

# Hidden folders in which agents are kept by convention; other hidden folders hold tools' affairs.
AGENT_FOLDERS = frozenset({".claude", ".github", ".cursor", ".agents", ".copilot", ".well-known", ".bmad-core"})
FOREIGN_FOLDERS = frozenset({"node_modules", "__pycache__", "venv", "site-packages"})


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """Bounds on what is read; what lies beyond is diagnosed and left unread.

    A file of 1 MiB is some 250,000 tokens, more than most models take at all. The totals keep a
    wrongly chosen directory (a home, a monorepo) from eating the machine: 256 MiB is a hundred
    times the largest public catalog.
    """

    max_file_bytes: int = 1 << 20
    max_total_bytes: int = 256 << 20
    max_files: int = 20_000
    max_depth: int = 32


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file as it lies on disk: `path` as the catalog names it, with forward slashes."""

    path: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Sources:
    """All files of a catalog, ordered by path, what could not be read of it, and the directories that were read."""

    files: tuple[RawFile, ...]
    diagnostics: tuple[Diagnostic, ...]
    roots: tuple[Path, ...] = ()

    def digest(self) -> bytes:
        """Return 16 bytes that change with whatever was read, or could not be."""
        digest = hashlib.blake2b(repr(self.diagnostics).encode(), digest_size=16)
        for file in self.files:
            digest.update(f"{file.path}\0{len(file.data)}\0".encode())
            digest.update(file.data)
        return digest.digest()


def read_directories(roots: tuple[Path, ...], limits: SourceLimits | None = None) -> Sources:
    """Read every file below the roots.

    With one root, paths are relative to it. With several, each path begins with its root's name,
    made unique by a number where two roots share one, so that ids never collide. Symbolic links are
    followed inside of their root only, and no file is read twice.

    Raises:
        CatalogUnusable: A root is missing, is no directory, or may not be listed.
    """
    walk = _Walk(limits or SourceLimits())
    labels = _labels(roots)
    for root, label in zip(roots, labels, strict=True):
        _check_root(root)
        walk.read(root.resolve(), label)
    files = sorted(walk.files, key=lambda file: file.path)
    return Sources(files=tuple(files), diagnostics=tuple(walk.diagnostics), roots=roots)


def _labels(roots: tuple[Path, ...]) -> list[str]:
    if len(roots) == 1:
        return [""]
    labels: list[str] = []
    for root in roots:
        name = root.resolve().name or "root"
        label, number = f"{name}/", 1
        while label in labels:
            number += 1
            label = f"{name}-{number}/"
        labels.append(label)
    return labels


def _check_root(root: Path) -> None:
    try:
        with os.scandir(root) as entries:
            next(entries, None)
    except FileNotFoundError as error:
        raise CatalogUnusable(
            root, "there is no such directory", "give the path of one that holds agent files"
        ) from error
    except NotADirectoryError as error:
        raise CatalogUnusable(root, "it is not a directory", "give the directory that the file lies in") from error
    except OSError as error:
        raise CatalogUnusable(
            root, f"it cannot be listed ({error.strerror})", "let the server's user read it"
        ) from error


class _Walk:
    """One pass over directory trees, which keeps count of what it has read."""

    def __init__(self, limits: SourceLimits) -> None:
        self.files: list[RawFile] = []
        self.diagnostics: list[Diagnostic] = []
        self._limits = limits
        self._total_bytes = 0
        self._seen: dict[tuple[int, int], str] = {}
        self._is_full = False
        self._links: list[tuple[Path, str, int]] = []

    def read(self, root: Path, label: str) -> None:
        """Read the tree below a resolved root: what lies in it first, then what its symbolic links lead to."""
        self._is_new(root, label or ".")
        self._read_folder(root, label, depth=0)
        # More links may be found on the way; none leads to a folder twice.
        for link, path, depth in self._links:
            if self._stays_inside(root, link, path):
                self._visit(link, path, depth=depth)
        self._links.clear()

    def _read_folder(self, folder: Path, prefix: str, *, depth: int) -> None:
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208 - only the names, and sorted
        except OSError as error:
            self._error(prefix, "unreadable-directory", f"cannot be listed ({error.strerror})", "mend its permissions")
            return
        for name in names:
            self._visit(folder / name, prefix + _printable(name), depth=depth + 1, defer_links=True)

    def _visit(self, entry: Path, path: str, *, depth: int, defer_links: bool = False) -> None:
        if self._is_full:
            return
        try:
            if defer_links and entry.is_symlink():
                self._links.append((entry, path, depth))
            elif not entry.is_dir():
                self._read_file(entry, path)
            elif self._may_enter(entry, path, depth=depth):
                self._read_folder(entry, f"{path}/", depth=depth)
        except OSError as error:
            self._error(path, "unreadable-file", f"cannot be read ({error.strerror})", "mend its permissions")

    def _stays_inside(self, root: Path, link: Path, path: str) -> bool:
        try:
            target = link.resolve(strict=True)
        except (OSError, RuntimeError):
            self._error(path, "broken-symlink", "the symbolic link leads nowhere, or in a circle", "remove it")
            return False
        if target.is_relative_to(root):
            return True
        self._error(
            path,
            "symlink-leaves-catalog",
            "the symbolic link leads out of the catalog's directory",
            "copy the file here, or serve its directory as another catalog root",
        )
        return False

    def _may_enter(self, folder: Path, path: str, *, depth: int) -> bool:
        name = folder.name
        if name in FOREIGN_FOLDERS or (name.startswith(".") and name not in AGENT_FOLDERS):
            self._note(path, "folder-skipped", f"folders named {name} hold no agents", "move agents elsewhere")
            return False
        if depth > self._limits.max_depth:
            self._error(path, "too-deep", f"deeper than {self._limits.max_depth} folders", "move its files further up")
            return False
        return self._is_new(folder, path)

    def _read_file(self, file: Path, path: str) -> None:
        limits = self._limits
        size = file.stat().st_size
        if not file.is_file():
            self._note(path, "not-a-file", "a socket, pipe or device", "remove it")
        elif not self._is_new(file, path):
            pass
        elif size > limits.max_file_bytes:
            self._error(
                path,
                "file-too-large",
                f"{size} bytes are more than the {limits.max_file_bytes} that an agent's file may have",
                "split it, or move what is no agent out of the catalog",
            )
        elif len(self.files) >= limits.max_files or self._total_bytes + size > limits.max_total_bytes:
            self._stop_at(path)
        else:
            self.files.append(RawFile(path=path, data=file.read_bytes()))
            self._total_bytes += size

    def _is_new(self, entry: Path, path: str) -> bool:
        status = entry.stat()
        first = self._seen.setdefault((status.st_dev, status.st_ino), path)
        if first == path:
            return True
        self._note(path, "already-read", f"the same as {first}", "remove one of the two links")
        return False

    def _stop_at(self, path: str) -> None:
        self._is_full = True
        self._error(
            path,
            "catalog-too-large",
            f"from here on nothing was read: a catalog may have {self._limits.max_files} files "
            f"and {self._limits.max_total_bytes} bytes",
            "serve only the directories that hold agents",
        )

    def _error(self, path: str, code: str, message: str, remedy: str) -> None:
        self.diagnostics.append(Diagnostic(path or ".", 1, Severity.ERROR, code, message, remedy))

    def _note(self, path: str, code: str, message: str, remedy: str) -> None:
        self.diagnostics.append(Diagnostic(path, 1, Severity.NOTE, code, message, remedy))


def _printable(name: str) -> str:
    """Replace what is not UTF-8 in a file's name, which Python hands out as lone surrogates."""
    return os.fsencode(name).decode("utf-8", errors="replace")
