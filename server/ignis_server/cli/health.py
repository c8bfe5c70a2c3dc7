"""`ignis health`: ask a server whether it serves; for health checks of containers."""

import sys
from typing import Annotated

import grpc
import typer
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ignis_server.cli.addresses import checked_address

__all__ = ["health"]


def health(
    server: Annotated[
        str, typer.Option(help="HOST:PORT of the server.", envvar="IGNIS_SERVER", callback=checked_address)
    ] = "127.0.0.1:50051",
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the answer.")] = 2.0,
) -> None:
    """Exit 0 if the server says SERVING, and 1 otherwise."""
    with grpc.insecure_channel(server) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        try:
            status = check(health_pb2.HealthCheckRequest(), timeout=timeout).status
        except grpc.RpcError as error:
            sys.stderr.write(f"ignis: {server} does not answer: {error.code().name}\n")
            raise typer.Exit(1) from error
    name = health_pb2.HealthCheckResponse.ServingStatus.Name(status)
    typer.echo(name)
    raise typer.Exit(0 if status == health_pb2.HealthCheckResponse.SERVING else 1)
