"""A circuit: whether a store is asked at all. A cache is worth no waiting, so the first failure opens it."""

__all__ = ["Circuit"]

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 5.0


class Circuit:
    """Closed while all is well. Open after a failure, until a probe succeeds; probes come less and less often."""

    def __init__(self) -> None:
        self._reason = ""
        self._pause_seconds = FIRST_PAUSE_SECONDS

    @property
    def is_open(self) -> bool:
        """Whether the store is to be left alone."""
        return bool(self._reason)

    @property
    def pause_seconds(self) -> float:
        """How long to wait before the next probe."""
        return self._pause_seconds

    def open(self, reason: str) -> bool:
        """Leave the store alone because of something, and tell whether that is news."""
        if self._reason:
            self._pause_seconds = min(2 * self._pause_seconds, LONGEST_PAUSE_SECONDS)
        is_news = self._reason != reason
        self._reason = reason
        return is_news

    def close(self) -> bool:
        """Ask the store again, and tell whether that is news."""
        is_news = self.is_open
        self._reason = ""
        self._pause_seconds = FIRST_PAUSE_SECONDS
        return is_news
