"""Asking a destination what it has, over the address that it is sent to."""

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING

import grpc

from ignis.telemetry.v1 import delivery_audit_pb2 as pb
from ignis.telemetry.v1.delivery_audit_pb2_grpc import DeliveryAuditServiceStub
from ignis_server.clock import Clock
from ignis_server.errors import DestinationCannotVerify, DestinationUnavailable
from ignis_server.telemetry.delivery.credentials import CredentialsUnusable
from ignis_server.telemetry.delivery.destination import Destination, Protocol, Route
from ignis_server.telemetry.delivery.shipping import credentials_of
from ignis_server.telemetry.delivery.tls import TlsUnusable, channel_credentials
from ignis_server.telemetry.verification import Audit, Heard

if TYPE_CHECKING:
    from ignis.telemetry.v1.delivery_audit_pb2_grpc import DeliveryAuditServiceAsyncStub

__all__ = ["GrpcAudit", "audits_of"]

PAGE = 10_000
SECONDS_A_PAGE = 10.0
PREFIX = "sha256:"


class GrpcAudit:
    """Asks a receiver that serves DeliveryAuditService; a channel for each comparison, as they are rare."""

    def __init__(self, name: str, route: Route, clock: Clock) -> None:
        self._name = name
        self._route = route
        self._credentials = credentials_of(route, clock)

    async def heard(self, outbox_id: str, from_sequence: int) -> AsyncIterator[tuple[int, Heard]]:
        """Yield the batches that it has of an outbox."""
        request = pb.ListReceivedBatchesRequest(outbox_id=outbox_id, from_sequence=from_sequence, page_size=PAGE)
        try:
            metadata = tuple((await self._credentials.headers()).items())
            async with self._channel() as channel:
                stub: DeliveryAuditServiceAsyncStub = DeliveryAuditServiceStub(channel)
                while True:
                    page = await stub.ListReceivedBatches(request, metadata=metadata, timeout=SECONDS_A_PAGE)
                    for batch in page.batches:
                        yield batch.sequence, Heard(_digest(batch.digest), batch.copy_count)
                    if not page.next_page_token:
                        return
                    request.page_token = page.next_page_token
        except (CredentialsUnusable, TlsUnusable) as error:
            raise DestinationUnavailable(self._name, str(error)) from error
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                raise DestinationCannotVerify(self._name, "it does not say what it has") from error
            raise DestinationUnavailable(self._name, error.code().name) from error

    def _channel(self) -> grpc.aio.Channel:
        if not self._route.is_secure:
            return grpc.aio.insecure_channel(self._route.endpoint)
        return grpc.aio.secure_channel(self._route.endpoint, channel_credentials(self._route.tls))


def audits_of(destinations: tuple[Destination, ...], clock: Clock) -> Mapping[str, Audit | None]:
    """Return for each destination how to ask it; None for one that nothing goes to by gRPC."""
    audits: dict[str, Audit | None] = {}
    for destination in destinations:
        routes = [route for route in destination.routes.values() if route.protocol is Protocol.GRPC]
        audits[destination.name] = GrpcAudit(destination.name, routes[0], clock) if routes else None
    return audits


def _digest(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix(PREFIX))
    except ValueError:
        return b""
