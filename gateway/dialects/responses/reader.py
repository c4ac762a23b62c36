"""A Responses upstream's stream as neutral events (`ResponseStreamEvent`).

Items are told apart by their output index. The real API writes one after another, others may
interleave them, so all but the first open item wait for it to end. An item whose kind has no
neutral form, such as a tool that the upstream runs itself, opens and ends without a word.
"""

from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Raw

from gateway.dialect import Conversion, Reader
from gateway.dialects.common.arguments import wrapped_tool_names
from gateway.dialects.common.stops import StopScanner
from gateway.dialects.responses.answer_wire import ItemKind, OutputItem, ResponseObject, StreamEvent
from gateway.dialects.responses.errors import stream_error
from gateway.dialects.responses.message_in import (
    KNOWN_ITEM_TYPES,
    DocumentFilter,
    note_unknown,
    read_stop,
)
from gateway.dialects.responses.open_items import (
    NO_OPEN_PART,
    IgnoredItem,
    OpenCall,
    OpenItem,
    open_item,
)
from gateway.errors import BadAnswer, Cut
from gateway.neutral.events import (
    Ending,
    Event,
    MessageEnd,
    MessageStart,
    PartEnd,
    RefusalDelta,
    TextDelta,
    TextStart,
    ToolStart,
)
from gateway.wire.raw_json import decode, present
from gateway.wire.sse import Frame

_decode = msgspec.json.Decoder(StreamEvent).decode
_TEXT_DELTA = "response.output_text.delta"
_EMPTY_ITEM = OutputItem()
T = TypeVar("T")


class _QueuedItem:
    """An item, and what of it has to wait for an earlier one."""

    __slots__ = ("ended", "item", "queued")

    def __init__(self, item: OpenItem) -> None:
        self.item = item
        self.queued: list[Event] = []
        self.ended = False


