"""Canonical requests: what means the same is the same, so that it is computed and kept once.

A load is computed from the canonical request and not from the one that came. So two requests that share an answer
would get the same answer without any cache.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from typing import Self

import msgspec

from ignis_server.agents.model import Project
from ignis_server.agents.visibility import EVERYTHING, Visibility

__all__ = ["LoadRequest"]

BLANK_LINES = re.compile(r"\n{3,}")


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    project: Project
    visibility: Visibility


# Sets have no order; this one writes them in the same order everywhere.
ENCODER = msgspec.msgpack.Encoder(order="deterministic")
DECODER = msgspec.msgpack.Decoder(_Packed)


@dataclass(frozen=True, slots=True, eq=False)
class LoadRequest:
    """A load in canonical form.

    Attributes:
        project: What is asked for, with defaults filled in.
        visibility: What the caller sees of the catalog.
        digest: 16 bytes that are the same for requests that mean the same, in every process.
        packed: The request as bytes, for `unpacked`.
    """

    project: Project
    visibility: Visibility
    digest: bytes
    packed: bytes

    @property
    def budget_tokens(self) -> int:
        """What may be spent."""
        return self.project.budget_tokens or 0

    @classmethod
    def of(cls, project: Project, default_budget_tokens: int, visibility: Visibility = EVERYTHING) -> Self:
        """Bring a project into canonical form.

        White space is that of text with single blanks and blank lines; line ends are kept, as lists and headings have
        them. Tags are sorted already; what is required keeps its order, which decides over ranks.
        """
        return cls._of(
            replace(
                project,
                brief=_squeezed(project.brief),
                task=_squeezed(project.task),
                forbidden_agents=tuple(sorted(project.forbidden_agents)),
                budget_tokens=default_budget_tokens if project.budget_tokens is None else project.budget_tokens,
            ),
            replace(visibility, folders=tuple(sorted(set(visibility.folders)))),
        )

    @classmethod
    def unpacked(cls, packed: bytes) -> Self | None:
        """Return the request that some bytes hold; None where they hold none."""
        try:
            request = DECODER.decode(packed)
        except (msgspec.DecodeError, ValueError):
            return None
        return cls._of(request.project, request.visibility)

    @classmethod
    def _of(cls, project: Project, visibility: Visibility) -> Self:
        packed = ENCODER.encode(_Packed(project, visibility))
        return cls(project, visibility, hashlib.blake2b(packed, digest_size=16).digest(), packed)


def _squeezed(text: str) -> str:
    lines = "\n".join(" ".join(line.split()) for line in text.splitlines())
    return BLANK_LINES.sub("\n\n", lines).strip("\n")
