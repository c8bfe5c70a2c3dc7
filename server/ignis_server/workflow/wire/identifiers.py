"""Ids, labels and words that requests name things by: checked so that any database can keep them and look them up."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final

from google.protobuf.message import Message

from ignis_server.rpc.checks import Checks
from ignis_server.workflow.limits import MAX_ID_CHARACTERS

__all__ = [
    "request_digest",
    "to_definition_id",
    "to_labels",
    "to_message",
    "to_name",
    "to_names",
    "to_request_id",
    "to_run_id",
    "to_step_id",
    "to_worker_id",
]

MAX_LABELS: Final = 16
MAX_LABEL_CHARACTERS: Final = 128
# Of what is wrong, as much as tells which one it is.
MAX_SHOWN_CHARACTERS: Final = 40
# A run's id is a UUID of 36, a step's has 64 and "[999]", and that of what it asks ".approval.1000" behind that.
MAX_NAME_CHARACTERS: Final = 128
UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def to_name(checks: Checks, field: str, value: str, *, max_characters: int = MAX_NAME_CHARACTERS) -> str:
    """Check a short text by which something is found; return it stripped.

    Control characters are refused: PostgreSQL keeps no NUL, and nobody sees the others in a log.
    """
    name = checks.label(field, value, max_characters=max_characters)
    for letter in name:
        if unicodedata.category(letter) == "Cc":
            checks.add(field, f"holds the control character U+{ord(letter):04X}: take it out")
            break
    return name


def to_names(
    checks: Checks, field: str, values: Sequence[str], *, max_count: int, max_characters: int = MAX_NAME_CHARACTERS
) -> frozenset[str]:
    """Check the number of some names, and each of them; return them stripped."""
    if len(values) > max_count:
        checks.add(field, f"{len(values)} entries are more than the {max_count} allowed: send fewer")
        return frozenset()
    return frozenset(
        to_name(checks, f"{field}[{number}]", value, max_characters=max_characters)
        for number, value in enumerate(values)
    )


def to_run_id(checks: Checks, value: str, field: str = "run_id") -> str:
    """Check the id of a run. That it is one of ours is for the journal to say."""
    return to_name(checks, field, value)


def to_step_id(checks: Checks, value: str, field: str = "step_id") -> str:
    """Check the id of a step."""
    return to_name(checks, field, value)


def to_worker_id(checks: Checks, value: str, field: str = "worker_id") -> str:
    """Check the name that a worker gives itself."""
    return to_name(checks, field, value)


def to_definition_id(checks: Checks, value: str, field: str) -> str:
    """Check the id or name of a workflow."""
    return to_name(checks, field, value, max_characters=MAX_ID_CHARACTERS)


def to_request_id(checks: Checks, value: str) -> str:
    """Check a request's id, a UUID; return it in lower case, as the same UUID is the same request."""
    if not value:
        checks.add("request_id", "must not be empty: make a UUID, which makes repetition safe")
    elif not UUID.fullmatch(value):
        checks.add(
            "request_id",
            f"{value[:MAX_SHOWN_CHARACTERS]!r} is no UUID: make one, such as 0192f0c1-7a3e-7c55-9b1e-3f3f6f1d2a10",
        )
    return value.lower()


def to_labels(checks: Checks, labels: Mapping[str, str]) -> dict[str, str]:
    """Check labels; they are kept as they are, spaces included."""
    if len(labels) > MAX_LABELS:
        checks.add("labels", f"{len(labels)} entries are more than the {MAX_LABELS} allowed: send fewer")
        return {}
    for key in sorted(labels):
        shown = repr(key[:MAX_SHOWN_CHARACTERS])
        to_name(checks, f"labels key {shown}", key, max_characters=MAX_LABEL_CHARACTERS)
        to_name(checks, f"labels[{shown}]", labels[key], max_characters=MAX_LABEL_CHARACTERS)
    return dict(labels)


def to_message(checks: Checks, field: str, value: str, *, max_characters: int) -> str:
    """Check the length of words for people; they may be none."""
    if len(value) > max_characters:
        checks.add(field, f"{len(value)} characters are more than the {max_characters} allowed: shorten it")
    return value


def request_digest(message: Message, *, without: tuple[str, ...] = ("request_id",)) -> str:
    """Return "sha256:" and the hexadecimal SHA-256 of a request's type and content, some fields left out.

    Two requests with one id and different digests are not the same request. It is compared for a day, between replicas that
    may be of different releases: fields that an older one does not know are part of it as they came.
    """
    content = type(message)()
    content.CopyFrom(message)
    for field in without:
        content.ClearField(field)
    written = message.DESCRIPTOR.full_name.encode() + b"\0" + content.SerializeToString(deterministic=True)
    return f"sha256:{hashlib.sha256(written).hexdigest()}"
