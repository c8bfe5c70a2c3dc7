"""Compiled files as bytes: what the domain keeps in arrays lies here as little-endian numbers.

Never pickled: who may write into a shared cache must not be able to run code here.
"""

from typing import Self

import msgspec
import numpy as np

from ignis_server.agents.compilation import CompiledFile
from ignis_server.agents.selection.analysis import Analysis, Counted
from ignis_server.agents.selection.embedding import Subwords
from ignis_server.agents.snapshot import Artefact

__all__ = ["decode_artefact", "encode_artefact"]

HASH = np.dtype("<u8")
COUNT = np.dtype("<u4")
SUBWORD = np.dtype("<i4")
START = np.dtype("<i8")


class _Counted(msgspec.Struct, array_like=True, frozen=True):
    hashes: bytes
    counts: bytes

    @classmethod
    def of(cls, counted: Counted) -> Self:
        return cls(counted.hashes.astype(HASH).tobytes(), counted.counts.astype(COUNT).tobytes())

    def counted(self) -> Counted:
        counted = Counted(np.frombuffer(self.hashes, HASH), np.frombuffer(self.counts, COUNT))
        if len(counted.hashes) != len(counted.counts):
            raise ValueError("there is not one count for each hash")
        return counted


class _Subwords(msgspec.Struct, array_like=True, frozen=True):
    ids: bytes
    starts: bytes

    @classmethod
    def of(cls, subwords: Subwords) -> Self:
        return cls(subwords.ids.astype(SUBWORD).tobytes(), subwords.starts.astype(START).tobytes())

    def subwords(self) -> Subwords:
        subwords = Subwords(np.frombuffer(self.ids, SUBWORD), np.frombuffer(self.starts, START))
        starts = subwords.starts.tolist()
        if starts[:1] != [0] or starts[-1] != len(subwords.ids) or starts != sorted(starts):
            raise ValueError("the texts do not stand one after another")
        return subwords


class _Analysis(msgspec.Struct, array_like=True, frozen=True):
    terms: dict[str, _Counted]
    head: _Subwords
    passages: _Subwords
    grams: _Counted

    @classmethod
    def of(cls, analysis: Analysis) -> Self:
        return cls(
            {name: _Counted.of(counted) for name, counted in analysis.terms.items()},
            _Subwords.of(analysis.head),
            _Subwords.of(analysis.passages),
            _Counted.of(analysis.grams),
        )

    def analysis(self) -> Analysis:
        return Analysis(
            {name: counted.counted() for name, counted in self.terms.items()},
            self.head.subwords(),
            self.passages.subwords(),
            self.grams.counted(),
        )


class _Artefact(msgspec.Struct, array_like=True, frozen=True):
    file: CompiledFile
    analyses: tuple[_Analysis, ...]


ENCODER = msgspec.msgpack.Encoder()
DECODER = msgspec.msgpack.Decoder(_Artefact)


def encode_artefact(artefact: Artefact) -> bytes:
    """Return a compiled file as bytes."""
    return ENCODER.encode(_Artefact(artefact.file, tuple(map(_Analysis.of, artefact.analyses))))


def decode_artefact(content: bytes) -> Artefact | None:
    """Return the compiled file that some bytes hold; None where they hold none."""
    try:
        packed = DECODER.decode(content)
        return Artefact(packed.file, tuple(analysis.analysis() for analysis in packed.analyses))
    except (msgspec.DecodeError, ValueError):
        return None
