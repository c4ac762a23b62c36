"""What all workers of the gateway have done and are doing, told by the one that is asked."""

from collections.abc import Mapping
from time import monotonic
from typing import Any

import msgspec
from msgspec import Struct

from gateway.config.builtins import short_name
from gateway.edge.exchange import Exchange
from gateway.errors import Unavailable
from gateway.roles import BatchRunner, StoreBacked
from gateway.telemetry.shares import _TOTALS_TOPIC, CallTotals, merge_totals, parse_totals
from gateway.telemetry.totals import Failure
from gateway.view import GatewayView

_STATE_TOPIC = "now"
_CALLS_TOPIC = "calls"
_FAILURES_TOPIC = "failures"


class KeyCooldown(Struct):
    """How a provider stands: keys rest in each worker by themselves."""

    refused: bool = False
    """In some worker the upstream has refused every key."""
    resting: list[float] = []
    """Seconds that each resting key still has, in the worker where most of them rest."""
    connections: dict[str, int] = {}

    def add(self, other: "KeyCooldown") -> None:
        """Takes another worker's in."""
        self.refused |= other.refused
        self.resting = max(self.resting, other.resting, key=lambda each: (len(each), sum(each)))
        for name, count in other.connections.items():
            self.connections[name] = self.connections.get(name, 0) + count


class WorkerState(Struct):
    """How things stand at the moment."""

    in_flight: int
    rests: dict[str, KeyCooldown]
    workers: int = 1
    """Workers that are in it."""
    stores: dict[str, bool] = {}
    """By link, whether its store answers every worker; those that have one elsewhere."""


class AllWorkers:
    """All of them, as one."""

    def __init__(self, view: GatewayView) -> None:
        self._view = view
        self._peers = view.peers
        self._peers.keep(_TOTALS_TOPIC, self._answer_totals)
        self._peers.answer(_STATE_TOPIC, self._answer_state)
        self._peers.answer(_CALLS_TOPIC, self._answer_calls)
        self._peers.answer(_FAILURES_TOPIC, self._answer_failures)

    @property
    def count(self) -> int:
        """How many there should be."""
        return self._peers.count

    async def sum_totals(self) -> CallTotals:
        """The sums over all workers, also over those that have ended."""
        own = self._local_totals()
        others = await self._peers.ask(_TOTALS_TOPIC)
        return merge_totals([own, *map(parse_totals, others)]) if others else own

    async def collect_shares(self) -> list[bytes]:
        """What `done` adds up, still packed: for who adds it up elsewhere than on the loop.

        Unavailable where the others cannot be heard: a sum without them would have shrunk.
        """
        own = msgspec.msgpack.encode(self._local_totals())
        others = await self._peers.ask(_TOTALS_TOPIC)
        if not self._peers.reached:
            raise Unavailable("the supervisor of the workers does not answer")
        return [own, *others]

    async def collect_state(self) -> WorkerState:
        """The state of all workers that answer."""
        whole = self._local_state()
        for body in await self._peers.ask(_STATE_TOPIC):
            share = msgspec.msgpack.decode(body, type=WorkerState)
            whole.in_flight += share.in_flight
            whole.workers += share.workers
            for name, rests in share.rests.items():
                whole.rests.setdefault(name, KeyCooldown()).add(rests)
            for name, up in share.stores.items():
                whole.stores[name] = up and whole.stores.get(name, True)
        return whole

    async def collect_calls(self) -> list[dict[str, Any]]:
        """The calls in flight, the oldest first."""
        calls = self._local_calls()
        for body in await self._peers.ask(_CALLS_TOPIC):
            calls += msgspec.msgpack.decode(body)
        return sorted(calls, key=_get_age, reverse=True)

    async def collect_failures(self) -> list[Failure]:
        """The last errors, the newest first."""
        failures = list(self._view.edge.totals.failures)
        for body in await self._peers.ask(_FAILURES_TOPIC):
            failures += msgspec.msgpack.decode(body, type=list[Failure])
        return sorted(failures, key=lambda failure: failure.at, reverse=True)

    # --- this worker's share ----------------------------------------------------------------------

    def _local_totals(self) -> CallTotals:
        totals, links = self._view.edge.totals, self._view.links
        batches = next((link for link in links if isinstance(link, BatchRunner)), None)
        return CallTotals(
            totals.since,
            [(*pair, tally) for pair, tally in totals.tallies.items()],
            batches.batch_seconds() if batches is not None else (0.0, 0.0),
        )

    def _local_state(self) -> WorkerState:
        rests = {}
        for name, provider in self._view.runtime.providers.items():
            standing = provider.status()
            connections = dict(standing.connections)
            rests[name] = KeyCooldown(standing.refused, list(standing.resting), connections)
        stores = {
            short_name(link): not link.down
            for link in self._view.links
            if isinstance(link, StoreBacked) and link.down is not None
        }
        return WorkerState(len(self._view.edge.open), rests, stores=stores)

    def _local_calls(self) -> list[dict[str, Any]]:
        now = monotonic()
        return [_describe_call(each, now) for each in self._view.edge.open]

    async def _answer_totals(self, about: bytes) -> bytes:
        return msgspec.msgpack.encode(self._local_totals())

    async def _answer_state(self, about: bytes) -> bytes:
        return msgspec.msgpack.encode(self._local_state())

    async def _answer_calls(self, about: bytes) -> bytes:
        return msgspec.msgpack.encode(self._local_calls())

    async def _answer_failures(self, about: bytes) -> bytes:
        return msgspec.msgpack.encode(list(self._view.edge.totals.failures))


def _get_age(call: Mapping[str, Any]) -> float:
    age: float = call["age_ms"]
    return age


def _describe_call(exchange: Exchange, now: float) -> dict[str, Any]:
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


class ScrapeData(Struct):
    """What there is to tell."""

    shares: list[bytes]
    """Of each worker, what it has done."""
    now: WorkerState
    workers: int
    """How many there should be."""
    keys: dict[str, int]
    """How many each provider has."""
    version: str
