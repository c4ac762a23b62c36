"""The endpoints of the prompt cache: its figures, and forgetting what it keeps."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import structlog
from msgspec import Struct
from starlette.routing import BaseRoute, Route

from gateway.admin.door import Ask, Door, say
from gateway.call import Caller
from gateway.callers import Callers
from gateway.errors import GatewayError
from gateway.reply import Reply

_log = structlog.get_logger("interlingua")


class CacheError(GatewayError):
    """The store of the prompt cache cannot be asked."""

    kind = "cache_error"

    def __init__(self) -> None:
        details = {
            "enhancement_phase": "phase_4_anthropic_beta",
            "feature": "prompt_caching",
            "fallback_applied": False,
        }
        super().__init__("the store of the prompt cache does not answer", details=details)


class Figures(Struct):
    """What a cache has done so far; means are in seconds, None where there was nothing."""

    hits: int = 0
    """Calls answered without an upstream call of their own."""
    misses: int = 0
    cached: float | None = None
    uncached: float | None = None
    enabled: bool = False
    backend: str = "none"
    size: int | None = 0
    """Entries; None where the store does not say."""
    limit: int | None = None


@runtime_checkable
class Cached(Protocol):
    """A link of the chain that keeps answers."""

    async def figures(self) -> Figures:
        """What it has done so far."""

    async def clear(self, caller: Caller) -> int:
        """Forgets the caller's answers; how many they were. Raises CacheError."""

    async def cleanup(self) -> tuple[int, int]:
        """Forgets what has expired: how many, and how many are left. Raises CacheError."""


class Prompts:
    """The endpoints under /v1/messages/cache; without a cache they say that there is none."""

    def __init__(self, cache: Cached | None) -> None:
        self._cache = cache

    async def stats(self, ask: Ask) -> Reply:
        """The figures of all callers together; nothing in them tells of any one."""
        figures = await self._cache.figures() if self._cache is not None else Figures()
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
        _log.info("cache_cleared", caller=ask.caller.name, entries=cleared)
        return say({
            "status": "success",
            "message": "Cache cleared successfully",
            "cleared_entries": cleared,
        })  # fmt: skip

    async def cleanup(self, ask: Ask) -> Reply:
        """Forgets what has expired."""
        removed, left = await self._cache.cleanup() if self._cache is not None else (0, 0)
        return say({
            "status": "success",
            "message": "Cache cleanup completed",
            "expired_entries_removed": removed,
            "remaining_entries": left,
        })  # fmt: skip


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


def cache_routes(links: Sequence[object], callers: Callers) -> list[BaseRoute]:
    """The endpoints for the chain's cache, each with and without /v1."""
    prompts = Prompts(next((link for link in links if isinstance(link, Cached)), None))
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
