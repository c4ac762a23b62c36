"""Many Messages requests in one: each its own call through the rest of the chain.

It stands behind `auth`, which a batch passes once, and before `alias`, for each item has a model,
an answer that may be cached, and a fallback of its own.
"""

from collections.abc import Awaitable
from typing import Annotated

from msgspec import Meta

from gateway.call import Call, Caller
from gateway.dialects.batch import BATCH
from gateway.edge.exchange import Edge
from gateway.fanout.limiter import Limiter
from gateway.plugin import Middleware, Next, Runtime
from gateway.reply import Reply, Stream
from gateway.roles import BatchProgress
from middleware.batch.formats import BatchSource, EventFormat, JsonFormat, render_batch
from middleware.batch.items import read_items
from middleware.batch.registry import BatchRegistry
from middleware.batch.run import BatchRun, BatchShared

STREAMED_ITEMS = 20
"""Items beyond which the JSON of an answer is sent as it comes to be."""


class Batch(Middleware):
    """Answers `POST /v1/messages/batch`; every other call passes by."""

    concurrency: Annotated[int, Meta(ge=1)] = 32
    """Most items in flight at a time, of all batches together."""
    busy: Annotated[int, Meta(ge=0)] = 16
    """Other calls in flight beyond which each takes a slot from the batches, down to one."""
    max_items: Annotated[int, Meta(ge=1)] = 1000
    """Most items of one batch."""
    retain: Annotated[float, Meta(ge=0)] = 3600.0
    """Seconds for which an ended batch can be asked for."""
    retained: Annotated[int, Meta(ge=1)] = 1000
    """Most batches of one caller that can be asked for; the oldest ended ones go first."""

    def bind(self, runtime: Runtime) -> None:
        """Takes the interval of pings."""
        self._ping = runtime.config.server.ping or None
        self._registry = BatchRegistry(self.retained, self.retain)

    def connect(self, edge: Edge) -> None:
        """Takes the edge, where all calls in flight are."""
        self._edge = edge
        slots = Limiter(self._count_slots)
        self._shared = BatchShared(edge, self._registry, slots, self.concurrency)

    def _count_slots(self) -> int:
        others = len(self._edge.open) - self._registry.open_count
        return max(1, self.concurrency - max(0, others - self.busy))

    def __call__(self, call: Call, next: Next) -> Awaitable[Reply]:
        """The answers to all items. BatchError where one cannot be started: then none is."""
        return self._answer_batch(call, next) if call.dialect is BATCH else next(call)

    async def _answer_batch(self, call: Call, next: Next) -> Reply:
        items = await read_items(call, self.max_items)
        entry = self._registry.begin_batch(call.caller.name, len(items))
        run = BatchRun(self._shared, entry, items, next)
        head = [(b"x-batch-id", entry.id.encode())]
        if call.stream:
            return Reply(200, BATCH, Stream(BatchSource(run, EventFormat(run), None)), head)
        if len(items) > STREAMED_ITEMS:
            head += [(b"content-type", b"application/json"), (b"x-accel-buffering", b"no")]
            return Reply(200, BATCH, Stream(BatchSource(run, JsonFormat(run), self._ping)), head)
        await run.run_items()
        return Reply(200, BATCH, render_batch(run), head)

    def find_progress(self, caller: Caller, batch_id: str) -> BatchProgress | None:
        """How far the caller's batch of that id is; None where the caller has no such batch."""
        entry = self._registry.find_batch(caller.name, batch_id)
        return entry.make_progress() if entry is not None else None

    def batch_seconds(self) -> tuple[float, float]:
        """What all completed batches took, and their items one by one."""
        return self._registry.wall_seconds, self._registry.item_seconds
