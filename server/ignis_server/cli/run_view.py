"""Runs as people see them: a header, and a line for each step. Pure: a run goes in, what rich can show comes out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ignis_client import InputKind, InputRequest, Run, RunState, Step, StepState, TokenUsage
from ignis_server.cli.consoles import new_table
from ignis_server.cli.run_picture import Picture, definition_id_of

__all__ = ["RunView", "asked", "elapsed", "one_line", "runs_table", "step_words", "tokens_of"]

# Where a workflow is one long chain, deeper steps would be pushed out of the terminal.
MAX_INDENT: Final = 8
# A header, the table's heading, a word on steps that are left out above and below, and the line of the cursor.
LINES_BESIDE_STEPS: Final = 5
MINUTE: Final = 60
HOUR: Final = 3600
FIRST_SECONDS: Final = 10

STEP_MARKS: Final = {
    StepState.UNKNOWN: ("·", "dim"),
    StepState.PENDING: ("·", "dim"),
    StepState.READY: ("○", ""),
    StepState.WORKING: ("●", "bold cyan"),
    StepState.BACKING_OFF: ("↻", "yellow"),
    StepState.INPUT_REQUIRED: ("?", "bold magenta"),
    StepState.COMPLETED: ("✓", "green"),
    StepState.SKIPPED: ("-", "dim"),
    StepState.FAILED: ("✗", "bold red"),
    StepState.CANCELED: ("■", "red"),
}
RUN_MARKS: Final = {
    RunState.UNKNOWN: ("·", "dim"),
    RunState.SUBMITTED: ("○", ""),
    RunState.WORKING: ("●", "bold cyan"),
    RunState.INPUT_REQUIRED: ("?", "bold magenta"),
    RunState.COMPLETED: ("✓", "green"),
    RunState.FAILED: ("✗", "bold red"),
    RunState.CANCELED: ("■", "red"),
}
ASKED: Final = {
    InputKind.UNKNOWN: "asks something that this program is too old to know",
    InputKind.APPROVAL: "asks for approval",
    InputKind.QUESTION: "asks",
    InputKind.UNKNOWN_EFFECT: "lost its worker, and asks whether it took effect",
}


@dataclass(frozen=True, slots=True)
class RunView:
    """How a run is shown.

    Attributes:
        depths: By how much each step of the workflow is indented, by id.
        max_lines: Lines that there is room for. None: as many as it takes.
        is_narrow: Whether agents are shown without the folders that they are in.
    """

    depths: Mapping[str, int] = field(default_factory=dict)
    max_lines: int | None = None
    is_narrow: bool = False

    def render(self, picture: Picture, now: datetime) -> Group:
        """Return a run as it stands at a moment."""
        steps = picture.run.steps
        above, below = _left_out(steps, None if self.max_lines is None else self.max_lines - LINES_BESIDE_STEPS)
        shown = steps[above : len(steps) - below]
        parts: list[Text | Table] = [_header(picture.run, now)]
        if above:
            parts.append(Text(f"… {above:,} steps before", style="dim"))
        if shown:
            parts.append(self._steps(shown, picture, now))
        if below:
            parts.append(Text(f"… {below:,} steps after", style="dim"))
        if picture.run.failure:
            failure = picture.run.failure
            of = f" of step {failure.step_id}" if failure.step_id else ""
            parts.append(Text(one_line(f"✗ {failure.code}{of}: {failure.message}"), style="red"))
        return Group(*parts)

    def _steps(self, steps: Iterable[Step], picture: Picture, now: datetime) -> Table:
        table = new_table()
        table.add_column("step", no_wrap=True)
        table.add_column("state", no_wrap=True)
        table.add_column("agent", style="cyan", no_wrap=True, overflow="ellipsis")
        table.add_column("attempt", justify="right", no_wrap=True)
        table.add_column("", no_wrap=True, overflow="ellipsis", ratio=1)
        table.add_column("tokens", justify="right", no_wrap=True)
        table.add_column("time", justify="right", no_wrap=True)
        for step in steps:
            indent = min(self.depths.get(definition_id_of(step.id), 0), MAX_INDENT)
            table.add_row(
                Text("  " * indent + step.id),
                _marked(step.state.value, STEP_MARKS[step.state]),
                Text(step.agent_id.rpartition("/")[2] if self.is_narrow else step.agent_id),
                str(step.attempt or ""),
                Text(step_words(step, picture), style="dim"),
                f"{tokens_of(step.usage):,}" if tokens_of(step.usage) else "",
                "" if step.start_time is None else elapsed((step.end_time or now) - step.start_time),
            )
        return table


def runs_table(runs: Sequence[Run], now: datetime) -> Table:
    """Return a line for each run."""
    table = new_table()
    table.add_column("run", no_wrap=True)
    table.add_column("workflow", style="cyan", overflow="fold")
    table.add_column("state", no_wrap=True)
    for heading in ("steps", "tokens", "time", "began"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("labels", overflow="fold")
    for run in runs:
        table.add_row(
            run.id,
            Text(run.definition_id),
            _marked(run.state.value, RUN_MARKS[run.state]),
            f"{run.progress.ended_steps:,}/{run.progress.known_steps:,}",
            f"{tokens_of(run.usage):,}",
            elapsed((run.end_time or now) - run.create_time),
            f"{run.create_time:%Y-%m-%d %H:%M:%S}",
            Text(one_line(", ".join(f"{name}={value}" for name, value in sorted(run.labels.items())))),
        )
    return table


def step_words(step: Step, picture: Picture) -> str:
    """Return what there is to say of a step: what it asks, why it failed, or how far it is."""
    for request in picture.run.input_requests:
        if request.step_id == step.id:
            return one_line(asked(request))
    if step.failure is not None and step.state is not StepState.COMPLETED:
        return one_line(f"{step.failure.code}: {step.failure.message}")
    return one_line(picture.told.get(step.id, ""))


def asked(request: InputRequest) -> str:
    """Return what a run asks, in a sentence."""
    choices = f" ({', '.join(request.choices)})" if request.choices else ""
    return f"{ASKED[request.kind]}{': ' if request.prompt else ''}{request.prompt}{choices}"


def one_line(text: str) -> str:
    """Return others' words without line breaks, and without what a terminal would obey."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in " ".join(text.split()))


