"""Artefacts: what workers send along is parted into what a run says of it and its bytes, which are kept by their digest."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Final

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.rpc.checks import Checks
from ignis_server.workflow.limits import MAX_ARTIFACTS
from ignis_server.workflow.wire.identifiers import to_name
from ignis_server.workflow.words import Artifact

__all__ = ["from_artifact", "to_artifacts"]

MAX_NAME_CHARACTERS: Final = 256
# RFC 6838 allows 127 for type and subtype each; parameters such as a charset come behind.
MAX_MEDIA_TYPE_CHARACTERS: Final = 512
MAX_URI_CHARACTERS: Final = 2_048
DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


def to_artifacts(checks: Checks, messages: Sequence[pb.Artifact]) -> tuple[tuple[Artifact, ...], Mapping[str, bytes]]:
    """Check artefacts; return what a run keeps of them, and the bytes that were sent along by their digest.

    Whether the bytes are too many is decided with the step.
    """
    if len(messages) > MAX_ARTIFACTS:
        checks.add("artifacts", f"{len(messages)} entries are more than the {MAX_ARTIFACTS} allowed: put some together")
        return (), {}
    artifacts: dict[str, Artifact] = {}
    blobs: dict[str, bytes] = {}
    for number, message in enumerate(messages):
        field = f"artifacts[{number}]"
        artifact = _to_artifact(checks, field, message)
        if artifact.name in artifacts:
            checks.add(f"{field}.name", f"another artefact is called {artifact.name!r} too: rename one")
        artifacts[artifact.name] = artifact
        if message.HasField("content"):
            blobs[artifact.digest] = message.content
    return tuple(artifacts.values()), blobs


def _to_artifact(checks: Checks, field: str, message: pb.Artifact) -> Artifact:
    name = to_name(checks, f"{field}.name", message.name, max_characters=MAX_NAME_CHARACTERS)
    media_type = ""
    if message.media_type:
        media_type = to_name(
            checks, f"{field}.media_type", message.media_type, max_characters=MAX_MEDIA_TYPE_CHARACTERS
        )
    if message.HasField("content"):
        digest = _check_content(checks, field, message)
        return Artifact(name, media_type, digest, len(message.content))
    if not message.HasField("uri"):
        checks.add(field, "says neither content nor uri: send one of them")
        return Artifact(name, media_type, "", 0)
    uri = to_name(checks, f"{field}.uri", message.uri, max_characters=MAX_URI_CHARACTERS)
    if not DIGEST.fullmatch(message.digest):
        fact = 'is required where uri is given: send "sha256:" and the 64 lower-case hexadecimal digits of its bytes'
        checks.add(f"{field}.digest", fact)
    if message.size_bytes < 0:
        checks.add(f"{field}.size_bytes", f"{message.size_bytes} is negative: send how many bytes it has")
    return Artifact(name, media_type, message.digest, message.size_bytes, uri)


def _check_content(checks: Checks, field: str, message: pb.Artifact) -> str:
    """Return the digest of the bytes that were sent along; what is said of them may be left out, and must hold."""
    size = len(message.content)
    digest = f"sha256:{hashlib.sha256(message.content).hexdigest()}"
    if message.digest and message.digest != digest:
        checks.add(
            f"{field}.digest", f"is not that of content, which is {digest}: send what was meant, or leave it out"
        )
    if message.size_bytes and message.size_bytes != size:
        checks.add(f"{field}.size_bytes", f"{message.size_bytes} is not that of content, {size}: leave it out")
    return digest


def from_artifact(artifact: Artifact, blobs: Mapping[str, bytes]) -> pb.Artifact:
    """Encode an artefact, with its bytes where they were sent along and are at hand."""
    message = pb.Artifact(
        name=artifact.name,
        media_type=artifact.media_type,
        digest=artifact.digest,
        size_bytes=artifact.size_bytes,
    )
    if artifact.uri:
        message.uri = artifact.uri
    elif artifact.digest in blobs:
        message.content = blobs[artifact.digest]
    return message
