"""A batch under way: its items on their way through the rest of the chain, so many at a time."""

import asyncio
from collections import deque
from time import monotonic
from typing import Any

import msgspec
import structlog
from msgspec import UNSET, Raw, Struct, UnsetType

from gateway.call import Call, Record
from gateway.dialects.messages import MESSAGES
from gateway.edge.exchange import Edge
from gateway.errors import BadAnswer, GatewayError
from gateway.fanout.limiter import Limiter
from gateway.plugin import Next
from gateway.reply import Reply
from gateway.telemetry.log import log_call
from gateway.wire.raw_json import decode
from middleware.batch.items import Item
from middleware.batch.ledger import Entry, Ledger

_log = structlog.get_logger("interlingua")


class _Converted(Struct):
    response: str
    """All that the answer says."""
    message: Raw
    """The answer as it is."""


class _Result(Struct):
    success: bool
    converted_data: _Converted | None = None
    errors: list[str] = []
    warnings: list[str] = []
    custom_id: str | UnsetType = UNSET


class Done(Struct, frozen=True):
    """An item that has come to its end, and how far the batch was then."""

    place: int
    item: Item
    success: bool
    successful: int
    failed: int


class Commons(Struct, frozen=True):
    """What the batches of one gateway share."""

    edge: Edge
    ledger: Ledger
    slots: Limiter
    workers: int
    """Most items of one batch that are in flight or wait for a slot."""


class Run:
    """One batch."""

    def __init__(self, commons: Commons, entry: Entry, items: list[Item], next: Next) -> None:
        self.entry = entry
        self.items = items
        self.results: list[bytes] = [b""] * len(items)
        """The result of each item as JSON; empty while there is none."""
        self.news = asyncio.Event()
        """Set when an item, or all of it, has come to an end."""
        self.over = False
        self._commons = commons
        self._next = next
        self._places = iter(range(len(items)))
        self._done: deque[Done] = deque()

    async def work(self) -> None:
        """Answers every item; where this is cancelled, so are the items in flight."""
        commons = self._commons
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(commons.workers, len(self.items))):
                    group.create_task(self._work_off())
            commons.ledger.end(self.entry, "completed")
        finally:
            self.stop()

    def stop(self) -> None:
        """The batch is over, if it was not: what was not answered will not be."""
        self._commons.ledger.end(self.entry, "cancelled")
        self.over = True
        self.news.set()

    def take(self) -> list[Done]:
        """The items that have come to their end since this was last asked, in that order."""
        taken = list(self._done)
        self._done.clear()
        self.news.clear()
        return taken

    async def _work_off(self) -> None:
        for place in self._places:
            await asyncio.sleep(0)  # answers from the cache wait for nothing: others must get on
            entry = self.entry
            async with self._commons.slots:
                began = monotonic()
                result = await self._answered(self.items[place])
                entry.apart += monotonic() - began
            self.results[place] = msgspec.json.encode(result)
            if result.success:
                entry.successful += 1
            else:
                entry.failed += 1
            done = Done(place, self.items[place], result.success, entry.successful, entry.failed)
            self._done.append(done)
            self.news.set()

    async def _answered(self, item: Item) -> _Result:
        """What the item came to; nothing that happens to it is more than its own failure."""
        record = Record(monotonic(), caller=item.call.record.caller)
        call = msgspec.structs.replace(item.call, record=record)
        status = 0
        try:
            converted = await self._converted(call)
            status, record.end = 200, "complete"
            result = _Result(True, converted)
        except GatewayError as error:
            status = MESSAGES.error_status(error)
            result = _failed(call, error)
        except Exception as fault:  # noqa: BLE001  # the others must not fail with this one
            _log.error("fault", request_id=call.id, kind=type(fault).__name__, exc_info=True)
            status = 500
            result = _failed(call, GatewayError("the gateway failed; its log has the details"))
        finally:
            record.end = record.end or ("drained" if self._commons.edge.draining else "client_gone")
            self._book(call, status)
        result.warnings = record.warnings
        if item.custom_id is not None:
            result.custom_id = item.custom_id
        return result

    async def _converted(self, call: Call) -> _Converted:
        reply = await self._next(call)
        try:
            return _read(reply)
        finally:
            await reply.aclose()

    def _book(self, call: Call, status: int) -> None:
        """Counts and logs the item as a call: it was one, and was paid for."""
        name = MESSAGES.name
        self._commons.edge.totals.book(call.id, name, call.record, status, streamed=False)
        log_call(call.id, name, call.record, status)


class _Block(Struct):
    type: str = ""
    text: str | None = None


class _Answer(Struct):
    content: list[_Block]


def _read(reply: Reply) -> _Converted:
    """The text of an answer beside it. Raises the error that it is instead; BadAnswer."""
    if reply.error is not None:
        raise reply.error
    if not isinstance(reply.body, bytes):
        raise BadAnswer("a stream came back that was not asked for")
    try:
        body = _whole(reply.body)
        answer = decode(body, _Answer)
    except (msgspec.DecodeError, RecursionError):
        raise BadAnswer("the upstream sent a body that is no Messages answer") from None
    said = "".join(block.text or "" for block in answer.content if block.type == "text")
    return _Converted(said, Raw(body))


def _whole(body: bytes) -> bytes:
    """The body as one line of sound JSON: it becomes a part of another document."""
    body = body.decode("utf-8", "replace").encode()
    try:
        return msgspec.json.format(body, indent=-1)
    except msgspec.DecodeError:  # lone surrogates, or a mark at its start
        return msgspec.json.encode(decode(body, dict[str, Any]))


class _Words(Struct):
    type: str
    message: str


class _ErrorBody(Struct):
    error: _Words


def _failed(call: Call, error: GatewayError) -> _Result:
    """The failure in the words that a client of a lone call would read."""
    call.record.end = "rejected" if error.status < 500 else "upstream_error"
    call.record.error = f"{error.kind}: {error.message}"
    told = msgspec.json.decode(MESSAGES.write_error(error, call.id), type=_ErrorBody).error
    return _Result(False, None, [f"{told.type}: {told.message}"])