def tokens_of(usage: TokenUsage) -> int:
    """Return all tokens that were used; what a cache had is part of the input."""
    return usage.input_tokens + usage.output_tokens


def elapsed(span: timedelta) -> str:
    """Return how long something takes, as exactly as one can read while it goes on."""
    # The server's clock may be ahead of this one.
    seconds = max(0.0, span.total_seconds())
    if seconds < FIRST_SECONDS:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE}:{whole % MINUTE:02}"
    return f"{whole // HOUR}:{whole % HOUR // MINUTE:02}:{whole % MINUTE:02}"


def _header(run: Run, now: datetime) -> Text:
    progress = run.progress
    return Text.assemble(
        (run.definition_id, "bold"),
        f"  {run.id}  ",
        _marked(run.state.value, RUN_MARKS[run.state]),
        f"  {elapsed((run.end_time or now) - run.create_time)}  {tokens_of(run.usage):,} tokens  "
        f"{progress.ended_steps:,}/{progress.known_steps:,} steps",
    )


def _marked(word: str, mark: tuple[str, str]) -> Text:
    symbol, style = mark
    return Text(f"{symbol} {word}", style=style)


def _left_out(steps: Sequence[Step], room: int | None) -> tuple[int, int]:
    """Return how many steps are not shown above and below, so that those under way are."""
    if room is None or len(steps) <= max(room, 1):
        return 0, 0
    first_open = next((place for place, step in enumerate(steps) if not step.state.is_terminal), len(steps))
    above = min(max(first_open - 1, 0), len(steps) - max(room, 1))
    return above, len(steps) - above - max(room, 1)
