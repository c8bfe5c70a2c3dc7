"""Steps of a run as they stand, alone and side by side."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from ignis.workflow.v1 import workflow_pb2 as pb
from ignis_server.workflow.run import Completed, Held, Step, Working
from ignis_server.workflow.values import Json, digest_of
from ignis_server.workflow.wire.artifacts import from_artifact
from ignis_server.workflow.wire.documents import from_document
from ignis_server.workflow.wire.parts import STEP_STATES, from_failure, from_time, from_usage

__all__ = ["from_step", "from_steps", "from_whole_step", "inline_digests"]

# Of all outputs together, in a message that has the steps of a run.
MAX_OUTPUT_BYTES: Final = 2 << 20
NO_BLOBS: Final[Mapping[str, bytes]] = MappingProxyType({})


def inline_digests(step: Step) -> tuple[str, ...]:
    """Return the digests of the bytes that were sent along with a step's artefacts, which the run's journal has."""
    return tuple(dict.fromkeys(each.digest for each in _standing(step).artifacts if not each.uri))


def from_whole_step(step: Step, blobs: Mapping[str, bytes]) -> pb.GetStepResponse:
    """Encode a step with the whole of its output, and the bytes of its artefacts by their digest."""
    message = _from_step(step, blobs)
    if (output := _made(step)) is not None:
        message.output.CopyFrom(from_document(output))
    return pb.GetStepResponse(step=message)


def from_step(step: Step) -> pb.Step:
    """Encode a step; an output that is too large for what else a message holds is left out."""
    return next(iter(from_steps((step,))))


def from_steps(steps: Iterable[Step]) -> list[pb.Step]:
    """Encode steps; the largest outputs are left out where all have more than 2 MiB together.

    An output is one size as JSON and another as Protobuf, where a digit has 11 bytes. It must fit as both: as JSON first,
    so that no more than that is ever written to be thrown away.
    """
    steps = tuple(steps)
    outputs = {step.id: output for step in steps if (output := _made(step)) is not None}
    written = {
        step_id: from_document(outputs[step_id])
        for step_id in _fitting({step_id: len(output) for step_id, output in outputs.items()})
    }
    kept = _fitting({step_id: output.ByteSize() for step_id, output in written.items()})
    messages = [_from_step(step, NO_BLOBS) for step in steps]
    for message in messages:
        if message.id in kept:
            message.output.CopyFrom(written[message.id])
    return messages


def _fitting(sizes: Mapping[str, int]) -> frozenset[str]:
    """Return what is left when the largest are taken out until all others fit."""
    total = sum(sizes.values())
    kept = set(sizes)
    for step_id in sorted(sizes, key=lambda each: -sizes[each]):
        if total <= MAX_OUTPUT_BYTES:
            break
        total -= sizes[step_id]
        kept.remove(step_id)
    return frozenset(kept)


def _from_step(step: Step, blobs: Mapping[str, bytes]) -> pb.Step:
    """Encode everything but the output."""
    lease = step.standing if isinstance(step.standing, Working) else None
    output = _made(step)
    usage = step.usage + lease.usage if lease and lease.usage else step.usage
    return pb.Step(
        id=step.id,
        state=STEP_STATES[step.state],
        agent_id=step.agent_id,
        attempt=step.attempt,
        worker_id=lease.worker_id if lease else "",
        lease_expire_time=from_time(lease.lease_until) if lease else None,
        artifacts=(from_artifact(each, blobs) for each in _standing(step).artifacts),
        failure=from_failure(step.failure),
        usage=from_usage(usage),
        start_time=from_time(step.start_time),
        end_time=from_time(step.end_time),
        output_digest="" if output is None else digest_of(output),
        output_size_bytes=0 if output is None else len(output),
    )


def _made(step: Step) -> Json | None:
    """Return what a step has made: for good, or for a person to approve."""
    return _standing(step).output


def _standing(step: Step) -> Completed | Held:
    """Return where a step stands that has made something; one that has not is as one that was held with nothing."""
    return step.standing if isinstance(step.standing, Completed | Held) else Held()
