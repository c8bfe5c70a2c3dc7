"""Compiled files in the store that replicas share, and in several places one behind the other."""

from collections.abc import Mapping, Sequence

from ignis_server.agents.artefacts import KeptArtefacts
from ignis_server.agents.cache.shared_store import SharedStore

__all__ = ["LayeredArtefacts", "SharedArtefacts"]

# What was compiled is used again at the next start; what nobody starts with for a month is gone.
KEPT_SECONDS = 30 * 86_400.0


class SharedArtefacts:
    """Keeps artefacts where all replicas find them."""

    def __init__(self, store: SharedStore) -> None:
        self._store = store

    async def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Return what is kept under some of the keys."""
        found = await self._store.get([_name(key) for key in keys])
        return {key: found[_name(key)] for key in keys if _name(key) in found}

    async def put(self, values: Mapping[str, bytes]) -> None:
        """Keep values."""
        await self._store.put({_name(key): value for key, value in values.items()}, seconds=KEPT_SECONDS)


class LayeredArtefacts:
    """Looks in one place after another, the nearest first, and carries what it finds to those before."""

    def __init__(self, layers: Sequence[KeptArtefacts]) -> None:
        self._layers = layers

    async def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Return what is kept under some of the keys in any of the places."""
        found: dict[str, bytes] = {}
        for number, layer in enumerate(self._layers):
            missing = [key for key in keys if key not in found]
            if not missing:
                break
            here = await layer.get(missing)
            if here:
                for nearer in self._layers[:number]:
                    await nearer.put(here)
            found |= here
        return found

    async def put(self, values: Mapping[str, bytes]) -> None:
        """Keep values everywhere."""
        for layer in self._layers:
            await layer.put(values)


def _name(key: str) -> str:
    return f"file:{key}"
