"""Whether a store is worth asking: it is not for a while after it has failed several times."""

from collections.abc import Callable
from time import monotonic

import structlog

FAILURES = 5
"""Failures in a row after which nothing is asked."""
PAUSE = 2.0
"""Seconds until the store is tried again."""

_log = structlog.get_logger("interlingua")


class StoreDown(Exception):
    """The store cannot be asked now."""


class Breaker:
    """Counts failures in a row, and writes one log line for each change of state."""

    def __init__(self, what: str, where: str, clock: Callable[[], float] = monotonic) -> None:
        self.open = False
        self._what = what
        self._where = where
        self._clock = clock
        self._failures = 0
        self._retry_at = 0.0

    def due(self) -> bool:
        """Whether it is time for one try, while open; asked again, it is not for another pause."""
        now = self._clock()
        if now < self._retry_at:
            return False
        self._retry_at = now + PAUSE
        return True

    def succeeded(self) -> None:
        """The store answered."""
        self._failures = 0
        if self.open:
            self.open = False
            _log.info(f"{self._what}_up", store=self._where)

    def failed(self, kind: str) -> None:
        """The store did not answer, or not as it should."""
        self._failures += 1
        if self._failures >= FAILURES and not self.open:
            self.open = True
            self._retry_at = self._clock() + PAUSE
            _log.warning(f"{self._what}_down", store=self._where, kind=kind)
