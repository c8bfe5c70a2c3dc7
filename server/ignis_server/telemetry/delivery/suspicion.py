"""Who is at fault when a request is not taken: the request, or its destination."""

from dataclasses import dataclass

__all__ = ["FAILURES_ALONE", "Suspicion"]

# A request that is not taken so many times, while others are, is cut, so that no more than what is at fault is held up. One that
# is not taken so many times in a row, while no other is either, is no longer suspected.
FAILURES_ALONE = 3


@dataclass(slots=True)
class Suspicion:
    """Whether it is a request that is not taken for now, or its destination that takes nothing: do others pass meanwhile?

    Attributes:
        answers: How many requests had been answered at the last try.
        alone: How many tries failed since which others were answered.
        unanswered: How many failed in a row since which none was.
    """

    answers: int
    alone: int = 0
    unanswered: int = 0

    def failed(self, answers: int) -> bool:
        """Note that a try failed, and how many requests were answered by then; tell whether others were, since the last try."""
        is_alone, self.answers = answers > self.answers, answers
        self.alone += is_alone
        self.unanswered = 0 if is_alone else self.unanswered + 1
        return is_alone

    @property
    def falls_on_request(self) -> bool:
        """Whether the destination is well, as far as one knows."""
        return self.alone > 0 and self.unanswered < FAILURES_ALONE
