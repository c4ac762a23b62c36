"""What the cache has done so far, counted and timed."""

from time import monotonic

from gateway.roles import Figures


class Measure:
    """Sums over the calls that the cache may answer; times run from a call's arrival."""

    def __init__(self) -> None:
        self.hits = 0
        self.misses = 0
        self._shared = 0
        self._cached = 0.0
        self._uncached = 0.0
        self._whole = 0

    def hit(self, started: float) -> None:
        """A stored answer is ready to be sent."""
        self.hits += 1
        self._cached += monotonic() - started

    def coalesced(self) -> None:
        """A call got the answer of another; it was as slow, so that its time is not counted."""
        self._shared += 1

    def missed(self) -> None:
        """A call goes upstream."""
        self.misses += 1

    def answered(self, started: float) -> None:
        """An upstream's answer to a miss is whole."""
        self._whole += 1
        self._uncached += monotonic() - started

    def figures(self) -> Figures:
        """The counts, and the means of what there was."""
        return Figures(
            hits=self.hits + self._shared,
            misses=self.misses,
            cached=self._cached / self.hits if self.hits else None,
            uncached=self._uncached / self._whole if self._whole else None,
            timed=(self.hits, self._whole),
        )
