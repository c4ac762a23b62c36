"""What upstreams' own usage has taught: how many real tokens one estimated token comes to."""

from msgspec import Struct

from gateway.call import Record

PAIRS = 1000
"""Pairs of provider and model that are remembered; the one learned first goes first."""
WEIGHT = 0.2
"""How much of the newest ratio goes into the mean."""
LEAST = 100
"""Estimates below this teach nothing: their overheads weigh too much."""
SANE = (0.2, 5.0)
"""Ratios outside are another fault than the estimate's."""
WAITING = 64
"""Calls whose usage may be awaited."""

Pair = tuple[str, str]
"""Provider and model."""


class Sample(Struct, frozen=True):
    """A call that was estimated and whose usage is not known yet."""

    pair: Pair
    estimate: int
    record: Record


class Learned:
    """A mean for each pair, newer ratios weighing more."""

    def __init__(self) -> None:
        self._means: dict[Pair, float] = {}
        self._waiting: list[Sample] = []

    def factor(self, pair: Pair) -> float:
        """Real tokens for one estimated token; 1 where nothing was learned."""
        return self._means.get(pair, 1.0)

    def learn(self, pair: Pair, estimate: int, real: int) -> None:
        """Takes what one call's input came to."""
        if estimate < LEAST or not SANE[0] <= real / estimate <= SANE[1]:
            return
        ratio, mean = real / estimate, self._means.get(pair)
        if mean is None and len(self._means) >= PAIRS:
            del self._means[next(iter(self._means))]
        self._means[pair] = ratio if mean is None else mean + WEIGHT * (ratio - mean)

    def await_usage(self, sample: Sample) -> None:
        """Keeps a sample until its call has ended."""
        self._waiting = [*self._waiting[-WAITING + 1 :], sample]

    def settle(self) -> None:
        """Learns from the awaited calls that have ended at the pair they were estimated for."""
        waiting, self._waiting = self._waiting, []
        for sample in waiting:
            record = sample.record
            if not record.end:
                self._waiting.append(sample)
            elif record.usage is not None and (record.provider, record.model) == sample.pair:
                usage = record.usage
                real = usage.input + usage.cache_read + usage.cache_write
                self.learn(sample.pair, sample.estimate, real)
