"""Events as bytes: what any release has written can be read by this one.

`events/` holds, for each name that was ever written, bytes that some release wrote. They are never changed. A new name gets a
file once: `python tests/unit/workflow/test_event_codec.py` writes those that are missing.
"""

from dataclasses import MISSING, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from ignis_server.workflow.event_codec import EVENT_NAMES, decode_events, encode_events
from ignis_server.workflow.events import (
    Event,
    InputAnswered,
    InputApproved,
    InputRejected,
    InputRequested,
    LeaseExtended,
    Recorded,
    RunCanceled,
    RunCompleted,
    RunFailed,
    RunStarted,
    RunStateChanged,
    StepBackedOff,
    StepCanceled,
    StepClaimed,
    StepCompleted,
    StepExpanded,
    StepFailed,
    StepHeld,
    StepReady,
    StepReleased,
    StepSkipped,
)
from ignis_server.workflow.values import Json
from ignis_server.workflow.words import Artifact, Failure, InputKind, RunState, SkipReason, TokenUsage

FOLDER = Path(__file__).parent / "events"
TIME = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
FAILURE = Failure("timeout", "it took too long", is_retryable=True, step_id="a[1]")
USAGE = TokenUsage(1, 2, 3, 4)
ARTIFACTS = (Artifact("a.md", "text/markdown", "sha256:00", 5, "https://example.org/a.md"), Artifact("b", "c", "d", 0))

# What the files hold, with every field set to something else than its default.
MEANT: dict[str, Event] = {
    "run-started.1": RunStarted(
        "run-1",
        "flow",
        "sha256:11",
        Json(b'{"n":1}'),
        "a brief",
        100,
        {"team": "a"},
        {"traceparent": "00"},
        "command-1",
    ),
    "run-state-changed.1": RunStateChanged(RunState.INPUT_REQUIRED),
    "run-completed.1": RunCompleted(),
    "run-failed.1": RunFailed(FAILURE),
    "run-canceled.1": RunCanceled("command-2", "not needed"),
    "step-ready.1": StepReady("a[1]"),
    "step-expanded.1": StepExpanded("a", 3),
    "step-skipped.1": StepSkipped("a[1]", SkipReason.FAILED, FAILURE, USAGE, is_reported=True),
    "step-claimed.1": StepClaimed(
        "a[1]", 2, "worker-1", "command-3", "agents/pm", timedelta(seconds=30), TIME, TIME + timedelta(hours=1)
    ),
    "lease-extended.1": LeaseExtended("a[1]", 2, TIME, "half way", USAGE),
    "step-released.1": StepReleased("a[1]", 2, FAILURE),
    "step-backed-off.1": StepBackedOff("a[1]", 2, FAILURE, TIME, USAGE, is_reported=True),
    "step-held.1": StepHeld("a[1]", 2, Json(b'{"x":[]}'), ARTIFACTS, FAILURE, USAGE, is_reported=True),
    "step-completed.1": StepCompleted("a[1]", Json(b'{"x":[]}'), ARTIFACTS, USAGE),
    "step-failed.1": StepFailed("a[1]", FAILURE, USAGE, is_reported=True),
    "step-canceled.1": StepCanceled("a[1]"),
    "input-requested.1": InputRequested("i", "a[1]", InputKind.QUESTION, "how?", ("x", "y"), TIME),
    "input-approved.1": InputApproved("i", "command-4", "fine"),
    "input-rejected.1": InputRejected("i", "command-5", "no", fail_run=True),
    "input-answered.1": InputAnswered("i", "command-6", Json(b'"x"')),
}


def test_every_name_has_bytes_that_are_kept() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.msgpack")) == sorted(MEANT)


def test_every_kind_of_event_has_a_name() -> None:
    assert set(EVENT_NAMES.values()) == set(Event.__args__)
    assert set(EVENT_NAMES) <= set(MEANT)


@pytest.mark.parametrize("name", MEANT)
def test_bytes_of_old_are_read(name: str) -> None:
    (recorded,) = decode_events((FOLDER / f"{name}.msgpack").read_bytes())

    assert recorded == Recorded(7, TIME, MEANT[name])
    assert type(recorded.event) is type(MEANT[name])


@pytest.mark.parametrize("name", MEANT)
def test_fields_that_an_old_release_did_not_know_get_their_defaults(name: str) -> None:
    """A field that is added later is missing in old bytes; all that have defaults today stand for it."""
    format_, version, time, events = msgspec.msgpack.decode((FOLDER / f"{name}.msgpack").read_bytes())
    kind = EVENT_NAMES[name]
    required = {each.name for each in fields(kind) if each.default is MISSING and each.default_factory is MISSING}
    needed = {key: value for key, value in events[0][1].items() if key in required}
    older = msgspec.msgpack.encode([format_, version, time, [[name, needed]]])

    (recorded,) = decode_events(older)

    assert isinstance(recorded.event, kind)


def test_several_events_are_kept_together() -> None:
    recorded = tuple(Recorded(number, TIME, event) for number, event in enumerate(MEANT.values(), start=3))

    assert decode_events(encode_events(recorded)) == recorded


def test_unknown_fields_of_a_newer_release_are_passed_over() -> None:
    content = msgspec.msgpack.encode([1, 1, TIME, [["step-ready.1", {"step_id": "a", "mood": "good"}]]])

    assert decode_events(content) == (Recorded(1, TIME, StepReady("a")),)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "hold no events"),
        (b"\xc1", "hold no events"),
        (msgspec.msgpack.encode([2, 1, TIME, []]), "events of format 2"),
        (msgspec.msgpack.encode([1, 1, TIME, [["step-ready.9", {}]]]), "'step-ready.9' is of a newer release"),
        (msgspec.msgpack.encode([1, 1, TIME, [["step-ready.1", {}]]]), "hold no events"),
    ],
)
def test_other_bytes_are_told(content: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        decode_events(content)


def main() -> None:
    """Write the files that are missing."""
    FOLDER.mkdir(exist_ok=True)
    for name, event in MEANT.items():
        path = FOLDER / f"{name}.msgpack"
        if not path.exists():
            path.write_bytes(encode_events([Recorded(7, TIME, event)]))


if __name__ == "__main__":
    main()
