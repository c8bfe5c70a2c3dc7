"""Diagnostics: what there is to say of the files that people write, agents and workflows alike."""

from dataclasses import dataclass
from enum import IntEnum

__all__ = ["Diagnostic", "Severity"]


class Severity(IntEnum):
    """How much a diagnostic concerns; a greater one is worse.

    A NOTE says how something was read, what was taken for granted, or why a file is neither agent nor workflow. A WARNING goes with
    one that is served although something in its file is wrong. An ERROR says that it is not served.
    """

    NOTE = 1
    WARNING = 2
    ERROR = 3


@dataclass(frozen=True, slots=True, order=True)
class Diagnostic:
    """One remark on one line of one file, with the way to mend it.

    `path` is relative to where the files are kept, with forward slashes; `line` counts from 1; `code` is a stable kebab-case word
    for machines (`duplicate-key`).
    """

    path: str
    line: int
    severity: Severity
    code: str
    message: str
    remedy: str
