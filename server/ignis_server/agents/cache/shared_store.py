"""The port to what replicas share."""

from collections.abc import Mapping, Sequence
from typing import Protocol

__all__ = ["NoStore", "SharedStore"]


class SharedStore(Protocol):
    """Bytes by key, for a time, seen by all replicas. A cache and no more: what is in it can be had without it.

    No method raises, and none takes longer than a fraction of a second, bulk transfers aside: a store that is in trouble
    is left alone until it is well again, finds nothing, and keeps nothing.
    """

    async def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Return what is kept under some of the keys, whole and as it was put."""
        ...

    async def put(self, values: Mapping[str, bytes], *, seconds: float) -> None:
        """Keep values for so long."""
        ...

    async def claim(self, key: str, *, seconds: float) -> tuple[bool, bytes | None]:
        """Claim the making of a key's value: one replica at a time, for so long at most.

        Returns:
            Whether the claim was granted, and the value, if there is one by now. A store in trouble grants every claim: work
            that is done twice is better than none.
        """
        ...

    async def fulfil(self, key: str, value: bytes, *, seconds: float) -> None:
        """Keep the value that was claimed, for so long, and end the claim."""
        ...

    async def give_up(self, key: str) -> None:
        """Let others claim what this replica claimed and failed to make."""
        ...

    async def note(self, members: Mapping[bytes, float], *, keep: int) -> None:
        """Put members on the list that all share, each with the time it was used last; the newest so many stay on it."""
        ...

    async def noted(self, limit: int) -> Sequence[bytes]:
        """Return the members of that list, the newest first."""
        ...


class NoStore:
    """Shares nothing, for a replica that stands alone."""

    async def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:  # noqa: ARG002 - as the port has it
        """Find nothing."""
        return {}

    async def put(self, values: Mapping[str, bytes], *, seconds: float) -> None:
        """Forget values."""

    async def claim(self, key: str, *, seconds: float) -> tuple[bool, bytes | None]:  # noqa: ARG002 - as the port has it
        """Grant every claim."""
        return True, None

    async def fulfil(self, key: str, value: bytes, *, seconds: float) -> None:
        """Forget a value."""

    async def give_up(self, key: str) -> None:
        """Have nothing to give up."""

    async def note(self, members: Mapping[bytes, float], *, keep: int) -> None:
        """Forget members."""

    async def noted(self, limit: int) -> Sequence[bytes]:  # noqa: ARG002 - as the port has it
        """Remember nothing."""
        return ()
