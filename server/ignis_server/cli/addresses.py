"""Addresses of servers as the command line is given them."""

import typer

__all__ = ["DEFAULT_SERVER", "checked_address"]

DEFAULT_SERVER = "127.0.0.1:50051"

MAX_PORT = 65_535


def checked_address(address: str) -> str:
    """Return an address if its port is one; gRPC would take 99999 for 34463.

    Raises:
        typer.BadParameter: It is not HOST:PORT.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) <= MAX_PORT:
        raise typer.BadParameter(f"{address!r} is not HOST:PORT, such as 127.0.0.1:50051")
    return address
