"""Where a run is shown while it goes on: in a view of the terminal that keeps up, or line by line."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

from rich.console import Console, RenderableType
from rich.live import Live

from ignis_client import Run, RunEvent
from ignis_server.cli.run_lines import event_line, run_line
from ignis_server.cli.run_picture import Picture
from ignis_server.cli.run_view import RunView

__all__ = ["Display", "Lines", "LiveView"]

# Beside the whole id of an agent, its folders and all, nothing else would have room in less.
WIDE: Final = 120


class Display:
    """Shows nothing of a run; what shows something does more. Is left by `with`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return

    def happened(self, said: Run | RunEvent) -> None:
        """Take note of what a watch said."""

    def show(self, picture: Picture) -> None:
        """Show how things stand, some time having passed or something having happened."""

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the terminal to a question until the block ends."""
        yield


class Lines(Display):
    """Prints a line for each event."""

    def __init__(self, console: Console) -> None:
        """Print to a console."""
        self._console = console

    def happened(self, said: Run | RunEvent) -> None:
        """Print what a watch said."""
        line = run_line(said) if isinstance(said, Run) else event_line(said)
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        # Whoever reads a pipe sees each event when it happens.
        self._console.file.flush()


class LiveView(Display):
    """Keeps a view of the whole run up to date in a terminal."""

    def __init__(self, console: Console, depths: Mapping[str, int]) -> None:
        """Show on a console, with steps indented as they depend on each other."""
        self._console = console
        self._depths = depths
        self._live: Live | None = None
        self._is_paused = False
        self._picture: Picture | None = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the last view in the terminal, whole."""
        if self._picture is not None and self._live is not None:
            self._live.update(self._view(self._picture, None))
            self._live.vertical_overflow = "visible"
        self._stop()

    def show(self, picture: Picture) -> None:
        """Show how things stand now."""
        self._picture = picture
        if self._is_paused:
            return
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()
        self._live.update(self._view(picture, self._console.height), refresh=True)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the view where it is; the next one stands below the question."""
        self._is_paused = True
        self._stop()
        try:
            yield
        finally:
            self._is_paused = False

    def _view(self, picture: Picture, max_lines: int | None) -> RenderableType:
        view = RunView(self._depths, max_lines=max_lines, is_narrow=self._console.width < WIDE)
        return view.render(picture, datetime.now(UTC))

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
