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
from middleware.batch.items import BatchItem
from middleware.batch.registry import BatchEntry, BatchRegistry

_log = structlog.get_logger("interlingua")


class _ConvertedData(Struct):
    response: str
    """All that the answer says."""
    message: Raw
    """The answer as it is."""


class _ItemResult(Struct):
    success: bool
    converted_data: _ConvertedData | None = None
    errors: list[str] = []
    warnings: list[str] = []
    custom_id: str | UnsetType = UNSET


class FinishedItem(Struct, frozen=True):
    """An item that has come to its end, and how far the batch was then."""

    place: int
    item: BatchItem
    success: bool
    successful: int
    failed: int


class BatchShared(Struct, frozen=True):
    """What the batches of one gateway share."""

    edge: Edge
    registry: BatchRegistry
    slots: Limiter
    workers: int
    """Most items of one batch that are in flight or wait for a slot."""


class BatchRun:
    """One batch."""

    def __init__(
        self, commons: BatchShared, entry: BatchEntry, items: list[BatchItem], next: Next
    ) -> None:
        self.entry = entry
        self.items = items
        self.results: list[bytes] = [b""] * len(items)
        """The result of each item as JSON; empty while there is none."""
        self.changed = asyncio.Event()
        """Set when an item, or all of it, has come to an end."""
        self.is_over = False
        self._shared = commons
        self._next = next
        self._places = iter(range(len(items)))
        self._finished: deque[FinishedItem] = deque()

    async def run_items(self) -> None:
        """Answers every item; where this is cancelled, so are the items in flight."""
        commons = self._shared
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(commons.workers, len(self.items))):
                    group.create_task(self._run_worker())
            commons.registry.end_batch(self.entry, "completed")
        finally:
            self.end_batch()

    def end_batch(self) -> None:
        """The batch is over, if it was not: what was not answered will not be."""
        self._shared.registry.end_batch(self.entry, "cancelled")
        self.is_over = True
        self.changed.set()

    def take_finished(self) -> list[FinishedItem]:
        """The items that have come to their end since this was last asked, in that order."""
        taken = list(self._finished)
        self._finished.clear()
        self.changed.clear()
        return taken

    async def _run_worker(self) -> None:
        for place in self._places:
            await asyncio.sleep(0)  # answers from the cache wait for nothing: others must get on
            entry = self.entry
            async with self._shared.slots:
                began = monotonic()
                result = await self._answer_item(self.items[place])
                entry.item_seconds += monotonic() - began
            self.results[place] = msgspec.json.encode(result)
            if result.success:
                entry.successful += 1
            else:
                entry.failed += 1
            done = FinishedItem(
                place, self.items[place], result.success, entry.successful, entry.failed
            )
            self._finished.append(done)
            self.changed.set()

    async def _answer_item(self, item: BatchItem) -> _ItemResult:
        """What the item came to; nothing that happens to it is more than its own failure."""
        record = Record(monotonic(), caller=item.call.record.caller)
        call = msgspec.structs.replace(item.call, record=record)
        status = 0
        try:
            converted = await self._fetch_answer(call)
            status, record.end = 200, "complete"
            result = _ItemResult(True, converted)
        except GatewayError as error:
            status = MESSAGES.error_status(error)
            result = _make_failure(call, error)
        except Exception as fault:  # noqa: BLE001  # the others must not fail with this one
            _log.error("fault", request_id=call.id, kind=type(fault).__name__, exc_info=True)
            status = 500
            result = _make_failure(
                call, GatewayError("the gateway failed; its log has the details")
            )
        finally:
            record.end = record.end or ("drained" if self._shared.edge.draining else "client_gone")
            self._record_call(call, status)
        result.warnings = record.warnings
        if item.custom_id is not None:
            result.custom_id = item.custom_id
        return result

    async def _fetch_answer(self, call: Call) -> _ConvertedData:
        reply = await self._next(call)
        try:
            return _read_answer(reply)
        finally:
            await reply.aclose()

    def _record_call(self, call: Call, status: int) -> None:
        """Counts and logs the item as a call: it was one, and was paid for."""
        name = MESSAGES.name
        self._shared.edge.totals.record_call(call.id, name, call.record, status, streamed=False)
        log_call(call.id, name, call.record, status)


class _TextBlock(Struct):
    type: str = ""
    text: str | None = None


class _MessageAnswer(Struct):
    content: list[_TextBlock]


def _read_answer(reply: Reply) -> _ConvertedData:
    """The text of an answer beside it. Raises the error that it is instead; BadAnswer."""
    if reply.error is not None:
        raise reply.error
    if not isinstance(reply.body, bytes):
        raise BadAnswer("a stream came back that was not asked for")
    try:
        body = _normalize_json(reply.body)
        answer = decode(body, _MessageAnswer)
    except (msgspec.DecodeError, RecursionError):
        raise BadAnswer("the upstream sent a body that is no Messages answer") from None
    said = "".join(block.text or "" for block in answer.content if block.type == "text")
    return _ConvertedData(said, Raw(body))


def _normalize_json(body: bytes) -> bytes:
    """The body as one line of sound JSON: it becomes a part of another document."""
    body = body.decode("utf-8", "replace").encode()
    try:
        return msgspec.json.format(body, indent=-1)
    except msgspec.DecodeError:  # lone surrogates, or a mark at its start
        return msgspec.json.encode(decode(body, dict[str, Any]))


class _ErrorFields(Struct):
    type: str
    message: str


class _ErrorBody(Struct):
    error: _ErrorFields


def _make_failure(call: Call, error: GatewayError) -> _ItemResult:
    """The failure in the words that a client of a lone call would read."""
    call.record.end = "rejected" if error.status < 500 else "upstream_error"
    call.record.error = f"{error.kind}: {error.message}"
    told = msgspec.json.decode(MESSAGES.write_error(error, call.id), type=_ErrorBody).error
    return _ItemResult(False, None, [f"{told.type}: {told.message}"])
