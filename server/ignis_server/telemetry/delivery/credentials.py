"""Credentials: the headers by which a destination knows us, as they are now."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from ignis_server.telemetry.delivery.headers import header_mistakes, headers_of_lines
from ignis_server.telemetry.delivery.tls import stamp

__all__ = [
    "Credentials",
    "CredentialsUnusable",
    "FileHeaders",
    "StaticHeaders",
    "TogetherHeaders",
    "headers_in",
    "token_in",
]

# A token is a few hundred bytes; whatever is larger than this is no file of headers.
MAX_FILE_BYTES = 64 << 10


class CredentialsUnusable(Exception):
    """Credentials cannot be had at the moment; `str()` of it says why, without any part of them."""


class Credentials(Protocol):
    """Where headers come from that let us in."""

    async def headers(self) -> Mapping[str, str]:
        """Return the headers for the next request; names in lower case. Takes some 10 s at most.

        Raises:
            CredentialsUnusable: There are none at the moment.
        """
        ...

    def doubt(self) -> None:
        """Take note that the destination did not take them: before the next request they are got anew."""
        ...


class StaticHeaders:
    """Headers that are the same for ever."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)

    async def headers(self) -> Mapping[str, str]:
        """Return them."""
        return self._headers

    def doubt(self) -> None:
        """Do nothing: there are no others."""


class FileHeaders:
    """Headers from a file that someone else keeps up to date; read when it was written or replaced, and when in doubt."""

    def __init__(self, path: Path, read: Callable[[str], Mapping[str, str]]) -> None:
        """Name a file, which is read with the first request.

        Args:
            path: The file.
            read: Makes headers of its text; raises ValueError, with a message that has no part of it, where that cannot be done.
        """
        self._path = path
        self._read = read
        self._stamp: object = None
        self._headers: Mapping[str, str] = {}

    async def headers(self) -> Mapping[str, str]:
        """Return the headers that the file has now.

        Raises:
            CredentialsUnusable: It cannot be read, or holds no such headers.
        """
        return await asyncio.to_thread(self._current)

    def doubt(self) -> None:
        """Read it again even if it looks as before: a clock may be coarser than whoever writes."""
        self._stamp = None

    def _current(self) -> Mapping[str, str]:
        # Before reading: what is written in between is read next time.
        found = stamp([self._path])
        if found != self._stamp:
            self._headers = self._anew()
            self._stamp = found
        return self._headers

    def _anew(self) -> Mapping[str, str]:
        try:
            with self._path.open(encoding="utf-8") as file:
                text = file.read(MAX_FILE_BYTES + 1)
            if len(text) > MAX_FILE_BYTES:
                raise CredentialsUnusable(f"{self._path} is larger than {MAX_FILE_BYTES} bytes")
            return self._read(text)
        except OSError as error:
            raise CredentialsUnusable(f"cannot read {self._path}: {error.strerror or type(error).__name__}") from error
        except UnicodeDecodeError:
            raise CredentialsUnusable(f"{self._path} is not UTF-8") from None
        except ValueError as error:
            raise CredentialsUnusable(f"{self._path}: {error}") from None


class TogetherHeaders:
    """The headers of several sources; of those with one name, the last."""

    def __init__(self, sources: Sequence[Credentials]) -> None:
        self._sources = sources

    async def headers(self) -> Mapping[str, str]:
        """Return the headers of all.

        Raises:
            CredentialsUnusable: One of them has none at the moment.
        """
        found: dict[str, str] = {}
        for source in self._sources:
            found |= await source.headers()
        return found

    def doubt(self) -> None:
        """Doubt all of them."""
        for source in self._sources:
            source.doubt()


def headers_in(text: str) -> Mapping[str, str]:
    """Read a file of headers.

    Raises:
        ValueError: A line is no header that can be sent.
    """
    headers, mistakes = headers_of_lines(text)
    if mistakes:
        raise ValueError("; ".join(mistakes))
    return dict(headers)


def token_in(text: str) -> Mapping[str, str]:
    """Read a file that holds a bearer token and nothing else.

    Raises:
        ValueError: It holds none.
    """
    return bearer(text.strip())


def bearer(token: str) -> Mapping[str, str]:
    """Return the header that a bearer token is sent in.

    Raises:
        ValueError: It is empty, or no token.
    """
    if not token:
        raise ValueError("has no token in it")
    if " " in token or any(header_mistakes("authorization", token)):
        raise ValueError("does not hold a token: it must be one word of printable ASCII")
    return {"authorization": f"Bearer {token}"}
