"""A run as simple as can be: what the state machine is compared with. Shares nothing with it but the words.

No events, no versions, no expressions: a dictionary of phases, changed in place. Conditions are known beforehand, and so is
how often a step is repeated.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["ModelRun", "ModelStep"]

ENDED = ("completed", "skipped", "failed", "canceled")
MAX_FAILURES = 2
MAX_LOST = 16


@dataclass(frozen=True)
class ModelStep:
    """What a step is: `width` is how often it is repeated, None where it is not."""

    id: str
    needs: tuple[str, ...]
    kind: str
    is_done: bool = True
    width: int | None = None
    is_once: bool = False
    is_approved: bool = False
    is_optional: bool = False


@dataclass
class Instance:
    """Where a step stands."""

    step: ModelStep
    phase: str = "pending"
    attempt: int = 0
    owner: str = ""
    failures: int = 0
    lost: int = 0
    reports: dict[int, str] = field(default_factory=dict)
    question: str = ""


class ModelRun:
    """A run. Each method says what comes of it: "ok", "nothing", "lost", "not-asked" or "unfit"."""

    def __init__(self, steps: list[ModelStep]) -> None:
        self.steps = {step.id: step for step in steps}
        self.instances = {step.id: Instance(step) for step in steps}
        self.is_canceled = False
        self.was_worked_on = False
        self.said: dict[str, str] = {}
        self._come_up()

    @property
    def phase(self) -> str:
        """Where the run stands."""
        phases = [each.phase for each in self.instances.values()]
        if self.is_canceled:
            return "canceled"
        if "failed" in phases:
            return "failed"
        if all(phase in ENDED for phase in phases):
            return "completed"
        if not any(phase in {"ready", "working", "backing-off"} for phase in phases):
            self.was_worked_on = True
            return "input-required"
        self.was_worked_on |= "working" in phases
        return "working" if self.was_worked_on else "submitted"

    def phases(self) -> dict[str, tuple[str, int]]:
        """Where every step stands, and in which attempt."""
        return {key: (each.phase, each.attempt) for key, each in self.instances.items()}

    def claim(self, key: str, worker: str) -> str:
        """A worker wants a step."""
        instance = self.instances[key]
        if instance.phase != "ready":
            return "nothing"
        instance.phase, instance.owner, instance.attempt = "working", worker, instance.attempt + 1
        return self._settled()

    def complete(self, key: str, attempt: int, worker: str) -> str:
        """A worker says that it is done."""
        instance = self.instances[key]
        if instance.reports.get(attempt) == "complete":
            return "nothing"
        if not self._owns(instance, attempt, worker):
            return "lost"
        instance.reports[attempt] = "complete"
        if instance.step.is_approved:
            self._ask(instance, key, f"{key}.approval.{attempt}")
        else:
            instance.phase = "completed"
        return self._settled()

    def fail(self, key: str, attempt: int, worker: str, *, may_retry: bool) -> str:
        """A worker says that it could not be done."""
        instance = self.instances[key]
        if instance.reports.get(attempt) == "fail":
            return "nothing"
        if not self._owns(instance, attempt, worker):
            return "lost"
        instance.reports[attempt] = "fail"
        self._failed(key, may_retry=may_retry)
        return self._settled()

    def time_out(self, key: str, attempt: int) -> str:
        """An attempt takes too long."""
        instance = self.instances[key]
        if instance.phase != "working" or instance.attempt != attempt:
            return "nothing"
        self._failed(key, may_retry=True)
        return self._settled()

    def lose(self, key: str, attempt: int) -> str:
        """A worker is not heard of any more."""
        instance = self.instances[key]
        if instance.phase != "working" or instance.attempt != attempt:
            return "nothing"
        instance.lost += 1
        if instance.step.is_once:
            self._ask(instance, key, f"{key}.effect.{attempt}")
        elif instance.lost >= MAX_LOST:
            self._give_up(instance)
        else:
            instance.phase = "ready"
        return self._settled()

    def retry(self, key: str, attempt: int) -> str:
        """A back-off is over."""
        instance = self.instances[key]
        if instance.phase != "backing-off" or instance.attempt != attempt:
            return "nothing"
        instance.phase = "ready"
        return self._settled()

    def say(self, question: str, word: str) -> str:
        """A person says "approve", "reject", "reject-run" or "answer"."""
        if question in self.said:
            return "nothing" if self.said[question] == word else "resolved"
        asking = [
            each for each in self.instances.values() if each.phase == "input-required" and each.question == question
        ]
        if not asking:
            return "not-asked"
        (instance,) = asking
        is_question = question.endswith(".question")
        if (word == "approve" and is_question) or (word == "answer" and not is_question):
            return "unfit"
        self.said[question] = word
        if word == "reject-run":
            instance.phase = "failed"
        elif word == "reject" and is_question:
            self._give_up(instance)
        elif word == "reject":
            instance.phase, instance.failures, instance.lost = "ready", 0, 0
        else:
            instance.phase = "completed"
        return self._settled()

    def cancel(self) -> str:
        """A caller ends it."""
        if self.phase in {"completed", "failed", "canceled"}:
            return "nothing"
        self.is_canceled = True
        self._cancel_open()
        return "ok"

    def questions(self) -> Iterator[str]:
        """What is or was asked."""
        yield from (each.question for each in self.instances.values() if each.question)

    def _owns(self, instance: Instance, attempt: int, worker: str) -> bool:
        return instance.phase == "working" and (instance.attempt, instance.owner) == (attempt, worker)

    def _ask(self, instance: Instance, _key: str, question: str) -> None:
        instance.phase, instance.question = "input-required", question

    def _failed(self, key: str, *, may_retry: bool) -> None:
        instance = self.instances[key]
        instance.failures += 1
        if not may_retry:
            self._give_up(instance)
        elif instance.step.is_once:
            self._ask(instance, key, f"{key}.effect.{instance.attempt}")
        elif instance.failures >= MAX_FAILURES:
            self._give_up(instance)
        else:
            instance.phase = "backing-off"

    def _give_up(self, instance: Instance) -> None:
        instance.phase = "skipped" if instance.step.is_optional else "failed"

    def _settled(self) -> str:
        self._come_up()
        return "ok"

    def _come_up(self) -> None:
        """Go through all steps again and again until nothing changes."""
        while not self._has_failed():
            waiting = [key for key, each in self.instances.items() if each.phase == "pending" and self._may_begin(each)]
            if not waiting:
                return
            self._begin(waiting[0])
        self._cancel_open()

    def _has_failed(self) -> bool:
        return any(each.phase == "failed" for each in self.instances.values())

    def _may_begin(self, instance: Instance) -> bool:
        return all(each.phase in ENDED for each in self.instances.values() if each.step.id in instance.step.needs)

    def _begin(self, key: str) -> None:
        instance = self.instances[key]
        step = instance.step
        if not step.is_done or step.width == 0:
            instance.phase = "skipped"
        elif step.width is not None and key == step.id:
            del self.instances[key]
            for number in range(step.width):
                self.instances[f"{key}[{number}]"] = Instance(step)
                self._begin_one(f"{key}[{number}]")
        else:
            self._begin_one(key)

    def _begin_one(self, key: str) -> None:
        instance = self.instances[key]
        match instance.step.kind:
            case "milestone":
                instance.phase = "completed"
            case "question":
                self._ask(instance, key, f"{key}.question")
            case _:
                instance.phase = "ready"

    def _cancel_open(self) -> None:
        for each in self.instances.values():
            if each.phase not in ENDED:
                each.phase = "canceled"
