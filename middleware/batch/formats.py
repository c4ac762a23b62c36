"""What a client gets to see of a batch: one JSON document, whole or piece by piece, or events."""

import asyncio
from typing import Any, Protocol

import msgspec
from msgspec import Raw

from gateway.reply import Source
from gateway.wire.sse import frame
from middleware.batch.registry import BatchEntry
from middleware.batch.run import BatchRun, FinishedItem

_encode = msgspec.json.encode


def render_batch(run: BatchRun) -> bytes:
    """The answer to a batch that is over."""
    results = [Raw(result) for result in run.results]
    return _encode(_build_head(run.entry) | _build_counts(run.entry) | {"results": results})


def _build_head(entry: BatchEntry) -> dict[str, Any]:
    return {"batch_id": entry.id, "total_messages": entry.total}


def _build_counts(entry: BatchEntry) -> dict[str, Any]:
    return {
        "successful_messages": entry.successful,
        "failed_messages": entry.failed,
        "success_rate": entry.success_rate,
        "completion_time": entry.completion_time,
    }


class BatchFormat(Protocol):
    """One way to tell of a batch while it is under way."""

    keepalive: bytes
    """Says that nothing is new."""

    def render_start(self) -> bytes:
        """What is said before any item is answered."""

    def render_finished(self, done: list[FinishedItem]) -> bytes:
        """What is said once these items have come to their end; it may be nothing."""

    def render_end(self) -> bytes:
        """What is said once all of them have."""


class EventFormat:
    """Server-sent events: each item as it comes to its end, and at last the whole answer."""

    keepalive = b""  # the edge pings a stream of events

    def __init__(self, run: BatchRun) -> None:
        self._run = run

    def render_start(self) -> bytes:
        """`batch_started`."""
        return _render_event("batch_started", _build_head(self._run.entry))

    def render_finished(self, done: list[FinishedItem]) -> bytes:
        """An `item_completed` for each."""
        return b"".join(map(self._render_item, done))

    def render_end(self) -> bytes:
        """`batch_completed`."""
        run = self._run
        results = [Raw(result) for result in run.results]
        return _render_event(
            "batch_completed",
            _build_head(run.entry) | _build_counts(run.entry) | {"results": results},
        )

    def _render_item(self, done: FinishedItem) -> bytes:
        named = {} if done.item.custom_id is None else {"custom_id": done.item.custom_id}
        counts = {
            "processed_messages": done.successful + done.failed,
            "successful_messages": done.successful,
            "failed_messages": done.failed,
        }
        body = {"index": done.place} | named | {"success": done.success}
        return _render_event("item_completed", _build_head(self._run.entry) | body | counts)


def _render_event(name: str, body: dict[str, Any]) -> bytes:
    return frame(name.encode(), _encode({"type": name} | body))


class JsonFormat:
    """The JSON document itself: each result in its turn, then the counts. No result is kept."""

    keepalive = b"\n"  # a space between two tokens says nothing to a parser, and much to a proxy

    def __init__(self, run: BatchRun) -> None:
        self._run = run
        self._rendered_count = 0

    def render_start(self) -> bytes:
        """Up to the first result."""
        return _encode(_build_head(self._run.entry))[:-1] + b',"results":['

    def render_finished(self, done: list[FinishedItem]) -> bytes:
        """The results that are due: those before which none is missing."""
        results, pieces = self._run.results, list[bytes]()
        while self._rendered_count < len(results) and results[self._rendered_count]:
            pieces.append(
                b"," + results[self._rendered_count]
                if self._rendered_count
                else results[self._rendered_count]
            )
            results[self._rendered_count] = b""
            self._rendered_count += 1
        return b"".join(pieces)

    def render_end(self) -> bytes:
        """From the last result on."""
        return b"]," + _encode(_build_counts(self._run.entry))[1:]


class BatchSource(Source):
    """A source of what is told of a batch. The batch begins with the first read."""

    def __init__(self, run: BatchRun, form: BatchFormat, ping: float | None) -> None:
        self._run = run
        self._format = form
        self._ping = ping
        self._task: asyncio.Task[None] | None = None
        self._is_over = False

    async def read(self) -> bytes:
        """What is new, once there is something; something empty of meaning after a silence."""
        run = self._run
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(run.run_items())
            return self._format.render_start()
        while not self._is_over:
            done = run.take_finished()
            if run.is_over:
                self._is_over = True
                await self._task  # raises what it has failed with
            piece = self._format.render_finished(done) + (
                self._format.render_end() if self._is_over else b""
            )
            if piece:
                return piece
            try:
                async with asyncio.timeout(self._ping):
                    await run.changed.wait()
            except TimeoutError:
                return self._format.keepalive
        return b""

    async def aclose(self) -> None:
        """Ends the batch with whatever of it is in flight."""
        self._is_over = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        self._run.end_batch()
