"""Remarks on the files of a catalog."""

from dataclasses import dataclass
from enum import IntEnum

__all__ = ["Diagnostic", "Severity"]


class Severity(IntEnum):
    """How much of a file a remark concerns; a greater one is worse."""

    UNKNOWN = 0
    """One that this client is too old to know."""
    NOTE = 1
    """Why a file is no agent, or what was taken for granted."""
    WARNING = 2
    """The agent was loaded although something in its file is wrong."""
    ERROR = 3
    """The file was rejected."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One remark on one line of one file, with the way to mend it.

    Attributes:
        path: The file, below the catalog's root, with forward slashes.
        line: The line, from 1.
        severity: How much of the file it concerns.
        code: A stable word for machines, such as "invalid-yaml".
        message: What is wrong: fact, value, limit.
        remedy: How to mend it.
    """

    path: str
    line: int
    severity: Severity
    code: str
    message: str
    remedy: str
