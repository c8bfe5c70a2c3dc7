"""Log lines: an event's name with fields, as JSON for machines or in colour for people."""

import logging
import sys

import structlog
from structlog.typing import Processor

__all__ = ["configure_logs"]

# Without the values of local variables, which hold what callers wrote.
TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


def configure_logs(level: str, relay: Processor | None = None) -> None:
    """Write log lines to standard error: in colour to a terminal, as JSON to anything else.

    Args:
        level: The least level of lines.
        relay: Sees each line before it is written, and may add to it.
    """
    is_terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if relay is None else [relay]),
            *([] if is_terminal else [TRACEBACKS]),
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
            if is_terminal
            else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries' own lines: only what an operator must see.
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
