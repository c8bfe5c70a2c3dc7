"""TLS for both protocols, from files that may change under us."""

import ssl
from collections.abc import Iterable
from pathlib import Path

import grpc

from ignis_server.telemetry.delivery.destination import TlsFiles

__all__ = ["TlsUnusable", "channel_credentials", "ssl_context", "stamp"]


class TlsUnusable(Exception):
    """Files for TLS cannot be read, or do not hold what they should; `str()` of it names the file."""


def stamp(paths: Iterable[Path]) -> tuple[object, ...]:
    """Return something that differs once one of the files was written or replaced."""
    return tuple(_stamp(path) for path in paths)


def ssl_context(files: TlsFiles) -> ssl.SSLContext:
    """Return a context that checks certificates and names of hosts. Reads files: not for the event loop.

    Raises:
        TlsUnusable: A file cannot be read, or key and certificate do not belong together.
    """
    try:
        context = ssl.create_default_context(cafile=files.ca)
    except (OSError, ssl.SSLError) as error:
        raise TlsUnusable(f"cannot use the authorities in {files.ca}: {_reason(error)}") from error
    if files.certificate is not None:
        try:
            # Without a password a key that is encrypted would be asked for on the terminal.
            context.load_cert_chain(files.certificate, files.key, password="")
        except (OSError, ssl.SSLError) as error:
            message = f"cannot use the certificate in {files.certificate} with the key in {files.key}: {_reason(error)}"
            raise TlsUnusable(message) from error
    return context


def channel_credentials(files: TlsFiles) -> grpc.ChannelCredentials:
    """Return the same for gRPC. Reads files: not for the event loop.

    Raises:
        TlsUnusable: As above.
    """
    # gRPC finds out only while it connects, and then says no more than that it could not.
    ssl_context(files)
    try:
        ca, certificate, key = (
            path.read_bytes() if path is not None else None for path in (files.ca, files.certificate, files.key)
        )
    except OSError as error:
        raise TlsUnusable(f"cannot read {error.filename}: {_reason(error)}") from error
    return grpc.ssl_channel_credentials(root_certificates=ca, private_key=key, certificate_chain=certificate)


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _stamp(path: Path) -> object:
    try:
        found = path.stat()
    except OSError as error:
        return error.errno
    return found.st_mtime_ns, found.st_size, found.st_ino
