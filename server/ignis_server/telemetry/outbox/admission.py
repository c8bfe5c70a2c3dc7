"""Admission: whether calls may begin whose telemetry will want room, where the outbox's policy is to keep them out."""

import asyncio
from collections.abc import Awaitable

from ignis_server.errors import OutboxFull
from ignis_server.telemetry.outbox.settings import BoundPolicy, OutboxSettings

__all__ = ["Admission"]


class Admission:
    """Lets calls in, or not."""

    def __init__(self, settings: OutboxSettings) -> None:
        self._settings = settings
        self._is_open = True
        self._opened = asyncio.Event()

    def admit(self) -> Awaitable[None] | None:
        """Let a call in, or return what it has to wait for.

        Raises:
            OutboxFull: It is refused, now or when it has waited for `block_seconds`.
        """
        if self._is_open:
            return None
        if self._settings.policy is BoundPolicy.REFUSE:
            raise OutboxFull(limit_bytes=self._settings.max_bytes)
        return self._let_in()

    def note(self, *, has_room: bool) -> bool:
        """Note whether there is room, and tell whether calls are let in; under the policy "shed" they always are."""
        self._is_open = has_room or self._settings.policy is BoundPolicy.SHED
        if self._is_open:
            opened, self._opened = self._opened, asyncio.Event()
            opened.set()
        return self._is_open

    async def _let_in(self) -> None:
        try:
            async with asyncio.timeout(self._settings.block_seconds):
                while not self._is_open:
                    await self._opened.wait()
        except TimeoutError as error:
            raise OutboxFull(limit_bytes=self._settings.max_bytes) from error
