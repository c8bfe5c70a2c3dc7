"""Broken edits: a file that held agents and cannot be used now is served as it was, with a word about it."""

from collections.abc import Iterable, Mapping, Sequence

from ignis_server.agents.compilation import CompiledFile
from ignis_server.agents.snapshot import Artefact
from ignis_server.diagnostics import Diagnostic, Severity

__all__ = ["kept_from_before"]

BROKEN = "invalid-yaml"
KEPT = "edit-rejected"


def kept_from_before(
    before: Mapping[str, Artefact], now: Mapping[str, Artefact], unread: Iterable[Diagnostic]
) -> dict[str, Artefact]:
    """Return what is served of files that held agents or teams before and cannot be used now, by path.

    A file that is gone is no broken edit. One whose YAML is broken for the first time is, though agents can be salvaged
    from it: a server that knows no better serves those.

    Args:
        before: What each file gave when it was compiled last.
        now: What each file that could be read gives now.
        unread: What there is to say of files and folders that could not be read.
    """
    errors_unread = [diagnostic for diagnostic in unread if diagnostic.severity is Severity.ERROR]
    kept: dict[str, Artefact] = {}
    for path, good in before.items():
        if not (good.file.agents or good.file.teams):
            continue
        if path not in now:
            if any(_concerns(error, path) for error in errors_unread):
                kept[path] = _kept(path, good, ())
        elif _is_rejected(now[path].file) or (_is_salvaged(now[path].file) and not _is_salvaged(good.file)):
            kept[path] = _kept(path, good, now[path].file.diagnostics)
    return kept


def _is_rejected(file: CompiledFile) -> bool:
    is_empty = not (file.agents or file.teams)
    return is_empty and any(diagnostic.severity is Severity.ERROR for diagnostic in file.diagnostics)


def _is_salvaged(file: CompiledFile) -> bool:
    """Tell whether a file gave only what could be read of broken YAML: better than nothing, worse than what was whole."""
    codes = {diagnostic.code for diagnostic in file.diagnostics}
    return BROKEN in codes and KEPT not in codes


def _concerns(error: Diagnostic, path: str) -> bool:
    # A folder's remark has its path with a slash at the end.
    return path == error.path or path.startswith(f"{error.path.rstrip('/')}/")


def _kept(path: str, good: Artefact, diagnostics: Sequence[Diagnostic]) -> Artefact:
    agents, teams = good.file.agents, good.file.teams
    held = len(agents) or len(teams)
    what = "agent" if agents else "team"
    remark = Diagnostic(
        path,
        1,
        Severity.ERROR,
        KEPT,
        f"the file cannot be used as it is now; the {held} {what}{'s' if held > 1 else ''} that it held before "
        f"{'are' if held > 1 else 'is'} served on",
        "mend the file, or remove it if it shall go; a restart does not know what it held before",
    )
    return Artefact(CompiledFile(agents, teams, (*diagnostics, remark)), good.analyses)
