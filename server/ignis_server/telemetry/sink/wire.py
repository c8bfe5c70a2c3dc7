"""ListReceivedBatches: its request validated, a page of batches encoded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ignis.telemetry.v1 import delivery_audit_pb2 as pb
from ignis_server.errors import PageTokenInvalid
from ignis_server.rpc.checks import Checks
from ignis_server.rpc.cursor import decode_cursor, encode_cursor
from ignis_server.telemetry.sink.received import ReceivedBatch
from ignis_server.telemetry.wire import SIGNALS

__all__ = ["BatchPage", "from_batch_page", "to_batch_page"]

METHOD: Final = "ListReceivedBatches"
MAX_OUTBOX_CHARACTERS: Final = 128
DEFAULT_PAGE: Final = 1_000
MAX_PAGE: Final = 10_000


@dataclass(frozen=True, slots=True)
class BatchPage:
    """A page of the batches of an outbox, from a sequence on."""

    outbox_id: str
    start: int
    limit: int
    binding: str


def to_batch_page(request: pb.ListReceivedBatchesRequest) -> BatchPage:
    """Validate a request for a page.

    Raises:
        InvalidRequest: The request breaks rules; all of them are named.
        PageTokenInvalid: The token belongs to another request.
    """
    checks = Checks()
    outbox_id = checks.label("outbox_id", request.outbox_id, max_characters=MAX_OUTBOX_CHARACTERS)
    limit = checks.page_size(request.page_size, default=DEFAULT_PAGE, most=MAX_PAGE)
    if request.from_sequence < 0:
        checks.add("from_sequence", f"{request.from_sequence} is negative: send 0 for the first")
    checks.finish()
    binding = f"{outbox_id}\0{request.from_sequence}"
    start = request.from_sequence
    if request.page_token:
        position = decode_cursor(request.page_token, method=METHOD, binding=binding)
        if not position.isdecimal():
            raise PageTokenInvalid(METHOD)
        start = int(position)
    return BatchPage(outbox_id, start, limit, binding)


def from_batch_page(page: BatchPage, batches: Mapping[int, ReceivedBatch]) -> pb.ListReceivedBatchesResponse:
    """Encode a page."""
    there = sorted(sequence for sequence in batches if sequence >= page.start)
    shown, rest = there[: page.limit], there[page.limit :]
    return pb.ListReceivedBatchesResponse(
        batches=[_from_batch(sequence, batches[sequence]) for sequence in shown],
        next_page_token=encode_cursor(str(rest[0]), method=METHOD, binding=page.binding) if rest else "",
    )


def _from_batch(sequence: int, batch: ReceivedBatch) -> pb.ReceivedBatch:
    return pb.ReceivedBatch(
        sequence=sequence,
        signal=SIGNALS[batch.signal],
        digest=batch.digest,
        item_count=batch.item_count,
        received_count=batch.received_count,
        copy_count=batch.copy_count,
    )
