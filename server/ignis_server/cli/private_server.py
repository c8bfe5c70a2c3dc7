"""A server of one's own: in this process, on a free loopback port, with a store of runs that lasts as long as the block."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from ignis_client import IgnisClient
from ignis_server.app import running
from ignis_server.errors import CatalogUnusable
from ignis_server.settings import Settings

__all__ = ["private_settings", "serving_privately"]

EXAMPLES: Final = Path(__file__).parents[3] / "examples"


def private_settings(workflow: Path, catalogs: Sequence[Path], store: Path) -> Settings:
    """Return the settings of a server for one file of workflows.

    Args:
        workflow: The file.
        catalogs: Directories that hold agents. Empty: what the environment says, and otherwise the sample catalog.
        store: A folder for the runs.

    Raises:
        SettingsInvalid: The environment is wrong.
        CatalogUnusable: There is no catalog.
    """
    given = {
        "workflow_paths": (workflow,),
        "database_url": f"sqlite:///{store / 'runs.db'}",
        "listen": "127.0.0.1:0",
        "catalog_watch": "off",
        # Nobody needs the answers of a server that lives for one run, from Redis or elsewhere.
        "answer_cache_bytes": 0,
    }
    settings = Settings.read(**given, catalog_paths=tuple(catalogs) or None)
    if settings.catalog_paths:
        return settings
    sample = EXAMPLES / "catalog"
    if not sample.exists():
        raise CatalogUnusable(sample, "there is nothing there", "run this in a checkout, or say --catalog DIR")
    return Settings.read(**given, catalog_paths=(sample,))


@asynccontextmanager
async def serving_privately(workflow: Path, catalogs: Sequence[Path]) -> AsyncIterator[tuple[str, IgnisClient]]:
    """Serve one file of workflows, and yield the address and a client; nothing is left of it after the block.

    Raises:
        SettingsInvalid, CatalogUnusable, WorkflowsUnusable: As `ignis serve` would.
    """
    with TemporaryDirectory(prefix="ignis-run-") as store:
        settings = private_settings(workflow, catalogs, Path(store))
        async with running(settings) as server, IgnisClient(server.address) as ignis:
            yield server.address, ignis
