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
    """The store of the prompt cache cannot be asked."""

    kind = "cache_error"

    def __init__(self) -> None:
        details = {
            "enhancement_phase": "phase_4_anthropic_beta",
            "feature": "prompt_caching",
            "fallback_applied": False,
        }
        super().__init__("the store of the prompt cache does not answer", details=details)


class CacheFigures(Struct):
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
    timed: tuple[int, int] = (0, 0)
    """Calls behind each of the means."""


@runtime_checkable
class AnswerCache(Protocol):
    """A link of the chain that keeps answers."""

    @property
    def per_worker(self) -> bool:
        """Each worker keeps answers of its own; else all of them have the same store."""

    async def read_figures(self) -> CacheFigures:
        """What it has done so far."""

    async def clear(self, caller: Caller) -> int:
        """Forgets the caller's answers; how many they were. Raises CacheError."""

    async def cleanup(self) -> tuple[int, int]:
        """Forgets what has expired: how many, and how many are left. Raises CacheError."""


class BatchProgress(Struct, frozen=True):
    """How far a batch is."""

    batch_id: str
    status: Literal["processing", "completed", "cancelled"]
    total_messages: int
    processed_messages: int
    successful_messages: int
    failed_messages: int
    completion_time: str | None
    """When it ended, whichever way."""


@runtime_checkable
class BatchRunner(Protocol):
    """A link of the chain that makes many calls of a batch."""

    def connect(self, edge: Edge) -> None:
        """Called once, before the first call: where the other calls are seen, and items counted."""

    def find_progress(self, caller: Caller, batch_id: str) -> BatchProgress | None:
        """How far the caller's batch of that id is; None where the caller has no such batch."""

    def batch_seconds(self) -> tuple[float, float]:
        """What all completed batches took, and their items one by one."""


class Resolution(Protocol):
    """A model's way."""

    @property
    def targets(self) -> tuple[Target, ...]:
        """Where a call for it goes, the first choice first."""

    @property
    def steps(self) -> tuple[str, ...]:
        """What led there, in words."""


@runtime_checkable
class Router(Protocol):
    """A link of the chain that can say where a model goes."""

    def resolve(self, model: str) -> Resolution:
        """The model's way. Raises NotFound."""


class BatchEngineStatus(Protocol):
    """What works off batches."""

    async def get_status(self) -> dict[str, object]:
        """Its engine, the batches that have not ended, and the items in flight."""


def resolve_model(links: Sequence[Middleware], model: str) -> Resolution | None:
    """The model's way; None where no link of the chain can say. Raises NotFound."""
    router = next((link for link in links if isinstance(link, Router)), None)
    return router.resolve(model) if router is not None else None


def format_timestamp(seconds: float | None = None) -> str:
    """A moment, or now, as RFC 3339."""
    moment = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@runtime_checkable
class ResponseStore(Protocol):
    """A link of the chain that keeps responses."""

    async def find_response(self, caller: Caller, id: str) -> bytes | None:
        """The response of that caller. Raises Unavailable."""

    async def find_owner(self, caller: Caller, id: str) -> str | None:
        """The target that keeps that caller's response itself, if one does. Raises Unavailable."""

    async def input_items(self, caller: Caller, id: str) -> list[dict[str, Any]] | None:
        """The items that it was made from, oldest first. Raises Unavailable."""

    async def forget_response(self, caller: Caller, id: str) -> bool:
        """Whether it was there to be forgotten. Raises Unavailable."""


@runtime_checkable
class StoreBacked(Protocol):
    """A link of the chain that keeps things."""

    @property
    def down(self) -> bool | None:
        """Whether its store does not answer; None where that is the gateway's own memory."""
