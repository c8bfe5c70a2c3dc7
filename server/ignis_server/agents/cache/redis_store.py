"""The store that replicas share, on Redis or Valkey; in trouble it is left alone, and what it holds is checked."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, TypeVar

import structlog
from redis import exceptions
from redis.asyncio import Redis

from ignis_server.agents.cache.circuit import Circuit
from ignis_server.agents.cache.redis_url import client_of, close_client
from ignis_server.agents.cache.seal import sealed, unsealed
from ignis_server.signals import CacheFailed, SharedStoreChanged, Signals

__all__ = ["RedisStore", "reason_of"]

T = TypeVar("T")
Operation = Literal["read", "write"]

# An answer is computed in some 10 ms: a store that needs longer than this is no help.
TIMEOUT_SECONDS = 0.25
# Compiled files come by the hundred, and replace seconds of work.
BULK_TIMEOUT_SECONDS = 5.0
BULK_BYTES = 1 << 20
KEYS_AT_ONCE = 64
# Calls beyond wait for their turn, of which each takes the timeout at most.
MAX_AT_ONCE = 64
PROBE_SECONDS = 10

REASONS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((exceptions.AuthenticationError, exceptions.AuthorizationError, exceptions.NoPermissionError), "auth"),
    ((exceptions.ReadOnlyError,), "read-only"),
    ((exceptions.OutOfMemoryError,), "full"),
    ((exceptions.BusyLoadingError,), "loading"),
    (
        (
            exceptions.MasterDownError,
            exceptions.ClusterDownError,
            exceptions.SlotNotCoveredError,
            exceptions.TryAgainError,
        ),
        "failover",
    ),
    ((exceptions.TimeoutError, TimeoutError), "timeout"),
    ((exceptions.ConnectionError, OSError), "unreachable"),
)

log = structlog.get_logger()


def reason_of(error: BaseException) -> str:
    """Return one word for what is wrong with a store."""
    text = str(error)
    if text.startswith(("NOAUTH", "WRONGPASS")):
        return "auth"
    for kinds, reason in REASONS:
        if isinstance(error, kinds):
            return reason
    return "refused"


class RedisStore:
    """Keeps values under `NAMESPACE:1:{key}`, sealed, so that what others write there is never taken for ours.

    Reading and writing each have a circuit: a replica that only reads, or a server that is full, still serves what it has.
    `run` asks a store in trouble every so often whether it is well again.
    """

    def __init__(self, url: str, *, namespace: str, signals: Signals) -> None:
        """Make a store; it connects when it is asked first.

        Args:
            url: As in `redis_url`.
            namespace: The beginning of all keys; services of different catalogs on one Redis may share it, as keys are
                digests of all that a value depends on.
            signals: Told of every state that the store gets into.
        """
        self._client = client_of(url, timeout_seconds=TIMEOUT_SECONDS)
        self._bulk = client_of(url, timeout_seconds=BULK_TIMEOUT_SECONDS)
        self._prefix = f"{namespace}:1:"
        self._signals = signals
        self._circuits: Mapping[Operation, Circuit] = {"read": Circuit(), "write": Circuit()}
        self._troubled = asyncio.Event()
        self._turns = asyncio.Semaphore(MAX_AT_ONCE)

    async def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Return what is kept under some of the keys."""
        found: dict[str, bytes] = {}
        for start in range(0, len(keys), KEYS_AT_ONCE):
            some = keys[start : start + KEYS_AT_ONCE]
            values = await self._tried("read", partial(self._read, some), [None] * len(some))
            found |= {key: content for key, value in zip(some, values, strict=True) if (content := self._whole(value))}
        return found

    async def put(self, values: Mapping[str, bytes], *, seconds: float) -> None:
        """Keep values for so long."""
        items = list(values.items())
        for start in range(0, len(items), KEYS_AT_ONCE):
            some = items[start : start + KEYS_AT_ONCE]
            await self._tried("write", partial(self._write, some, seconds), None)

    async def claim(self, key: str, *, seconds: float) -> tuple[bool, bytes | None]:
        """Claim the making of a value."""
        name = self._name(key)

        async def claim() -> tuple[Any, Any]:
            # In this order: a claim that is granted after another's value was put finds the value.
            commands = self._client.pipeline(transaction=False)
            commands.set(f"{name}:claim", secrets.token_hex(8), nx=True, px=_milliseconds(seconds))
            commands.get(name)
            granted, value = await commands.execute(raise_on_error=False)
            if isinstance(granted, Exception):
                raise granted
            return granted, value

        granted, value = await self._tried("write", claim, (True, None))
        return bool(granted), self._whole(value)

    async def fulfil(self, key: str, value: bytes, *, seconds: float) -> None:
        """Keep the value that was claimed, and end the claim."""

        async def fulfil() -> None:
            # In this order: whoever claims next finds the value.
            commands = self._client.pipeline(transaction=False)
            commands.set(self._name(key), sealed(value), px=_milliseconds(seconds))
            commands.delete(f"{self._name(key)}:claim")
            await commands.execute()

        await self._tried("write", fulfil, None)

    async def give_up(self, key: str) -> None:
        """Let others claim what this replica claimed and failed to make.

        Should its claim have run out, it may be another's that ends here: then work is done twice, and no more.
        """

        async def give_up() -> None:
            await self._client.delete(f"{self._name(key)}:claim")

        await self._tried("write", give_up, None)

    async def note(self, members: Mapping[bytes, float], *, keep: int) -> None:
        """Put members on the list that all share."""
        if not members:
            return

        async def note() -> None:
            commands = self._bulk.pipeline(transaction=False)
            commands.zadd(self._list_name, dict(members))
            commands.zremrangebyrank(self._list_name, 0, -keep - 1)
            await commands.execute()

        await self._tried("write", note, None)

    async def noted(self, limit: int) -> Sequence[bytes]:
        """Return the members of that list, the newest first."""

        async def noted() -> list[bytes]:
            members = await self._bulk.zrange(self._list_name, 0, limit - 1, desc=True)
            return [member for member in members if isinstance(member, bytes)]

        return await self._tried("read", noted, [])

    async def run(self) -> None:
        """Probe the store for as long as it is in trouble; never ends."""
        while True:
            await self._troubled.wait()
            self._troubled.clear()
            for operation, circuit in self._circuits.items():
                if circuit.is_open:
                    await asyncio.sleep(circuit.pause_seconds)
                    await self._probe(operation)

    async def aclose(self) -> None:
        """Close all connections; nothing may be asked of the store after that."""
        for client in (self._client, self._bulk):
            await close_client(client)

    @property
    def _list_name(self) -> str:
        return f"{self._prefix}{{hot}}"

    def _name(self, key: str) -> str:
        # Braces keep a value and its claim on one node of a cluster.
        return f"{self._prefix}{{{key}}}"

    async def _read(self, keys: Sequence[str]) -> list[Any]:
        if len(keys) == 1:
            return [await self._get_one(self._name(keys[0]))]
        commands = self._bulk.pipeline(transaction=False)
        for key in keys:
            commands.get(self._name(key))
        values: list[Any] = await commands.execute(raise_on_error=False)
        for value in values:
            if isinstance(value, Exception) and not _is_foreign(value):
                raise value
        return values

    async def _get_one(self, name: str) -> Any:  # noqa: ANN401 - bytes, None, or what is wrong with the value
        try:
            return await self._client.get(name)
        except exceptions.ResponseError as error:
            if _is_foreign(error):
                return error
            raise

    async def _write(self, items: Sequence[tuple[str, bytes]], seconds: float) -> None:
        is_bulk = sum(len(value) for _, value in items) > BULK_BYTES
        commands = (self._bulk if is_bulk else self._client).pipeline(transaction=False)
        for key, value in items:
            commands.set(self._name(key), sealed(value), px=_milliseconds(seconds))
        await commands.execute()

    def _whole(self, value: Any) -> bytes | None:  # noqa: ANN401 - as it comes
        if value is None:
            return None
        content = unsealed(value) if isinstance(value, bytes) else None
        if content is None:
            # It is not touched: the next value that is put takes its place.
            self._signals.report(CacheFailed("shared", "read", "corrupt"))
        return content

    async def _tried(self, operation: Operation, action: Callable[[], Awaitable[T]], otherwise: T) -> T:
        circuit = self._circuits[operation]
        if circuit.is_open:
            return otherwise
        async with self._turns:
            if circuit.is_open:
                return otherwise
            try:
                return await action()
            except (exceptions.RedisError, OSError) as error:
                self._failed(operation, error)
                return otherwise

    def _failed(self, operation: Operation, error: BaseException) -> None:
        reason = reason_of(error)
        self._signals.report(CacheFailed("shared", operation, reason))
        # Who cannot be reached cannot be read from nor written to; the other reasons concern one of the two.
        both = reason in {"unreachable", "timeout", "auth", "loading", "failover"}
        for each in ("read", "write") if both else (operation,):
            if self._circuits[each].open(reason):
                log.warning("cache.left_alone", operation=each, reason=reason, error=str(error))
                self._signals.report(SharedStoreChanged(each, reason))
        self._troubled.set()

    async def _probe(self, operation: Operation) -> None:
        circuit = self._circuits[operation]
        if not circuit.is_open:
            return
        try:
            await self._reconnect()
            if operation == "read":
                await self._client.get(f"{self._prefix}{{probe}}")
            else:
                await self._client.set(f"{self._prefix}{{probe}}", b"", ex=PROBE_SECONDS)
        except (exceptions.RedisError, OSError) as error:
            reason = reason_of(error)
            if circuit.open(reason):
                self._signals.report(SharedStoreChanged(operation, reason))
            self._troubled.set()
        else:
            if circuit.close():
                log.info("cache.used_again", operation=operation)
                self._signals.report(SharedStoreChanged(operation, ""))

    async def _reconnect(self) -> None:
        # After a failover an old connection may lead to a server that no longer takes writes.
        for client in (self._client, self._bulk):
            if isinstance(client, Redis):
                await client.connection_pool.disconnect(inuse_connections=False)


def _milliseconds(seconds: float) -> int:
    return max(1, int(seconds * 1_000))


def _is_foreign(error: BaseException) -> bool:
    """Tell whether another program keeps something else under our key, which is no trouble of the store."""
    return isinstance(error, exceptions.ResponseError) and str(error).startswith("WRONGTYPE")
