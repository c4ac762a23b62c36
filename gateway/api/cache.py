"""The endpoints of the prompt cache: its figures, and forgetting what it keeps."""

from collections.abc import Sequence

import msgspec
import structlog
from starlette.routing import BaseRoute, Route

from gateway.call import Caller
from gateway.edge.callers import Callers
from gateway.edge.operation import ApiRequest, JsonEndpoint, json_reply
from gateway.reply import Reply
from gateway.roles import AnswerCache, CacheFigures
from gateway.workers.peers import NO_PEERS, Peers

_log = structlog.get_logger("interlingua")
_FIGURES, _CLEAR, _CLEANUP = "cache figures", "cache clear", "cache cleanup"


class PromptCacheApi:
    """The endpoints under /v1/messages/cache; without a cache they say that there is none."""

    def __init__(self, cache: AnswerCache | None, peers: Peers) -> None:
        self._cache = cache
        self._peers = peers
        if cache is not None:
            _answer_peers(cache, peers)

    async def get_stats(self, ask: ApiRequest) -> Reply:
        """The figures of all callers together; nothing in them tells of any one."""
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
        """Forgets the caller's own answers."""
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
        """Forgets what has expired."""
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
    """Has the other workers told what this one's cache has done, and it do what they are asked."""

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
    """The figures of all workers together."""
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
    """How much less time was spent than would have been otherwise, rounded down; None: unknown."""
    if spent is None or not otherwise:
        return None
    return f"{int(100 * (1 - spent / otherwise))}%"


def cache_routes(
    links: Sequence[object], callers: Callers, peers: Peers = NO_PEERS
) -> list[BaseRoute]:
    """The endpoints for the chain's cache, each with and without /v1."""
    prompts = PromptCacheApi(
        next((link for link in links if isinstance(link, AnswerCache)), None), peers
    )
    doors = {
        "stats": JsonEndpoint(prompts.get_stats, callers),
        "clear": JsonEndpoint(prompts.clear_cache, callers, methods=("DELETE", "POST")),
        "cleanup": JsonEndpoint(prompts.remove_expired, callers, methods=("POST",)),
    }
    return [
        Route(f"{prefix}/messages/cache/{name}", door)
        for prefix in ("/v1", "")
        for name, door in doors.items()
    ]
