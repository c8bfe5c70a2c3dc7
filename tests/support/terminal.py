"""The program `ignis` at a terminal that a test sits at."""

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path

from support.program import ignis_program

__all__ = ["at_terminal"]

TIMEOUT_SECONDS = 60.0
LOOK_SECONDS = 0.2
ROWS, COLUMNS = 40, 140
# Ctrl-C reaches those whose session the terminal is of.
SIT_DOWN = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def at_terminal(arguments: Sequence[str | Path], said: Sequence[tuple[str, str]]) -> tuple[str, int]:
    """Return what the program has shown until its end, without its colours, and its exit status.

    Args:
        arguments: What stands behind the program's name.
        said: What to type, each after a text that has been shown since what was typed before.
    """
    terminal, screen = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {"PATH": os.defpath, "TERM": "xterm-256color", "IGNIS_CACHE_DIR": "", "LANG": "C.UTF-8"}
    command = [sys.executable, "-c", SIT_DOWN, ignis_program(), *arguments]
    with subprocess.Popen(
        command, env=environment, stdin=screen, stdout=screen, stderr=screen, start_new_session=True
    ) as program:
        os.close(screen)
        try:
            shown = _sat_at(terminal, list(said))
            return shown, program.wait(TIMEOUT_SECONDS)
        finally:
            program.kill()
            os.close(terminal)


def _sat_at(terminal: int, to_say: list[tuple[str, str]]) -> str:
    shown, seen = b"", 0
    end = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < end:
        if select.select([terminal], [], [], LOOK_SECONDS)[0]:
            try:
                shown += os.read(terminal, 1 << 16)
            except OSError:
                # The last who had the terminal open has closed it.
                return _plain(shown)
        if to_say and to_say[0][0] in _plain(shown[seen:]):
            seen = len(shown)
            os.write(terminal, to_say.pop(0)[1].encode())
    raise AssertionError(f"the program has not ended: {_plain(shown)}")


def _plain(shown: bytes) -> str:
    return ESCAPES.sub("", shown.decode("utf-8", "replace")).replace("\r", "")
