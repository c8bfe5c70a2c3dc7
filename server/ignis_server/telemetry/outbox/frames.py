"""Frames: how the journal writes things down, one behind the other, so that each tells whether it is whole.

A frame is the length and the CRC-32 of its body; the body is its kind, a number of items, a time, and data. A frame that was cut
off or has changed since does not match, and neither do zeros, which some file systems leave behind after a power cut.
"""

import struct
from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import Final, NamedTuple
from zlib import crc32

from ignis_server.telemetry.model import Signal

__all__ = [
    "KIND_OF",
    "MAX_DATA_BYTES",
    "MAX_FRAME_BYTES",
    "ORIGIN",
    "SEALED",
    "SIGNAL_OF",
    "End",
    "Frame",
    "encoded_frame",
    "first_frame_bytes",
    "read_frames",
]

LEAD = struct.Struct("<II")
BODY = struct.Struct("<BIQ")

# What a frame may carry. More is no item of telemetry, and no length that was written here.
MAX_DATA_BYTES: Final = 16 << 20
MAX_FRAME_BYTES: Final = LEAD.size + BODY.size + MAX_DATA_BYTES

# Kinds of frames. What is captured comes last, a kind for each signal.
ORIGIN: Final = 1
SEALED: Final = 2
SIGNAL_OF: Final[Mapping[int, Signal]] = MappingProxyType({3: Signal.TRACES, 4: Signal.METRICS, 5: Signal.LOGS})
KIND_OF: Final[Mapping[Signal, int]] = MappingProxyType({signal: kind for kind, signal in SIGNAL_OF.items()})


class Frame(NamedTuple):
    """What one frame says; `data` is a part of what was read, so it holds all of that in memory."""

    kind: int
    items: int
    captured_ns: int
    data: memoryview


class End(Enum):
    """Why no more frames could be read."""

    ALL_READ = auto()
    # The next frame is longer than what was given.
    CUT_OFF = auto()
    DAMAGED = auto()


def encoded_frame(kind: int, items: int, captured_ns: int, data: bytes) -> bytes:
    """Return a frame as bytes."""
    body = BODY.pack(kind, items, captured_ns) + data
    return LEAD.pack(len(body), crc32(body)) + body


def first_frame_bytes(content: bytes) -> int:
    """Return how long the first frame is by its own account; 0 where that is not to be believed."""
    length = LEAD.unpack_from(content)[0] if len(content) >= LEAD.size else 0
    return LEAD.size + length if BODY.size <= length <= BODY.size + MAX_DATA_BYTES else 0


def read_frames(content: bytes) -> tuple[list[Frame], int, End]:
    """Return the frames that are whole, how many bytes they are, and why they end there."""
    view = memoryview(content)
    size = len(content)
    frames: list[Frame] = []
    start = 0
    while start + LEAD.size <= size:
        length, checksum = LEAD.unpack_from(content, start)
        if not BODY.size <= length <= BODY.size + MAX_DATA_BYTES:
            return frames, start, End.DAMAGED
        begin, end = start + LEAD.size, start + LEAD.size + length
        if end > size:
            return frames, start, End.CUT_OFF
        if crc32(view[begin:end]) != checksum:
            return frames, start, End.DAMAGED
        kind, items, captured_ns = BODY.unpack_from(content, begin)
        frames.append(Frame(kind, items, captured_ns, view[begin + BODY.size : end]))
        start = end
    return frames, start, End.ALL_READ if start == size else End.CUT_OFF
