"""What is said to a model and what it said: the messages of a step, and an answer put together from its chunks."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from ignis_client.executors.echo import DEFAULT_OUTPUT
from ignis_client.people import Answer, Approval, InputAnswer, Rejection
from ignis_client.run import TokenUsage
from ignis_client.values import JsonValue
from ignis_client.worker_step import WorkerStep

__all__ = ["ChatAnswer", "messages_of", "outputs_of"]

FENCE: Final = "```"


class ChatAnswer:
    """An answer that grows chunk by chunk.

    Attributes:
        length: Characters of its text so far.
        refusal: What the model says instead of an answer; empty where it does not.
        finish_reason: How it ended; empty until it has.
        usage: Tokens, where the endpoint has told them.
    """

    def __init__(self) -> None:
        self.length = 0
        self.refusal = ""
        self.finish_reason = ""
        self.usage: TokenUsage | None = None
        # Joined once: an answer comes in thousands of pieces.
        self._pieces: list[str] = []

    @property
    def text(self) -> str:
        """All of its text."""
        return "".join(self._pieces)

    def take(self, chunk: Mapping[str, JsonValue]) -> None:
        """Add a chunk; what is not where it should be is passed over."""
        usage = chunk.get("usage")
        if isinstance(usage, Mapping):
            self.usage = _usage_of(usage)
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
            return
        choice = choices[0]
        delta = choice.get("delta")
        if isinstance(delta, Mapping):
            piece = _text_of(delta.get("content"))
            self._pieces.append(piece)
            self.length += len(piece)
            self.refusal += _text_of(delta.get("refusal"))
        self.finish_reason = _text_of(choice.get("finish_reason")) or self.finish_reason


def messages_of(step: WorkerStep, fetched: Mapping[str, JsonValue]) -> list[dict[str, str]]:
    """Return what a model is told: who it is, what to do, with what, and how to answer.

    Args:
        step: The step.
        fetched: Outputs of earlier steps that are not in its inputs, by step.
    """
    definition = step.definition
    parts = [definition.instruction]
    if step.inputs:
        parts.append(f"Inputs, as JSON:\n{_json(step.inputs)}")
    if fetched:
        parts.append(f"Outputs of earlier steps, as JSON:\n{_json(fetched)}")
    if step.item is not None:
        parts.append(f"The item that this is about, as JSON:\n{_json(step.item)}")
    if step.answers:
        parts.append("What people said of it before, oldest first:\n" + "\n".join(map(_said, step.answers)))
    if len(definition.outputs) > 1:
        parts.append(f"Answer with one JSON object and nothing else. Its keys are: {', '.join(definition.outputs)}.")
    user = {"role": "user", "content": "\n\n".join(part for part in parts if part)}
    return [{"role": "system", "content": step.bundle.content}, user] if step.bundle.content else [user]


def outputs_of(text: str, names: Sequence[str]) -> dict[str, JsonValue]:
    """Return the outputs that an answer holds.

    A JSON object with all the names, in a fence or not, is taken apart; any other text is the first output.
    """
    if names:
        try:
            value = json.loads(_unfenced(text), parse_constant=_refused)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict) and all(name in value for name in names):
            return {name: value[name] for name in names}
    return {names[0] if names else DEFAULT_OUTPUT: text}


def _refused(constant: str) -> None:
    raise ValueError(f"JSON has no {constant}")


def _unfenced(text: str) -> str:
    stripped = text.strip()
    if stripped.startswith(FENCE) and stripped.endswith(FENCE) and "\n" in stripped:
        return stripped.partition("\n")[2].removesuffix(FENCE)
    return stripped


def _said(answer: InputAnswer) -> str:
    match answer.decision:
        case Approval(comment):
            return f"- approved{': ' if comment else ''}{comment}"
        case Rejection(comment):
            return f"- rejected{': ' if comment else ''}{comment}"
        case Answer(value):
            return f"- answered: {_json(value)}"
        case None:
            return "- said something that this worker is too old to know"


def _usage_of(usage: Mapping[str, JsonValue]) -> TokenUsage:
    details = usage.get("prompt_tokens_details")
    return TokenUsage(
        input_tokens=_count_of(usage.get("prompt_tokens")),
        output_tokens=_count_of(usage.get("completion_tokens")),
        cache_read_tokens=_count_of(details.get("cached_tokens")) if isinstance(details, Mapping) else 0,
    )


def _count_of(value: JsonValue) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63 else 0


def _text_of(value: JsonValue) -> str:
    return value if isinstance(value, str) else ""


def _json(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)
