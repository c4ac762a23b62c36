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
from gateway.plugin import Middleware, Next, Site
from gateway.reply import Reply, Stream
from gateway.roles import Progress
from middleware.batch.forms import Events, Feed, Pieces, whole
from middleware.batch.items import read_items
from middleware.batch.ledger import Ledger
from middleware.batch.run import Commons, Run

LARGE = 20
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

    def bind(self, site: Site) -> None:
        """Takes the interval of pings."""
        self._ping = site.config.server.ping or None
        self._ledger = Ledger(self.retained, self.retain)

    def join(self, edge: Edge) -> None:
        """Takes the edge, where all calls in flight are."""
        self._edge = edge
        slots = Limiter(self._room)
        self._commons = Commons(edge, self._ledger, slots, self.concurrency)

    def _room(self) -> int:
        others = len(self._edge.open) - self._ledger.open
        return max(1, self.concurrency - max(0, others - self.busy))

    def __call__(self, call: Call, next: Next) -> Awaitable[Reply]:
        """The answers to all items. BatchError where one cannot be started: then none is."""
        return self._answers(call, next) if call.dialect is BATCH else next(call)

    async def _answers(self, call: Call, next: Next) -> Reply:
        items = await read_items(call, self.max_items)
        entry = self._ledger.begin(call.caller.name, len(items))
        run = Run(self._commons, entry, items, next)
        head = [(b"x-batch-id", entry.id.encode())]
        if call.stream:
            return Reply(200, BATCH, Stream(Feed(run, Events(run), None)), head)
        if len(items) > LARGE:
            head += [(b"content-type", b"application/json"), (b"x-accel-buffering", b"no")]
            return Reply(200, BATCH, Stream(Feed(run, Pieces(run), self._ping)), head)
        await run.work()
        return Reply(200, BATCH, whole(run), head)

    def progress(self, caller: Caller, batch_id: str) -> Progress | None:
        """How far the caller's batch of that id is; None where the caller has no such batch."""
        entry = self._ledger.find(caller.name, batch_id)
        return entry.progress() if entry is not None else None

    def seconds(self) -> tuple[float, float]:
        """What all completed batches took, and their items one by one."""
        return self._ledger.together, self._ledger.apart
