"""Headers of requests: as one reads them from an environment variable and from a file, and which of them can be sent."""

import re
from collections.abc import Iterator
from urllib.parse import unquote

__all__ = ["header_mistakes", "headers_of_lines", "headers_of_list"]

# The letters that gRPC allows; HTTP allows more, which nobody uses.
NAME = re.compile(r"[0-9a-z_.-]+")
# gRPC and HTTP servers take about 8 KiB of all headers by default.
MAX_VALUE_LENGTH = 6_144
# What each request says of itself, in one protocol or the other.
OURS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "te",
        "transfer-encoding",
        "user-agent",
    }
)
OUR_PREFIXES = ("grpc-", "ignis-", ":")

Headers = tuple[tuple[str, str], ...]


def headers_of_list(text: str) -> tuple[Headers, list[str]]:
    """Read `key1=value1,key2=value2`, the form of W3C Baggage without properties (OTEL_EXPORTER_OTLP_HEADERS).

    Values are percent-decoded. The last of several with one name counts.

    Returns:
        The headers, names in lower case, and what is wrong with the others, without their values.
    """
    mistakes: list[str] = []
    found: dict[str, str] = {}
    for number, pair in enumerate(text.split(","), start=1):
        if not pair.strip():
            continue
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals:
            # It is not repeated: it may be the tail of a secret that has a comma in it.
            mistakes.append(f"entry {number} has no '=': it must be name=value, with a comma in a value written %2C")
        elif ";" in value:
            mistakes.append(f"{name!r} has a ';' in its value, where properties are not supported: write it %3B")
        else:
            found[unquote(name).lower()] = unquote(value)
    return tuple(found.items()), mistakes


def headers_of_lines(text: str) -> tuple[Headers, list[str]]:
    """Read `name: value` on each line; empty lines and those that begin with '#' are left out.

    Returns:
        The headers, names in lower case, and what is wrong with the lines, without what they say.
    """
    mistakes: list[str] = []
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, value = (part.strip() for part in line.partition(":"))
        if colon:
            found[name.lower()] = value
        else:
            mistakes.append(f"line {number} has no ':': it must be name: value")
    for name, value in found.items():
        mistakes.extend(header_mistakes(name, value))
    return tuple(found.items()), mistakes


def header_mistakes(name: str, value: str) -> Iterator[str]:
    """Yield what is wrong with a header; the value is not repeated."""
    if not NAME.fullmatch(name):
        yield f"{name[:64]!r} is no name of a header: it must be of letters, digits, '-', '_' and '.'"
    elif name in OURS or name.startswith(OUR_PREFIXES):
        yield f"{name!r} is set by each request itself: remove it"
    elif name.endswith("-bin"):
        yield f"{name!r} would hold bytes, which cannot be given here: remove it"
    if not value.isascii() or not value.isprintable():
        yield f"the value of {name[:64]!r} has letters other than printable ASCII, which headers cannot hold"
    elif len(value) > MAX_VALUE_LENGTH:
        yield f"the value of {name[:64]!r} is {len(value)} letters long, of which receivers take {MAX_VALUE_LENGTH}"
