"""The endpoints of the prompt cache: its counters, and removing answers."""

from collections.abc import Sequence

import msgspec
import structlog

from gateway.call import Caller
from gateway.edge.operation import ApiRequest, Handler, Operation, json_reply, versioned
from gateway.reply import Reply
from gateway.roles import AnswerCache, CacheFigures
from gateway.workers.peers import NO_PEERS, Peers

_log = structlog.get_logger("interlingua")
_FIGURES, _CLEAR, _CLEANUP = "cache figures", "cache clear", "cache cleanup"


class PromptCacheApi:
    """The endpoints under /v1/messages/cache; without a cache they report an empty one."""

    def __init__(self, cache: AnswerCache | None, peers: Peers) -> None:
        self._cache = cache
        self._peers = peers
        if cache is not None:
            _answer_peers(cache, peers)

    async def get_stats(self, ask: ApiRequest) -> Reply:
        """Hits, misses and size of the prompt cache, for all callers together."""
        figures = (
            await collect_figures(self._cache, self._peers)
            if self._cache is not None
            else CacheFigures()
        )
        total = figures.hits + figures.misses
        return json_reply({
            "cache_enabled": figures.enabled,
            "cache_backend": figures.backend,
            "total_requests": total,
            "cache_hits": figures.hits,
            "cache_misses": figures.misses,
            "hit_rate": round(figures.hits / total, 4) if total else 0.0,
            "cache_size": figures.size,
            "max_cache_size": figures.limit,
            "average_response_time": {
                "cached": _render_milliseconds(figures.cached),
                "uncached": _render_milliseconds(figures.uncached),
            },
            "performance_improvement": render_improvement(figures.cached, figures.uncached) or "0%",
        })  # fmt: skip

    async def clear_cache(self, ask: ApiRequest) -> Reply:
        """Removes the caller's cached answers."""
        cleared = await self._cache.clear(ask.caller) if self._cache is not None else 0
        if self._cache is not None and self._cache.per_worker:
            name = ask.caller.name.encode()
            cleared += sum(map(_parse_count, await self._peers.ask(_CLEAR, name)))
        _log.info("cache_cleared", caller=ask.caller.name, entries=cleared)
        return json_reply({
            "status": "success",
            "message": "Cache cleared successfully",
            "cleared_entries": cleared,
        })  # fmt: skip

    async def remove_expired(self, ask: ApiRequest) -> Reply:
        """Removes expired answers from the cache."""
        removed, left = await self._cache.cleanup() if self._cache is not None else (0, 0)
        if self._cache is not None and self._cache.per_worker:
            for body in await self._peers.ask(_CLEANUP):
                others = msgspec.msgpack.decode(body, type=tuple[int, int])
                removed, left = removed + others[0], left + others[1]
        return json_reply({
            "status": "success",
            "message": "Cache cleanup completed",
            "expired_entries_removed": removed,
            "remaining_entries": left,
        })  # fmt: skip


def _answer_peers(cache: AnswerCache, peers: Peers) -> None:
    """Answers the other workers' requests for counters, clearing and clean-up of this cache."""

    async def figures(about: bytes) -> bytes:
        return msgspec.msgpack.encode(await cache.read_figures())

    async def clear(about: bytes) -> bytes:
        return b"%d" % await cache.clear(Caller(about.decode()))

    async def cleanup(about: bytes) -> bytes:
        return msgspec.msgpack.encode(await cache.cleanup())

    peers.answer(_FIGURES, figures)
    peers.answer(_CLEAR, clear)
    peers.answer(_CLEANUP, cleanup)


async def collect_figures(cache: AnswerCache, peers: Peers) -> CacheFigures:
    """The counters of all workers together."""
    own = await cache.read_figures()
    others = [msgspec.msgpack.decode(each, type=CacheFigures) for each in await peers.ask(_FIGURES)]
    every = [own, *others]
    timed = sum(each.timed[0] for each in every), sum(each.timed[1] for each in every)
    sizes = [each.size for each in every]
    return msgspec.structs.replace(
        own,
        hits=sum(each.hits for each in every),
        misses=sum(each.misses for each in every),
        cached=_weighted_mean([(each.cached, each.timed[0]) for each in every]),
        uncached=_weighted_mean([(each.uncached, each.timed[1]) for each in every]),
        size=sum(size or 0 for size in sizes) if cache.per_worker else own.size,
        limit=own.limit * len(every) if own.limit is not None and cache.per_worker else own.limit,
        timed=timed,
    )


def _weighted_mean(means: Sequence[tuple[float | None, int]]) -> float | None:
    count = sum(each for mean, each in means if mean is not None)
    return sum((mean or 0.0) * each for mean, each in means) / count if count else None


def _parse_count(text: bytes) -> int:
    return int(text)


def _render_milliseconds(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    ms = seconds * 1e3
    return f"{ms:.0f}ms" if ms >= 10 else f"{ms:.2g}ms"


def render_improvement(spent: float | None, otherwise: float | None) -> str | None:
    """The time saved in percent, rounded down; None if it is unknown."""
    if spent is None or not otherwise:
        return None
    return f"{int(100 * (1 - spent / otherwise))}%"


def cache_operations(links: Sequence[object], peers: Peers = NO_PEERS) -> list[Operation]:
    """The endpoints for the cache of the chain."""
    link = next((link for link in links if isinstance(link, AnswerCache)), None)
    prompts = PromptCacheApi(link, peers)

    def make_operation(action: str, method: str, handler: Handler, name: str = "") -> Operation:
        routes = versioned(f"/messages/cache/{action}")
        return Operation(path=routes[0], routes=routes, method=method, handler=handler, name=name)

    return [
        make_operation("stats", "GET", prompts.get_stats, "cache_stats"),
        make_operation("clear", "DELETE", prompts.clear_cache),
        make_operation("clear", "POST", prompts.clear_cache),
        make_operation("cleanup", "POST", prompts.remove_expired),
    ]
