"""What one worker has done, packed, and the sum over all workers."""

import math
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from gateway.telemetry.totals import MODELS, OTHER, Tally

UNROUTED = "unrouted"
"""Stands for the provider and model of calls that were refused before they had any."""


_DONE = "done"


class Done(Struct):
    """What has come to its end since the start: it is added up, and outlives its worker."""

    since: float
    tallies: list[tuple[str, str, Tally]]
    batched: tuple[float, float] = (0.0, 0.0)
    """Seconds of all completed batches, and of their items one by one."""

    def by_pair(self) -> dict[tuple[str, str], Tally]:
        """The tallies by provider and model."""
        return {(provider, model): tally for provider, model, tally in self.tallies}

    def of_provider(self, provider: str) -> Tally:
        """The sum over a provider's models."""
        total = Tally()
        for name, _, tally in self.tallies:
            if name == provider:
                total.add(tally)
        return total


def named(provider: str, model: str) -> tuple[str, str]:
    """Provider and model as they are told."""
    return (provider, model[:200]) if provider else (UNROUTED, UNROUTED)


def merged(shares: Iterable[Done]) -> Done:
    """What all of them come to; the shares stay as they are."""
    whole, tallies = Done(math.inf, []), dict[tuple[str, str], Tally]()
    for share in shares:
        whole.since = min(whole.since, share.since)
        whole.batched = whole.batched[0] + share.batched[0], whole.batched[1] + share.batched[1]
        for provider, model, tally in share.tallies:
            tallies.setdefault((provider, model), Tally()).add(tally)
    whole.tallies = [(*pair, tally) for pair, tally in tallies.items()]
    return whole


def read(share: bytes) -> Done:
    """A worker's share as it came."""
    return msgspec.msgpack.decode(share, type=Done)


def folded(first: bytes, second: bytes) -> bytes:
    """One share of two, with no more models told apart than a worker tells."""
    whole = merged([read(first), read(second)])
    others = {(name, OTHER): Tally() for name, _, _ in whole.tallies[MODELS:]}
    for name, _, tally in whole.tallies[MODELS:]:
        others[name, OTHER].add(tally)
    rest = Done(whole.since, [(*pair, tally) for pair, tally in others.items()])
    whole.tallies = whole.tallies[:MODELS]
    return msgspec.msgpack.encode(merged([whole, rest]))


FOLDS = {_DONE: folded}
"""How the supervisor makes one of what ended workers had done."""