class ResponsesReader(Reader):
    """The state of one stream; see `gateway.dialect.Reader`."""

    def __init__(self, conversion: Conversion) -> None:
        self.ended = False
        self.cut = False
        self._conversion = conversion
        self._wrapped_names = wrapped_tool_names(conversion)
        self._document_filter = DocumentFilter(conversion)
        self._items: dict[int, _QueuedItem] = {}  # those not fully told, in the order they began
        self._has_started = False
        self._started_indices: set[int] = set()  # where an item has begun
        self._has_calls = False
        self._has_refusal = False
        self._speaking = False  # a text part is open at the client
        self._stop_scanner: StopScanner | None = None
        # the item whose text goes straight on, and its place
        self._live_item: OpenItem | None = None
        self._live_index = 0
        self._passes_text = not conversion.local_stops and conversion.prompt.web_search is None

    def read(self, frame: Frame) -> list[Event]:
        """The events of one frame; the last of them is Ended when the response is complete."""
        if self.ended:
            return []
        try:
            event = _decode(frame.data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            event = _decode_leniently(frame.data)
        if event.type == _TEXT_DELTA:
            live = self._live_item
            if (
                live is not None
                and self._live_index == (event.output_index or 0)
                and live.open_part == (event.content_index or 0)
            ):
                return [TextDelta(event.delta)] if event.delta else []
            return self._read_first_text(event)
        reading = _EVENT_READERS.get(event.type)
        if reading is not None:
            return reading(self, event)
        if event.type in _FAILURE_TYPES or frame.event == b"error":
            return _raise_error(frame)
        return self._read_item_event(event)

    def finish(self) -> list[Event]:
        """Nothing where the response was complete; else Cut."""
        if not self.ended:
            raise Cut("upstream closed the stream before its answer was whole")
        return []

    # --- the response -----------------------------------------------------------------------------

    def _read_start(self, event: StreamEvent) -> list[Event]:
        return (
            self._start_message(_decode_response(event.response)) if not self._has_started else []
        )

    def _start_message(self, answer: ResponseObject) -> list[Event]:
        if self._has_started:
            return []
        self._has_started = True
        return [MessageStart(answer.id or "", answer.model or self._conversion.model)]

    def _end_message(self, event: StreamEvent) -> list[Event]:
        answer = _decode_response(event.response)
        answer.status = answer.status or event.type.removeprefix("response.")
        if answer.status == "failed":
            return _raise_error(Frame(b"error", _FAILED_EVENT % bytes(event.response)))
        out = self._start_message(answer)
        if not self._started_indices:  # a server that streams nothing but the whole response
            for at, raw in enumerate(answer.output or ()):
                out += self._read_item_added(StreamEvent(output_index=at, item=raw))
                out += self._read_item_done(StreamEvent(output_index=at, item=raw))
        for at in list(self._items):
            if at in self._items:  # else it was whole, and only waited for the one before it
                out += self._close_item(at, OutputItem(status=answer.status))
        if self.ended:
            return out  # the last words held a stop sequence
        ending = read_stop(
            answer, called=self._has_calls, refused=self._has_refusal, conversion=self._conversion
        )
        self.ended = True
        out.append(MessageEnd(ending))
        return out

    # --- items ------------------------------------------------------------------------------------

    def _read_item_added(self, event: StreamEvent) -> list[Event]:
        at = event.output_index or 0
        out = self._start_message(ResponseObject())
        if at in self._items:
            out += self._close_item(at, _EMPTY_ITEM)
        item = self._open_item(at, event.item)
        began = self._items[at].item
        if isinstance(began, OpenCall):
            out += self._emit_or_queue(at, began.start_call(item))
        return out

    def _open_item(self, at: int, raw: Raw) -> OutputItem:
        kind = _decode_as(raw, ItemKind).type
        self._started_indices.add(at)
        if kind not in KNOWN_ITEM_TYPES:
            note_unknown(kind, self._conversion)
            self._items[at] = _QueuedItem(IgnoredItem())
            return _EMPTY_ITEM
        item = _decode_as(raw, OutputItem)
        self._items[at] = _QueuedItem(
            open_item(item, self._document_filter, self._wrapped_names, self._conversion)
        )
        return item

    def _read_item_done(self, event: StreamEvent) -> list[Event]:
        at = event.output_index or 0
        out: list[Event] = []
        if at not in self._started_indices:
            out += self._read_item_added(event)
        if at not in self._items:
            return []  # it is told already
        quiet = isinstance(self._items[at].item, IgnoredItem)
        return out + self._close_item(
            at, _EMPTY_ITEM if quiet else _decode_as(event.item, OutputItem)
        )

    def _close_item(self, at: int, item: OutputItem) -> list[Event]:
        waiting = self._items.get(at)
        if waiting is None or waiting.ended:
            return []
        waiting.ended = True
        self._live_item = None
        out = self._emit_or_queue(at, waiting.item.end_item(item))
        while self._items:
            first = next(iter(self._items))
            waiting = self._items[first]
            out += self._apply_stops(waiting.queued)
            waiting.queued = []
            if not waiting.ended:
                break
            del self._items[first]
        return out

    def _read_first_text(self, event: StreamEvent) -> list[Event]:
        """Text that does not simply go on: it opens a part, or waits, or has to be looked at."""
        at = event.output_index or 0
        out: list[Event] = []
        if at not in self._items:
            out += self._read_item_added(StreamEvent(output_index=at, item=_MESSAGE_ITEM))
        out += self._read_item_event(event)
        waiting = self._items.get(at)
        if self._passes_text and waiting is not None and next(iter(self._items)) == at:
            live = waiting.item
            self._live_item, self._live_index = (
                (live, at) if live.open_part != NO_OPEN_PART else (None, 0)
            )
        return out

    def _read_item_event(self, event: StreamEvent) -> list[Event]:
        at = event.output_index or 0
        waiting = self._items.get(at)
        if waiting is None or waiting.ended:
            return []
        return self._emit_or_queue(at, waiting.item.read_event(event))

    def _emit_or_queue(self, at: int, events: list[Event]) -> list[Event]:
        """The events, or none of them yet where an earlier item is still open."""
        if next(iter(self._items)) == at:
            return self._apply_stops(events)
        self._items[at].queued += events
        return []

    # --- what the client gets ---------------------------------------------------------------------

    def _apply_stops(self, events: list[Event]) -> list[Event]:
        """The events, up to the first stop sequence that is enforced here."""
        out: list[Event] = []
        for event in events:
            if self.ended:
                break
            self._track_event(event)
            if self._stop_scanner is None:
                out.append(event)
            else:
                self._scan_stops(event, self._stop_scanner, out)
        return out

    def _track_event(self, event: Event) -> None:
        match event:
            case ToolStart():
                self._has_calls = True
            case RefusalDelta():
                self._has_refusal = True
            case TextStart() if self._conversion.local_stops:
                self._stop_scanner = StopScanner(self._conversion.local_stops)

    def _scan_stops(self, event: Event, stops: StopScanner, out: list[Event]) -> None:
        if isinstance(event, TextDelta):
            text, stop = stops.feed(event.text)
            if text:
                out.append(TextDelta(text))
            if stop is not None:
                self.cut = self.ended = True
                out += [PartEnd(), MessageEnd(Ending("stop_sequence", stop))]
            return
        if isinstance(event, PartEnd):
            if held := stops.finish():
                out.append(TextDelta(held))
            self._stop_scanner = None
        out.append(event)


def _raise_error(frame: Frame) -> list[Event]:
    """Raises the error that the frame carries; a frame of no type that has none says nothing."""
    error = stream_error(frame)
    if error is not None:
        raise error
    return []


def _decode_response(raw: Raw) -> ResponseObject:
    return _decode_as(raw, ResponseObject) if present(raw) else ResponseObject()


def _decode_as(raw: Raw, type: type[T]) -> T:
    try:
        return decode(raw, type)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise BadAnswer(f"upstream sent an item that cannot be read: {fault}") from None


def _decode_leniently(data: bytes) -> StreamEvent:
    """An event that msgspec refuses at first: a lone surrogate, or one that nobody looks into."""
    if data.strip() == b"[DONE]":
        return StreamEvent("[DONE]")  # some servers close with it, after the response is complete
    try:
        return decode(data, StreamEvent)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        kind = _read_type(data)
        if kind in _EVENT_READERS or kind in _FAILURE_TYPES or kind.startswith(_READ_PREFIXES):
            raise BadAnswer(f"upstream sent an event that cannot be read: {fault}") from None
        return StreamEvent(kind)


def _read_type(data: bytes) -> str:
    try:
        return decode(data, ItemKind).type
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""


_MESSAGE_ITEM = Raw(b'{"type":"message"}')
_FAILED_EVENT = b'{"type":"response.failed","response":%b}'
_FAILURE_TYPES = frozenset({"", "error", "response.failed"})
_READ_PREFIXES = (
    "response.output_text.",
    "response.refusal.",
    "response.reasoning",
    "response.function_",
)
_EVENT_READERS: dict[str, Callable[[ResponsesReader, StreamEvent], list[Event]]] = {
    "response.created": ResponsesReader._read_start,
    "response.in_progress": ResponsesReader._read_start,
    "response.queued": ResponsesReader._read_start,
    "response.output_item.added": ResponsesReader._read_item_added,
    "response.output_item.done": ResponsesReader._read_item_done,
    "response.completed": ResponsesReader._end_message,
    "response.incomplete": ResponsesReader._end_message,
}
