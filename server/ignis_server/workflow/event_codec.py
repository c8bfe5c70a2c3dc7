"""Events as bytes, for the journal: what was written years ago must be read, so every kind has a name with a version.

A field that is added has a default, which old bytes get. A change that a default cannot carry gets the next version under
a name of its own, and the old name stays, with a function that turns old into new. tests/unit/workflow/events holds
bytes of every name that was ever written.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

import msgspec

from ignis_server.workflow import events
from ignis_server.workflow.events import Event, Recorded

__all__ = ["EVENT_NAMES", "decode_events", "encode_events"]

FORMAT = 1

EVENT_NAMES: Mapping[str, type[Event]] = MappingProxyType(
    {
        "run-started.1": events.RunStarted,
        "run-state-changed.1": events.RunStateChanged,
        "run-completed.1": events.RunCompleted,
        "run-failed.1": events.RunFailed,
        "run-canceled.1": events.RunCanceled,
        "step-ready.1": events.StepReady,
        "step-expanded.1": events.StepExpanded,
        "step-skipped.1": events.StepSkipped,
        "step-claimed.1": events.StepClaimed,
        "lease-extended.1": events.LeaseExtended,
        "step-released.1": events.StepReleased,
        "step-backed-off.1": events.StepBackedOff,
        "step-held.1": events.StepHeld,
        "step-completed.1": events.StepCompleted,
        "step-failed.1": events.StepFailed,
        "step-canceled.1": events.StepCanceled,
        "input-requested.1": events.InputRequested,
        "input-approved.1": events.InputApproved,
        "input-rejected.1": events.InputRejected,
        "input-answered.1": events.InputAnswered,
    }
)


class _Batch(msgspec.Struct, array_like=True, frozen=True):
    """Events that were decided together: they share a time, and their numbers follow each other."""

    format: int
    version: int
    time: datetime
    events: list[tuple[str, msgspec.Raw]]


_NAMES = {kind: name for name, kind in EVENT_NAMES.items()}
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Batch)
_DECODERS = {name: msgspec.msgpack.Decoder(kind) for name, kind in EVENT_NAMES.items()}


def encode_events(recorded: Sequence[Recorded]) -> bytes:
    """Return the events of one decision as bytes; there is at least one."""
    first = recorded[0]
    encoded = [(_NAMES[type(each.event)], msgspec.Raw(_ENCODER.encode(each.event))) for each in recorded]
    return _ENCODER.encode(_Batch(FORMAT, first.version, first.time, encoded))


def decode_events(content: bytes) -> tuple[Recorded, ...]:
    """Return the events that some bytes hold.

    Raises:
        ValueError: They hold none, or such as only a newer release knows.
    """
    try:
        batch = _DECODER.decode(content)
        if batch.format != FORMAT:
            raise ValueError(f"events of format {batch.format}: this release reads {FORMAT}")
        return tuple(
            Recorded(version, batch.time, _DECODERS[name].decode(raw))
            for version, (name, raw) in enumerate(batch.events, start=batch.version)
        )
    except msgspec.DecodeError as error:
        raise ValueError(f"the bytes hold no events: {error}") from error
    except KeyError as error:
        raise ValueError(f"the event {error} is of a newer release") from error
