"""TelemetryService, as far as it is served: decode, call the use case, encode."""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from ignis.telemetry.v1 import telemetry_pb2 as pb
from ignis.telemetry.v1.telemetry_pb2_grpc import TelemetryServiceServicer
from ignis_server.errors import DestinationNotFound
from ignis_server.telemetry import wire
from ignis_server.telemetry.model import Batch, LedgerRow, Signal
from ignis_server.telemetry.verification import Audit, Kept, verify

__all__ = ["SERVED", "KeptTelemetry", "TelemetryService"]

SERVED: Final = ("GetDeliveryLedger", "VerifyDelivery", "PreviewEgress")


class KeptTelemetry(Kept, Protocol):
    """The outbox, as this service sees it."""

    @property
    def size_bytes(self) -> int:
        """Bytes that wait."""
        ...

    @property
    def max_bytes(self) -> int:
        """Bytes that may."""
        ...

    async def ledger(self) -> Sequence[LedgerRow]:
        """Return the account of each signal at each destination."""
        ...

    async def waiting(self, destination: str, signal: Signal, limit: int) -> Sequence[Batch]:
        """Return what is to be sent to a destination next, by sequence."""
        ...


class TelemetryService(TelemetryServiceServicer):
    """The telemetry capability at its gRPC door; the .proto is its manual."""

    def __init__(self, kept: KeptTelemetry, audits: Mapping[str, Audit | None]) -> None:
        """Make it.

        Args:
            kept: The outbox.
            audits: For each destination, how to ask it what it has; None where it cannot be asked.
        """
        self._kept = kept
        self._audits = audits

    async def GetDeliveryLedger(
        self, request: pb.GetDeliveryLedgerRequest, context: object
    ) -> pb.GetDeliveryLedgerResponse:
        destination = wire.to_ledger_destination(request)
        if destination:
            self._check(destination)
        rows = [row for row in await self._kept.ledger() if destination in {"", row.destination}]
        return wire.from_ledger(rows, size_bytes=self._kept.size_bytes, max_bytes=self._kept.max_bytes)

    async def VerifyDelivery(self, request: pb.VerifyDeliveryRequest, context: object) -> pb.VerifyDeliveryResponse:
        destination, from_sequence = wire.to_verification(request)
        return wire.from_verification(await verify(self._kept, self._audits, destination, from_sequence))

    async def PreviewEgress(self, request: pb.PreviewEgressRequest, context: object) -> pb.PreviewEgressResponse:
        preview = wire.to_preview(request)
        self._check(preview.destination)
        waiting = [
            batch
            for signal in preview.signals
            for batch in await self._kept.waiting(preview.destination, signal, preview.limit)
        ]
        return wire.from_batches(sorted(waiting, key=lambda batch: batch.sequence)[: preview.limit])

    def _check(self, destination: str) -> None:
        if destination not in self._audits:
            raise DestinationNotFound(destination, tuple(sorted(self._audits)))
