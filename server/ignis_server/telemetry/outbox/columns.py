"""Values as they come out of a database that may be damaged: what is not what it should be is told apart here."""

from ignis_server.telemetry.model import Signal
from ignis_server.telemetry.outbox.trouble import StoreCorrupt

__all__ = ["number_in", "signal_in", "text_in"]


def number_in(value: object) -> int:
    """Return a number.

    Raises:
        StoreCorrupt: It is none.
    """
    if not isinstance(value, int):
        raise StoreCorrupt(f"{type(value).__name__} where a number should be")
    return value


def text_in(value: object) -> str:
    """Return a text.

    Raises:
        StoreCorrupt: It is none.
    """
    if not isinstance(value, str):
        raise StoreCorrupt(f"{type(value).__name__} where a text should be")
    return value


def signal_in(value: object) -> Signal:
    """Return a signal.

    Raises:
        StoreCorrupt: It is none.
    """
    try:
        return Signal(text_in(value))
    except ValueError as error:
        raise StoreCorrupt("no signal where one should be") from error
