"""What all workers of the gateway have done and are doing, told by the one that is asked."""

from collections.abc import Mapping
from time import monotonic
from typing import Any

import msgspec
from msgspec import Struct

from gateway.config.builtins import short_name
from gateway.edge.exchange import Exchange
from gateway.errors import Unavailable
from gateway.inside import Inside
from gateway.roles import Batched, Storing
from gateway.telemetry.shares import _DONE, Done, merged, read
from gateway.telemetry.totals import Failure

_NOW = "now"
_CALLS = "calls"
_FAILURES = "failures"


class Rests(Struct):
    """How a provider stands: keys rest in each worker by themselves."""

    refused: bool = False
    """In some worker the upstream has refused every key."""
    resting: list[float] = []
    """Seconds that each resting key still has, in the worker where most of them rest."""
    connections: dict[str, int] = {}

    def add(self, other: "Rests") -> None:
        """Takes another worker's in."""
        self.refused |= other.refused
        self.resting = max(self.resting, other.resting, key=lambda each: (len(each), sum(each)))
        for name, count in other.connections.items():
            self.connections[name] = self.connections.get(name, 0) + count


class Now(Struct):
    """How things stand at the moment."""

    in_flight: int
    rests: dict[str, Rests]
    workers: int = 1
    """Workers that are in it."""
    stores: dict[str, bool] = {}
    """By link, whether its store answers every worker; those that have one elsewhere."""


class Workers:
    """All of them, as one."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside
        self._peers = inside.peers
        self._peers.keep(_DONE, self._tell_done)
        self._peers.answer(_NOW, self._tell_now)
        self._peers.answer(_CALLS, self._tell_calls)
        self._peers.answer(_FAILURES, self._tell_failures)

    @property
    def count(self) -> int:
        """How many there should be."""
        return self._peers.count

    async def done(self) -> Done:
        """The sums over all workers, also over those that have ended."""
        own = self._own_done()
        others = await self._peers.ask(_DONE)
        return merged([own, *map(read, others)]) if others else own

    async def shares(self) -> list[bytes]:
        """What `done` adds up, still packed: for who adds it up elsewhere than on the loop.

        Unavailable where the others cannot be heard: a sum without them would have shrunk.
        """
        own = msgspec.msgpack.encode(self._own_done())
        others = await self._peers.ask(_DONE)
        if not self._peers.reached:
            raise Unavailable("the supervisor of the workers does not answer")
        return [own, *others]

    async def now(self) -> Now:
        """The state of all workers that answer."""
        whole = self._own_now()
        for body in await self._peers.ask(_NOW):
            share = msgspec.msgpack.decode(body, type=Now)
            whole.in_flight += share.in_flight
            whole.workers += share.workers
            for name, rests in share.rests.items():
                whole.rests.setdefault(name, Rests()).add(rests)
            for name, up in share.stores.items():
                whole.stores[name] = up and whole.stores.get(name, True)
        return whole

    async def calls(self) -> list[dict[str, Any]]:
        """The calls in flight, the oldest first."""
        calls = self._own_calls()
        for body in await self._peers.ask(_CALLS):
            calls += msgspec.msgpack.decode(body)
        return sorted(calls, key=_age, reverse=True)

    async def failures(self) -> list[Failure]:
        """The last errors, the newest first."""
        failures = list(self._inside.edge.totals.failures)
        for body in await self._peers.ask(_FAILURES):
            failures += msgspec.msgpack.decode(body, type=list[Failure])
        return sorted(failures, key=lambda failure: failure.at, reverse=True)

    # --- this worker's share ----------------------------------------------------------------------

    def _own_done(self) -> Done:
        totals, links = self._inside.edge.totals, self._inside.links
        batches = next((link for link in links if isinstance(link, Batched)), None)
        return Done(
            totals.since,
            [(*pair, tally) for pair, tally in totals.tallies.items()],
            batches.seconds() if batches is not None else (0.0, 0.0),
        )

    def _own_now(self) -> Now:
        rests = {}
        for name, provider in self._inside.site.providers.items():
            standing = provider.standing()
            connections = dict(standing.connections)
            rests[name] = Rests(standing.refused, list(standing.resting), connections)
        stores = {
            short_name(link): not link.down
            for link in self._inside.links
            if isinstance(link, Storing) and link.down is not None
        }
        return Now(len(self._inside.edge.open), rests, stores=stores)

    def _own_calls(self) -> list[dict[str, Any]]:
        now = monotonic()
        return [_call(each, now) for each in self._inside.edge.open]

    async def _tell_done(self, about: bytes) -> bytes:
        return msgspec.msgpack.encode(self._own_done())

    async def _tell_now(self, about: bytes) -> bytes:
        return msgspec.msgpack.encode(self._own_now())

    async def _tell_calls(self, about: bytes) -> bytes:
        return msgspec.msgpack.encode(self._own_calls())

    async def _tell_failures(self, about: bytes) -> bytes:
        return msgspec.msgpack.encode(list(self._inside.edge.totals.failures))


def _age(call: Mapping[str, Any]) -> float:
    age: float = call["age_ms"]
    return age


def _call(exchange: Exchange, now: float) -> dict[str, Any]:
    record = exchange.record
    return {
        "id": exchange.id,
        "dialect": exchange.dialect.name,
        "caller": record.caller or None,
        "provider": record.provider or None,
        "model": record.model[:200] or None,
        "stream": exchange.streaming,
        "phase": "answering" if exchange.status else "waiting",
        "attempts": len(record.attempts),
        "age_ms": round((now - record.started) * 1e3, 1),
    }


class Scraped(Struct):
    """What there is to tell."""

    shares: list[bytes]
    """Of each worker, what it has done."""
    now: Now
    workers: int
    """How many there should be."""
    keys: dict[str, int]
    """How many each provider has."""
    version: str
