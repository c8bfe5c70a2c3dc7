"""The trace that a call belongs to, by the W3C context that its caller sends, or a new one."""

import random
import re
from collections.abc import Iterable
from typing import Final

__all__ = ["CallTrace"]

# https://www.w3.org/TR/trace-context/#traceparent-header: of later versions, what this one knows is taken.
TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
)
SAMPLED: Final = 1
TRACE_ID_BYTES, SPAN_ID_BYTES = 16, 8

# Ids are unique, and no secret.
_new_bits = random.Random().getrandbits  # noqa: S311 - as said


class CallTrace:
    """A trace and a call's span in it: ids as bytes, that of the parent empty where the trace begins here."""

    __slots__ = ("is_sampled", "parent_id", "span_id", "trace_id")

    @property
    def traceparent(self) -> str:
        """The header for whoever goes on below this span."""
        return f"00-{self.trace_id.hex()}-{self.span_id.hex()}-{int(self.is_sampled):02x}"

    def __init__(self, metadata: Iterable[tuple[str, str | bytes]]) -> None:
        """Join the trace that is spoken of in what a client sent beside its message: of several, the last."""
        traceparent = None
        for key, value in metadata:
            if key == "traceparent":
                traceparent = value
        found = TRACEPARENT.fullmatch(traceparent) if isinstance(traceparent, str) else None
        if found is None:
            ids = _new_bits(8 * (TRACE_ID_BYTES + SPAN_ID_BYTES)).to_bytes(TRACE_ID_BYTES + SPAN_ID_BYTES)
            self.trace_id = ids[:TRACE_ID_BYTES]
            self.span_id = ids[TRACE_ID_BYTES:]
            self.parent_id = b""
            self.is_sampled = True
        else:
            trace_id, parent_id, flags = found.groups()
            self.trace_id = bytes.fromhex(trace_id)
            self.span_id = _new_bits(8 * SPAN_ID_BYTES).to_bytes(SPAN_ID_BYTES)
            self.parent_id = bytes.fromhex(parent_id)
            self.is_sampled = bool(int(flags, 16) & SAMPLED)
