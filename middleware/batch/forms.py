"""What a client gets to see of a batch: one JSON document, whole or piece by piece, or events."""

import asyncio
from typing import Any, Protocol

import msgspec
from msgspec import Raw

from gateway.wire.sse import frame
from middleware.batch.ledger import Entry
from middleware.batch.run import Done, Run

_encode = msgspec.json.encode


def whole(run: Run) -> bytes:
    """The answer to a batch that is over."""
    results = [Raw(result) for result in run.results]
    return _encode(_head(run.entry) | _counts(run.entry) | {"results": results})


def _head(entry: Entry) -> dict[str, Any]:
    return {"batch_id": entry.id, "total_messages": entry.total}


def _counts(entry: Entry) -> dict[str, Any]:
    return {
        "successful_messages": entry.successful,
        "failed_messages": entry.failed,
        "success_rate": entry.rate,
        "completion_time": entry.completion_time,
    }


class Form(Protocol):
    """One way to tell of a batch while it is under way."""

    silence: bytes
    """Says that nothing is new."""

    def opening(self) -> bytes:
        """What is said before any item is answered."""

    def news(self, done: list[Done]) -> bytes:
        """What is said once these items have come to their end; it may be nothing."""

    def closing(self) -> bytes:
        """What is said once all of them have."""


class Events:
    """Server-sent events: each item as it comes to its end, and at last the whole answer."""

    silence = b""  # the edge pings a stream of events

    def __init__(self, run: Run) -> None:
        self._run = run

    def opening(self) -> bytes:
        """`batch_started`."""
        return _event("batch_started", _head(self._run.entry))

    def news(self, done: list[Done]) -> bytes:
        """An `item_completed` for each."""
        return b"".join(map(self._item, done))

    def closing(self) -> bytes:
        """`batch_completed`."""
        run = self._run
        results = [Raw(result) for result in run.results]
        return _event(
            "batch_completed", _head(run.entry) | _counts(run.entry) | {"results": results}
        )

    def _item(self, done: Done) -> bytes:
        named = {} if done.item.custom_id is None else {"custom_id": done.item.custom_id}
        counts = {
            "processed_messages": done.successful + done.failed,
            "successful_messages": done.successful,
            "failed_messages": done.failed,
        }
        body = {"index": done.place} | named | {"success": done.success}
        return _event("item_completed", _head(self._run.entry) | body | counts)


def _event(name: str, body: dict[str, Any]) -> bytes:
    return frame(name.encode(), _encode({"type": name} | body))


class Pieces:
    """The JSON document itself: each result in its turn, then the counts. No result is kept."""

    silence = b"\n"  # a space between two tokens says nothing to a parser, and much to a proxy

    def __init__(self, run: Run) -> None:
        self._run = run
        self._told = 0

    def opening(self) -> bytes:
        """Up to the first result."""
        return _encode(_head(self._run.entry))[:-1] + b',"results":['

    def news(self, done: list[Done]) -> bytes:
        """The results that are due: those before which none is missing."""
        results, pieces = self._run.results, list[bytes]()
        while self._told < len(results) and results[self._told]:
            pieces.append(b"," + results[self._told] if self._told else results[self._told])
            results[self._told] = b""
            self._told += 1
        return b"".join(pieces)

    def closing(self) -> bytes:
        """From the last result on."""
        return b"]," + _encode(_counts(self._run.entry))[1:]


class Feed:
    """A source of what is told of a batch. The batch begins with the first read."""

    def __init__(self, run: Run, form: Form, ping: float | None) -> None:
        self._run = run
        self._form = form
        self._ping = ping
        self._task: asyncio.Task[None] | None = None
        self._over = False

    async def read(self) -> bytes:
        """What is new, once there is something; something empty of meaning after a silence."""
        run = self._run
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(run.work())
            return self._form.opening()
        while not self._over:
            done = run.take()
            if run.over:
                self._over = True
                await self._task  # raises what it has failed with
            piece = self._form.news(done) + (self._form.closing() if self._over else b"")
            if piece:
                return piece
            try:
                async with asyncio.timeout(self._ping):
                    await run.news.wait()
            except TimeoutError:
                return self._form.silence
        return b""

    async def aclose(self) -> None:
        """Ends the batch with whatever of it is in flight."""
        self._over = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        self._run.stop()
