"""Who captured: what all telemetry of one process has in common, as bytes that are never taken apart here."""

import struct
from dataclasses import dataclass
from typing import Self

__all__ = ["Origin"]

LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Origin:
    """A process that captures.

    Attributes:
        resource: An OTLP Resource, serialised.
        scope: The beginning of an OTLP ScopeSpans, ScopeMetrics or ScopeLogs, serialised: their first field, tag and length
            included. It is the same in all three.
    """

    resource: bytes
    scope: bytes

    def packed(self) -> bytes:
        """Return both as one."""
        return LENGTH.pack(len(self.resource)) + self.resource + self.scope

    @classmethod
    def unpacked(cls, data: bytes) -> Self:
        """Return what was packed."""
        (length,) = LENGTH.unpack_from(data)
        return cls(data[LENGTH.size : LENGTH.size + length], data[LENGTH.size + length :])
