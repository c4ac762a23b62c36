"""What the cache has done so far, counted and timed."""

from time import monotonic

from gateway.roles import CacheFigures


class CacheStats:
    """Sums over the calls that the cache may answer; times run from a call's arrival."""

    def __init__(self) -> None:
        self.hits = 0
        self.misses = 0
        self._coalesced = 0
        self._hit_seconds = 0.0
        self._miss_seconds = 0.0
        self._answered = 0

    def record_hit(self, started: float) -> None:
        """A stored answer is ready to be sent."""
        self.hits += 1
        self._hit_seconds += monotonic() - started

    def record_coalesced(self) -> None:
        """A call got the answer of another; it was as slow, so that its time is not counted."""
        self._coalesced += 1

    def record_miss(self) -> None:
        """A call goes upstream."""
        self.misses += 1

    def record_answered(self, started: float) -> None:
        """An upstream's answer to a miss is whole."""
        self._answered += 1
        self._miss_seconds += monotonic() - started

    def make_figures(self) -> CacheFigures:
        """The counts, and the means of what there was."""
        return CacheFigures(
            hits=self.hits + self._coalesced,
            misses=self.misses,
            cached=self._hit_seconds / self.hits if self.hits else None,
            uncached=self._miss_seconds / self._answered if self._answered else None,
            timed=(self.hits, self._answered),
        )
