"""Roles that middlewares offer to the admin and API pages."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, runtime_checkable

from msgspec import Struct

from gateway.call import Caller, Target
from gateway.edge.exchange import Edge
from gateway.errors import GatewayError
from gateway.plugin import Middleware


class CacheError(GatewayError):
    """The store of the prompt cache cannot be reached."""

    kind = "cache_error"

    def __init__(self) -> None:
        details = {
            "enhancement_phase": "phase_4_anthropic_beta",
            "feature": "prompt_caching",
            "fallback_applied": False,
        }
        super().__init__("the store of the prompt cache does not answer", details=details)


class CacheFigures(Struct):
    """Counters of a cache; means are in seconds, None if there was nothing to average."""

    hits: int = 0
    """Calls answered without an upstream call."""
    misses: int = 0
    cached: float | None = None
    uncached: float | None = None
    enabled: bool = False
    backend: str = "none"
    size: int | None = 0
    """Entries; None if the store does not report it."""
    limit: int | None = None
    timed: tuple[int, int] = (0, 0)
    """The number of calls in each of the means."""


@runtime_checkable
class AnswerCache(Protocol):
    """A link of the chain that caches answers."""

    @property
    def per_worker(self) -> bool:
        """Whether each worker has its own store; else all share one."""

    async def read_figures(self) -> CacheFigures:
        """Its counters."""

    async def clear(self, caller: Caller) -> int:
        """Removes the caller's answers and returns their number. Raises CacheError."""

    async def cleanup(self) -> tuple[int, int]:
        """Removes expired answers; returns how many, and how many are left. Raises CacheError."""


class BatchProgress(Struct, frozen=True):
    """State and counts of a batch."""

    batch_id: str
    status: Literal["processing", "completed", "cancelled"]
    total_messages: int
    processed_messages: int
    successful_messages: int
    failed_messages: int
    completion_time: str | None
    """When it completed or was cancelled."""


@runtime_checkable
class BatchRunner(Protocol):
    """A link of the chain that turns one batch request into many calls."""

    def connect(self, edge: Edge) -> None:
        """Called once, before the first call, with the edge that counts the calls of items."""

    def find_progress(self, caller: Caller, batch_id: str) -> BatchProgress | None:
        """Progress of the caller's batch; None if the caller has no batch of that id."""

    def batch_seconds(self) -> tuple[float, float]:
        """Seconds that all completed batches took, and the sum of the seconds of their items."""


class Resolution(Protocol):
    """Where the calls for a model go, and why."""

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets of a call for it, in order of preference."""

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps of the resolution, in words."""


@runtime_checkable
class Router(Protocol):
    """A link of the chain that resolves model names."""

    def resolve(self, model: str) -> Resolution:
        """Where calls for the model go. Raises NotFound."""


class BatchEngineStatus(Protocol):
    """The engine of the official batch APIs."""

    async def get_status(self) -> dict[str, object]:
        """The engine, the number of open batches, and the items in flight."""


def resolve_model(links: Sequence[Middleware], model: str) -> Resolution | None:
    """Where calls for the model go; None without a link that resolves names. Raises NotFound."""
    router = next((link for link in links if isinstance(link, Router)), None)
    return router.resolve(model) if router is not None else None


def format_timestamp(seconds: float | None = None) -> str:
    """A Unix time in seconds, or now, as an RFC 3339 timestamp."""
    moment = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@runtime_checkable
class ResponseStore(Protocol):
    """A link of the chain that stores responses."""

    async def find_response(self, caller: Caller, id: str) -> bytes | None:
        """The caller's stored response, or None. Raises Unavailable."""

    async def find_owner(self, caller: Caller, id: str) -> str | None:
        """The target whose upstream stores the caller's response, or None. Raises Unavailable."""

    async def input_items(self, caller: Caller, id: str) -> list[dict[str, Any]] | None:
        """Its input items, oldest first, or None. Raises Unavailable."""

    async def forget_response(self, caller: Caller, id: str) -> bool:
        """Deletes the response; returns whether there was one. Raises Unavailable."""


@runtime_checkable
class StoreBacked(Protocol):
    """A link of the chain with a store."""

    @property
    def down(self) -> bool | None:
        """Whether its store is unreachable; None if the store is in memory."""
