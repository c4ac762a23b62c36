"""What the gateway has done and is doing: totals, calls in flight, the last errors. No prompts."""

import asyncio
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from gateway.admin.workers import Workers
from gateway.admin.yaml import shown
from gateway.dialects.messages import MESSAGES
from gateway.edge.operation import Ask, say
from gateway.inside import Inside
from gateway.reply import Reply, Stream
from gateway.roles import timestamp
from gateway.telemetry.log import redact
from gateway.telemetry.shares import named
from gateway.telemetry.totals import Failure, Tally

_INTERVAL = 1.0
_LEAST_INTERVAL = 0.25
_HEARTBEAT = 15.0


class Metrics:
    """The endpoints that tell figures."""

    def __init__(self, inside: Inside, workers: Workers) -> None:
        self._edge = inside.edge
        self._workers = workers

    @property
    def draining(self) -> bool:
        """Whether the gateway is about to end, and its live streams with it."""
        return self._edge.draining

    async def totals(self, ask: Ask) -> Reply:
        """Sums per provider and model, those that match the wildcards."""
        patterns = ask.query.get("provider", "*"), ask.query.get("model", "*")
        active = await self._active_counts(patterns) if ask.flag("include_active") else None
        done = await self._workers.done()
        summary, rollups = Tally(), dict[str, Tally]()
        models: dict[str, dict[str, Any]] = {}
        for pair, tally in sorted(done.by_pair().items()):
            provider, model = named(*pair)
            if not _matches((provider, model), patterns):
                continue
            summary.add(tally)
            rollups.setdefault(provider, Tally()).add(tally)
            models.setdefault(provider, {})[model] = _figures(tally)
        body: dict[str, Any] = {
            "object": "running_totals",
            "timestamp": timestamp(),
            "since": timestamp(done.since),
            "filter": {"provider": patterns[0], "model": patterns[1]},
            "summary": _figures(summary),
            "providers": {
                name: {"rollup": _figures(tally), "models": models[name]}
                for name, tally in rollups.items()
            },
        }
        if active is not None:
            body["active"] = {"total": sum(active.values()), "models": active}
        return shown(ask, body)

    async def active(self, ask: Ask) -> Reply:
        """The calls in flight, the oldest first."""
        calls = await self.calls()
        return say({"object": "active_requests", "timestamp": timestamp()} | calls)

    async def active_stream(self, ask: Ask) -> Reply:
        """The calls in flight as server-sent events, whenever they changed and at most so often."""
        given = ask.number("interval_ms", int(_LEAST_INTERVAL * 1e3), 60_000)
        interval = given / 1e3 if given else _INTERVAL
        return Reply(200, MESSAGES, Stream(_Live(self, interval)))

    async def logs(self, ask: Ask) -> Reply:
        """The last errors, newest first, with what was tried."""
        limit = ask.number("limit", 1, 200) or 50
        failures = await self._workers.failures()
        body = {
            "object": "logs",
            "timestamp": timestamp(),
            "total": len(failures),
            "errors": [_told(each) for each in failures[:limit]],
        }
        return say(body)

    async def calls(self) -> dict[str, Any]:
        """The calls in flight."""
        calls = await self._workers.calls()
        return {"count": len(calls), "requests": calls}

    async def _active_counts(self, patterns: tuple[str, str]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for call in await self._workers.calls():
            pair = named(call["provider"] or "", call["model"] or "")
            if _matches(pair, patterns):
                counts[":".join(pair)] = counts.get(":".join(pair), 0) + 1
        return counts


class _Live:
    """A source of events: the calls in flight, when others came or went."""

    def __init__(self, metrics: Metrics, interval: float) -> None:
        self._metrics = metrics
        self._interval = interval
        self._told: set[str] | None = None
        self._over = False

    async def read(self) -> bytes:
        waited = 0.0
        while not (self._over or self._metrics.draining):
            if self._told is not None:
                await asyncio.sleep(self._interval)
                waited += self._interval
            calls = await self._metrics.calls()
            idents = {each["id"] for each in calls["requests"]}
            # Ages move all the time: while calls are in flight each turn has news.
            if self._told is None or calls["count"] or idents != self._told:
                self._told = idents
                data = msgspec.json.encode({"timestamp": timestamp()} | calls)
                return b"event: active_requests\ndata: %b\n\n" % data
            if waited >= _HEARTBEAT:
                return b": nothing in flight\n\n"
        return b""

    async def aclose(self) -> None:
        self._over = True


def _matches(pair: tuple[str, str], patterns: tuple[str, str]) -> bool:
    """Whether names match wildcards, letter case aside."""
    return all(
        fnmatchcase(name.lower(), pattern[:200].lower())
        for name, pattern in zip(pair, patterns, strict=True)
    )


def _figures(tally: Tally) -> dict[str, Any]:
    calls, answered = tally.calls, tally.answered
    return {
        "requests": calls,
        "errors": tally.errors,
        "streams": tally.streams,
        "aborted": tally.aborted,
        "without_usage": tally.unmetered,
        "input_tokens": tally.input_tokens,
        "output_tokens": tally.output_tokens,
        "cache_read_tokens": tally.cache_read_tokens,
        "cache_write_tokens": tally.cache_write_tokens,
        "total_ms": round(tally.seconds * 1e3, 2),
        "average_ms": round(tally.seconds / calls * 1e3, 2) if calls else None,
        "average_first_byte_ms": (
            round(tally.first_byte_seconds / answered * 1e3, 2) if answered else None
        ),
    }


def _told(failure: Failure) -> dict[str, Any]:
    said = msgspec.structs.asdict(failure)
    at = said.pop("at")
    said["attempts"] = [msgspec.structs.asdict(each) for each in failure.attempts]
    return {"timestamp": timestamp(at)} | dict(redact(None, "", said))
