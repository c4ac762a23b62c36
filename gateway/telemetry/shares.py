"""What one worker has done, packed, and the sum over all workers."""

import math
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from gateway.telemetry.totals import MODELS, OTHER, Counters

UNROUTED = "unrouted"
"""Stands for the provider and model of calls that were refused before they had any."""


_TOTALS_TOPIC = "done"


class CallTotals(Struct):
    """What has come to its end since the start: it is added up, and outlives its worker."""

    since: float
    tallies: list[tuple[str, str, Counters]]
    batched: tuple[float, float] = (0.0, 0.0)
    """Seconds of all completed batches, and of their items one by one."""

    def by_pair(self) -> dict[tuple[str, str], Counters]:
        """The tallies by provider and model."""
        return {(provider, model): tally for provider, model, tally in self.tallies}

    def sum_provider(self, provider: str) -> Counters:
        """The sum over a provider's models."""
        total = Counters()
        for name, _, tally in self.tallies:
            if name == provider:
                total.add(tally)
        return total


def label_pair(provider: str, model: str) -> tuple[str, str]:
    """Provider and model as they are told."""
    return (provider, model[:200]) if provider else (UNROUTED, UNROUTED)


def merge_totals(shares: Iterable[CallTotals]) -> CallTotals:
    """What all of them come to; the shares stay as they are."""
    whole, tallies = CallTotals(math.inf, []), dict[tuple[str, str], Counters]()
    for share in shares:
        whole.since = min(whole.since, share.since)
        whole.batched = whole.batched[0] + share.batched[0], whole.batched[1] + share.batched[1]
        for provider, model, tally in share.tallies:
            tallies.setdefault((provider, model), Counters()).add(tally)
    whole.tallies = [(*pair, tally) for pair, tally in tallies.items()]
    return whole


def parse_totals(share: bytes) -> CallTotals:
    """A worker's share as it came."""
    return msgspec.msgpack.decode(share, type=CallTotals)


def reduce_totals(first: bytes, second: bytes) -> bytes:
    """One share of two, with no more models told apart than a worker tells."""
    whole = merge_totals([parse_totals(first), parse_totals(second)])
    others = {(name, OTHER): Counters() for name, _, _ in whole.tallies[MODELS:]}
    for name, _, tally in whole.tallies[MODELS:]:
        others[name, OTHER].add(tally)
    rest = CallTotals(whole.since, [(*pair, tally) for pair, tally in others.items()])
    whole.tallies = whole.tallies[:MODELS]
    return msgspec.msgpack.encode(merge_totals([whole, rest]))


REDUCERS = {_TOTALS_TOPIC: reduce_totals}
"""How the supervisor makes one of what ended workers had done."""
