"""Wake-ups between replicas, by LISTEN and NOTIFY on one connection of each process.

Word is sent after the commit and not within it: PostgreSQL commits one at a time what notifies, and a word that a crash
takes along costs whoever waits its poll interval, as any lost word does.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import msgspec
import structlog
from sqlalchemy import make_url

from ignis_server.workflow.wakeups import Bell, LocalWakeups, Word

__all__ = ["PostgresWakeups"]

CHANNEL = "ignis_workflow"
TIMEOUT_SECONDS = 5.0
RECONNECT_SECONDS = 1.0
# A notification holds 8,000 bytes, and a word has some 60.
WORDS_AT_ONCE = 64
MAX_WAITING = 10_000

log = structlog.get_logger()


class PostgresWakeups:
    """Rings here at once, and elsewhere as soon as word gets there. Without a connection, words are dropped and others poll."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._here = LocalWakeups()
        self._waiting: dict[Word, None] = {}
        self._has_words = asyncio.Event()
        self.is_connected = asyncio.Event()

    def ring(self, word: Word) -> None:
        """Ring here, and have it passed on."""
        self._here.ring(word)
        if self.is_connected.is_set() and len(self._waiting) < MAX_WAITING:
            self._waiting[word] = None
            self._has_words.set()

    def ring_all(self) -> None:
        """Ring every bell of this process."""
        self._here.ring_all()

    @contextmanager
    def of_run(self, run_id: str) -> Iterator[Bell]:
        """Hang a bell for a run."""
        with self._here.of_run(run_id) as bell:
            yield bell

    @contextmanager
    def of_steps(self) -> Iterator[Bell]:
        """Hang a bell for steps that can be claimed."""
        with self._here.of_steps() as bell:
            yield bell

    @contextmanager
    def of_deadlines(self) -> Iterator[Bell]:
        """Hang a bell for deadlines."""
        with self._here.of_deadlines() as bell:
            yield bell

    async def run(self) -> None:
        """Listen and pass words on, and connect again where the connection is lost; never ends."""
        while True:
            try:
                await self._until_lost()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                log.warning("wakeups.lost", error=repr(error)[:512], retry_seconds=RECONNECT_SECONDS)
            finally:
                self.is_connected.clear()
                self._waiting.clear()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _until_lost(self) -> None:
        connection = await asyncpg.connect(self._url, timeout=TIMEOUT_SECONDS, command_timeout=TIMEOUT_SECONDS)
        try:
            await connection.add_listener(CHANNEL, self._heard)
            connection.add_termination_listener(lambda _: self._has_words.set())
            self.is_connected.set()
            # What was said before nobody here has heard.
            self._here.ring_all()
            while not connection.is_closed():
                await self._has_words.wait()
                self._has_words.clear()
                await self._pass_on(connection)
        finally:
            connection.terminate()

    async def _pass_on(self, connection: Any) -> None:  # noqa: ANN401 - asyncpg has no types
        while self._waiting and not connection.is_closed():
            words = list(self._waiting)[:WORDS_AT_ONCE]
            for word in words:
                del self._waiting[word]
            await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, msgspec.json.encode(words).decode())

    def _heard(self, _connection: object, _process_id: int, _channel: str, payload: str) -> None:
        try:
            words = msgspec.json.decode(payload, type=list[Word])
        except msgspec.DecodeError:
            # Of another release, or of nobody of ours: something has happened.
            self._here.ring_all()
            return
        for word in words:
            self._here.ring(word)
