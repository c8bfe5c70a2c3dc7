"""The port to where compiled files are kept."""

from collections.abc import Mapping, Sequence
from typing import Protocol

__all__ = ["KeptArtefacts", "NoArtefacts"]


class KeptArtefacts(Protocol):
    """Compiled files by key. Neither method raises: what cannot be had is missing, what cannot be kept is lost."""

    async def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Return what is kept under some of the keys, exactly as it was put; a second or two at most."""
        ...

    async def put(self, values: Mapping[str, bytes]) -> None:
        """Keep values for as long as there is room."""
        ...


class NoArtefacts:
    """Keeps nothing."""

    async def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:  # noqa: ARG002 - as the port has it
        """Find nothing."""
        return {}

    async def put(self, values: Mapping[str, bytes]) -> None:
        """Forget values."""
