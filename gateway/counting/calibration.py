"""What upstreams' own usage has taught: how many real tokens one estimated token comes to."""

from msgspec import Struct

from gateway.call import Record

MAX_PAIRS = 1000
"""Pairs of provider and model that are remembered; the one learned first goes first."""
NEW_RATIO_WEIGHT = 0.2
"""How much of the newest ratio goes into the mean."""
MIN_ESTIMATE = 100
"""Estimates below this teach nothing: their overheads weigh too much."""
SANE_RATIOS = (0.2, 5.0)
"""Ratios outside are another fault than the estimate's."""
MAX_WAITING = 64
"""Calls whose usage may be awaited."""

ModelPair = tuple[str, str]
"""Provider and model."""


class Sample(Struct, frozen=True):
    """A call that was estimated and whose usage is not known yet."""

    pair: ModelPair
    estimate: int
    record: Record


class Calibration:
    """A mean for each pair, newer ratios weighing more."""

    def __init__(self) -> None:
        self._means: dict[ModelPair, float] = {}
        self._waiting: list[Sample] = []

    def get_factor(self, pair: ModelPair) -> float:
        """Real tokens for one estimated token; 1 where nothing was learned."""
        return self._means.get(pair, 1.0)

    def record_usage(self, pair: ModelPair, estimate: int, real: int) -> None:
        """Takes what one call's input came to."""
        if estimate < MIN_ESTIMATE or not SANE_RATIOS[0] <= real / estimate <= SANE_RATIOS[1]:
            return
        ratio, mean = real / estimate, self._means.get(pair)
        if mean is None and len(self._means) >= MAX_PAIRS:
            del self._means[next(iter(self._means))]
        self._means[pair] = ratio if mean is None else mean + NEW_RATIO_WEIGHT * (ratio - mean)

    def add_sample(self, sample: Sample) -> None:
        """Keeps a sample until its call has ended."""
        self._waiting = [*self._waiting[-MAX_WAITING + 1 :], sample]

    def learn_finished(self) -> None:
        """Learns from the awaited calls that have ended at the pair they were estimated for."""
        waiting, self._waiting = self._waiting, []
        for sample in waiting:
            record = sample.record
            if not record.end:
                self._waiting.append(sample)
            elif record.usage is not None and (record.provider, record.model) == sample.pair:
                usage = record.usage
                real = usage.input + usage.cache_read + usage.cache_write
                self.record_usage(sample.pair, sample.estimate, real)
