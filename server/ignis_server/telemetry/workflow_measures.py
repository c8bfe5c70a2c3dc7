"""How runs get on: where they come to, how long they and their attempts take, and the tokens that these use."""

from ignis_server.signal_table import ATTEMPT_DURATION, RUN_DURATION, RUNS, TOKEN_USAGE
from ignis_server.signals import AttemptEnded, RunEnded, RunReached
from ignis_server.telemetry.instruments import Instruments

__all__ = ["WorkflowMeasures"]

NANOSECONDS = 1e9


class WorkflowMeasures:
    """The instruments that signals of workflows move."""

    def __init__(self, instruments: Instruments) -> None:
        self._runs = instruments.counter(RUNS)
        self._run_seconds = instruments.histogram(RUN_DURATION)
        self._attempt_seconds = instruments.histogram(ATTEMPT_DURATION)
        self._tokens = instruments.histogram(TOKEN_USAGE)

    def record(self, signal: RunReached | RunEnded | AttemptEnded) -> None:
        """Record the measurements of a signal."""
        match signal:
            case RunReached(state):
                self._runs.add(1, {"ignis.run.state": state})
            case RunEnded():
                seconds = (signal.ended_ns - signal.began_ns) / NANOSECONDS
                self._run_seconds.record(seconds, {"ignis.run.state": signal.state})
            case AttemptEnded():
                seconds = (signal.ended_ns - signal.began_ns) / NANOSECONDS
                self._attempt_seconds.record(seconds, {"ignis.step.outcome": signal.outcome})
                for kind, tokens in (("input", signal.tokens.input_tokens), ("output", signal.tokens.output_tokens)):
                    if tokens:
                        told = {"gen_ai.operation.name": "invoke_agent", "gen_ai.token.type": kind}
                        self._tokens.record(tokens, told)
