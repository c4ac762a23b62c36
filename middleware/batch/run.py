"""A batch under way: its items on their way through the rest of the chain, so many at a time."""

import asyncio
from collections import deque
from time import monotonic

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from gateway.call import Record
from gateway.dialects.messages import MESSAGES
from gateway.edge.exchange import Edge
from gateway.errors import BadAnswer, GatewayError
from gateway.fanout.item import Item, ItemRunner
from gateway.fanout.limiter import Limiter
from gateway.plugin import Next
from gateway.wire.raw_json import decode
from middleware.batch.items import BatchItem
from middleware.batch.registry import BatchEntry, BatchRegistry


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
        self._runner = ItemRunner(commons.edge, next, expects="Messages answer")
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
        outcome = await self._runner.run(Item(call.id, MESSAGES, record, lambda: call), _read_text)
        if outcome.error is not None:
            result = _make_failure(outcome.error, call.id)
        else:
            result = _ItemResult(True, _ConvertedData(outcome.value or "", Raw(outcome.body)))
        result.warnings = record.warnings
        if item.custom_id is not None:
            result.custom_id = item.custom_id
        return result


class _TextBlock(Struct):
    type: str = ""
    text: str | None = None


class _MessageAnswer(Struct):
    content: list[_TextBlock]


def _read_text(body: bytes) -> str:
    """All text of a Messages answer. BadAnswer where it is none."""
    try:
        answer = decode(body, _MessageAnswer)
    except (msgspec.DecodeError, RecursionError):
        raise BadAnswer("the upstream sent a body that is no Messages answer") from None
    return "".join(block.text or "" for block in answer.content if block.type == "text")


class _ErrorFields(Struct):
    type: str
    message: str


class _ErrorBody(Struct):
    error: _ErrorFields


def _make_failure(error: GatewayError, id: str) -> _ItemResult:
    """The failure in the words that a client of a lone call would read."""
    told = msgspec.json.decode(MESSAGES.write_error(error, id), type=_ErrorBody).error
    return _ItemResult(False, None, [f"{told.type}: {told.message}"])
