"""Definitions as bytes, for the journal: a run keeps the one that it began with, and finds it by its digest."""

import hashlib

import msgspec

from ignis_server.workflow.model import Definition

__all__ = ["decode_definition", "definition_digest", "encode_definition"]

_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER = msgspec.json.Decoder(Definition)


def encode_definition(definition: Definition) -> bytes:
    """Return a definition as JSON; equal definitions are equal bytes."""
    return _ENCODER.encode(definition)


def decode_definition(content: bytes) -> Definition:
    """Return the definition of some bytes, which may have been written by an older release.

    Raises:
        ValueError: The bytes hold none.
    """
    try:
        return _DECODER.decode(content)
    except msgspec.DecodeError as error:
        raise ValueError(f"the bytes hold no definition: {error}") from error


def definition_digest(definition: Definition) -> str:
    """Return "sha256:" and the hexadecimal SHA-256 of a definition's bytes."""
    return f"sha256:{hashlib.sha256(encode_definition(definition)).hexdigest()}"
