"""URLs of where runs are kept, checked without going there."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

__all__ = ["check_store_url", "is_postgres", "path_of"]

POSTGRES_SCHEMES: Final = frozenset({"postgresql", "postgres"})
SQLITE_SCHEME: Final = "sqlite"


def is_postgres(url: str) -> bool:
    """Tell whether a URL is one of PostgreSQL."""
    return urlsplit(url).scheme in POSTGRES_SCHEMES


def path_of(url: str) -> Path:
    """Return the file that a URL of SQLite names."""
    return Path(url.removeprefix(f"{SQLITE_SCHEME}:///")).expanduser()


def check_store_url(url: str) -> None:
    """Check a URL without going there.

    Raises:
        ValueError: It is none that runs can be kept at.
    """
    parts = urlsplit(url)
    if is_postgres(url):
        if find_spec("asyncpg") is None:
            raise ValueError("PostgreSQL needs asyncpg: install ignis-agents[postgres]")
        if not parts.hostname and "host=" not in parts.query:
            raise ValueError("names no host: write postgresql://USER:PASSWORD@HOST/DATABASE")
    elif parts.scheme != SQLITE_SCHEME or not path_of(url).name:
        raise ValueError("must be sqlite:///PATH, or postgresql://USER:PASSWORD@HOST/DATABASE")
