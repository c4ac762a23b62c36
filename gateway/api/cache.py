"""The endpoints of the prompt cache: its figures, and forgetting what it keeps."""

from collections.abc import Sequence

import msgspec
import structlog
from starlette.routing import BaseRoute, Route

from gateway.call import Caller
from gateway.edge.callers import Callers
from gateway.edge.operation import Ask, Door, say
from gateway.reply import Reply
from gateway.roles import Cached, Figures
from gateway.workers.peers import ALONE, Peers

_log = structlog.get_logger("interlingua")
_FIGURES, _CLEAR, _CLEANUP = "cache figures", "cache clear", "cache cleanup"


class Prompts:
    """The endpoints under /v1/messages/cache; without a cache they say that there is none."""

    def __init__(self, cache: Cached | None, peers: Peers) -> None:
        self._cache = cache
        self._peers = peers
        if cache is not None:
            _answering(cache, peers)

    async def stats(self, ask: Ask) -> Reply:
        """The figures of all callers together; nothing in them tells of any one."""
        figures = await whole(self._cache, self._peers) if self._cache is not None else Figures()
        total = figures.hits + figures.misses
        return say({
            "cache_enabled": figures.enabled,
            "cache_backend": figures.backend,
            "total_requests": total,
            "cache_hits": figures.hits,
            "cache_misses": figures.misses,
            "hit_rate": round(figures.hits / total, 4) if total else 0.0,
            "cache_size": figures.size,
            "max_cache_size": figures.limit,
            "average_response_time": {
                "cached": _milliseconds(figures.cached),
                "uncached": _milliseconds(figures.uncached),
            },
            "performance_improvement": improvement(figures.cached, figures.uncached) or "0%",
        })  # fmt: skip

    async def clear(self, ask: Ask) -> Reply:
        """Forgets the caller's own answers."""
        cleared = await self._cache.clear(ask.caller) if self._cache is not None else 0
        if self._cache is not None and self._cache.apart:
            name = ask.caller.name.encode()
            cleared += sum(map(_number, await self._peers.ask(_CLEAR, name)))
        _log.info("cache_cleared", caller=ask.caller.name, entries=cleared)
        return say({
            "status": "success",
            "message": "Cache cleared successfully",
            "cleared_entries": cleared,
        })  # fmt: skip

    async def cleanup(self, ask: Ask) -> Reply:
        """Forgets what has expired."""
        removed, left = await self._cache.cleanup() if self._cache is not None else (0, 0)
        if self._cache is not None and self._cache.apart:
            for body in await self._peers.ask(_CLEANUP):
                others = msgspec.msgpack.decode(body, type=tuple[int, int])
                removed, left = removed + others[0], left + others[1]
        return say({
            "status": "success",
            "message": "Cache cleanup completed",
            "expired_entries_removed": removed,
            "remaining_entries": left,
        })  # fmt: skip


def _answering(cache: Cached, peers: Peers) -> None:
    """Has the other workers told what this one's cache has done, and it do what they are asked."""

    async def figures(about: bytes) -> bytes:
        return msgspec.msgpack.encode(await cache.figures())

    async def clear(about: bytes) -> bytes:
        return b"%d" % await cache.clear(Caller(about.decode()))

    async def cleanup(about: bytes) -> bytes:
        return msgspec.msgpack.encode(await cache.cleanup())

    peers.answer(_FIGURES, figures)
    peers.answer(_CLEAR, clear)
    peers.answer(_CLEANUP, cleanup)


async def whole(cache: Cached, peers: Peers) -> Figures:
    """The figures of all workers together."""
    own = await cache.figures()
    others = [msgspec.msgpack.decode(each, type=Figures) for each in await peers.ask(_FIGURES)]
    every = [own, *others]
    timed = sum(each.timed[0] for each in every), sum(each.timed[1] for each in every)
    sizes = [each.size for each in every]
    return msgspec.structs.replace(
        own,
        hits=sum(each.hits for each in every),
        misses=sum(each.misses for each in every),
        cached=_mean([(each.cached, each.timed[0]) for each in every]),
        uncached=_mean([(each.uncached, each.timed[1]) for each in every]),
        size=sum(size or 0 for size in sizes) if cache.apart else own.size,
        limit=own.limit * len(every) if own.limit is not None and cache.apart else own.limit,
        timed=timed,
    )


def _mean(means: Sequence[tuple[float | None, int]]) -> float | None:
    count = sum(each for mean, each in means if mean is not None)
    return sum((mean or 0.0) * each for mean, each in means) / count if count else None


def _number(text: bytes) -> int:
    return int(text)


def _milliseconds(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    ms = seconds * 1e3
    return f"{ms:.0f}ms" if ms >= 10 else f"{ms:.2g}ms"


def improvement(spent: float | None, otherwise: float | None) -> str | None:
    """How much less time was spent than would have been otherwise, rounded down; None: unknown."""
    if spent is None or not otherwise:
        return None
    return f"{int(100 * (1 - spent / otherwise))}%"


def cache_routes(
    links: Sequence[object], callers: Callers, peers: Peers = ALONE
) -> list[BaseRoute]:
    """The endpoints for the chain's cache, each with and without /v1."""
    prompts = Prompts(next((link for link in links if isinstance(link, Cached)), None), peers)
    doors = {
        "stats": Door(prompts.stats, callers),
        "clear": Door(prompts.clear, callers, methods=("DELETE", "POST")),
        "cleanup": Door(prompts.cleanup, callers, methods=("POST",)),
    }
    return [
        Route(f"{prefix}/messages/cache/{name}", door)
        for prefix in ("/v1", "")
        for name, door in doors.items()
    ]
