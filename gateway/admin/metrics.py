"""What the gateway has done and is doing: totals, calls in flight, the last errors. No prompts."""

import asyncio
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from gateway.admin.workers import AllWorkers
from gateway.admin.yaml import json_or_yaml_reply
from gateway.dialects.messages import MESSAGES
from gateway.edge.operation import ApiRequest, json_reply
from gateway.reply import Reply, Stream
from gateway.roles import format_timestamp
from gateway.telemetry.log import redact
from gateway.telemetry.shares import label_pair
from gateway.telemetry.totals import Counters, Failure
from gateway.view import GatewayView

_DEFAULT_INTERVAL = 1.0
_MIN_INTERVAL = 0.25
_HEARTBEAT_INTERVAL = 15.0


class MetricsApi:
    """The endpoints that tell figures."""

    def __init__(self, view: GatewayView, workers: AllWorkers) -> None:
        self._edge = view.edge
        self._workers = workers

    @property
    def draining(self) -> bool:
        """Whether the gateway is about to end, and its live streams with it."""
        return self._edge.draining

    async def get_totals(self, ask: ApiRequest) -> Reply:
        """Sums per provider and model, those that match the wildcards."""
        patterns = ask.query.get("provider", "*"), ask.query.get("model", "*")
        active = await self._count_active(patterns) if ask.parse_flag("include_active") else None
        done = await self._workers.sum_totals()
        summary, rollups = Counters(), dict[str, Counters]()
        models: dict[str, dict[str, Any]] = {}
        for pair, tally in sorted(done.by_pair().items()):
            provider, model = label_pair(*pair)
            if not _matches_patterns((provider, model), patterns):
                continue
            summary.add(tally)
            rollups.setdefault(provider, Counters()).add(tally)
            models.setdefault(provider, {})[model] = _build_figures(tally)
        body: dict[str, Any] = {
            "object": "running_totals",
            "timestamp": format_timestamp(),
            "since": format_timestamp(done.since),
            "filter": {"provider": patterns[0], "model": patterns[1]},
            "summary": _build_figures(summary),
            "providers": {
                name: {"rollup": _build_figures(tally), "models": models[name]}
                for name, tally in rollups.items()
            },
        }
        if active is not None:
            body["active"] = {"total": sum(active.values()), "models": active}
        return json_or_yaml_reply(ask, body)

    async def list_active(self, ask: ApiRequest) -> Reply:
        """The calls in flight, the oldest first."""
        calls = await self.collect_calls()
        return json_reply({"object": "active_requests", "timestamp": format_timestamp()} | calls)

    async def stream_active(self, ask: ApiRequest) -> Reply:
        """The calls in flight as server-sent events, whenever they changed and at most so often."""
        given = ask.parse_number("interval_ms", int(_MIN_INTERVAL * 1e3), 60_000)
        interval = given / 1e3 if given else _DEFAULT_INTERVAL
        return Reply(200, MESSAGES, Stream(_ActiveCallsSource(self, interval)))

    async def list_errors(self, ask: ApiRequest) -> Reply:
        """The last errors, newest first, with what was tried."""
        limit = ask.parse_number("limit", 1, 200) or 50
        failures = await self._workers.collect_failures()
        body = {
            "object": "logs",
            "timestamp": format_timestamp(),
            "total": len(failures),
            "errors": [_describe_failure(each) for each in failures[:limit]],
        }
        return json_reply(body)

    async def collect_calls(self) -> dict[str, Any]:
        """The calls in flight."""
        calls = await self._workers.collect_calls()
        return {"count": len(calls), "requests": calls}

    async def _count_active(self, patterns: tuple[str, str]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for call in await self._workers.collect_calls():
            pair = label_pair(call["provider"] or "", call["model"] or "")
            if _matches_patterns(pair, patterns):
                counts[":".join(pair)] = counts.get(":".join(pair), 0) + 1
        return counts


class _ActiveCallsSource:
    """A source of events: the calls in flight, when others came or went."""

    def __init__(self, metrics: MetricsApi, interval: float) -> None:
        self._metrics = metrics
        self._interval = interval
        self._last_ids: set[str] | None = None
        self._is_over = False

    async def read(self) -> bytes:
        waited = 0.0
        while not (self._is_over or self._metrics.draining):
            if self._last_ids is not None:
                await asyncio.sleep(self._interval)
                waited += self._interval
            calls = await self._metrics.collect_calls()
            idents = {each["id"] for each in calls["requests"]}
            # Ages move all the time: while calls are in flight each turn has news.
            if self._last_ids is None or calls["count"] or idents != self._last_ids:
                self._last_ids = idents
                data = msgspec.json.encode({"timestamp": format_timestamp()} | calls)
                return b"event: active_requests\ndata: %b\n\n" % data
            if waited >= _HEARTBEAT_INTERVAL:
                return b": nothing in flight\n\n"
        return b""

    async def aclose(self) -> None:
        self._is_over = True


def _matches_patterns(pair: tuple[str, str], patterns: tuple[str, str]) -> bool:
    """Whether names match wildcards, letter case aside."""
    return all(
        fnmatchcase(name.lower(), pattern[:200].lower())
        for name, pattern in zip(pair, patterns, strict=True)
    )


def _build_figures(tally: Counters) -> dict[str, Any]:
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


def _describe_failure(failure: Failure) -> dict[str, Any]:
    said = msgspec.structs.asdict(failure)
    at = said.pop("at")
    said["attempts"] = [msgspec.structs.asdict(each) for each in failure.attempts]
    return {"timestamp": format_timestamp(at)} | dict(redact(None, "", said))
