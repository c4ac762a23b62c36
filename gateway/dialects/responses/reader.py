"""A Responses upstream's stream as neutral events (`ResponseStreamEvent`).

Items are identified by their output index. The real API writes one after another, others may
interleave them, so all but the first open item wait for it to end. An item whose kind has no
neutral form, such as a tool that the upstream runs itself, makes no events.
"""

from collections.abc import Callable

import msgspec
from msgspec import Raw

from gateway.dialect import Conversion, Reader
from gateway.dialects.common.arguments import wrapped_tool_names
from gateway.dialects.common.parameters import SERVICE_TIERS
from gateway.dialects.common.stops import StopScanner
from gateway.dialects.responses.answer_wire import (
    ItemKind,
    OutputItem,
    ResponseObject,
    StreamEvent,
    decode_as,
)
from gateway.dialects.responses.errors import stream_error
from gateway.dialects.responses.open_items import NO_OPEN_PART, OpenCall, OpenItem, open_item
from gateway.dialects.responses.usage import read_usage
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


class _QueuedItem:
    """An item, and its events that wait for the end of an earlier one."""

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
        self._has_document = False  # the text whose format the request fixes
        self._items: dict[int, _QueuedItem] = {}  # not wholly given, in the order they began
        self._has_started = False
        self._started_indices: set[int] = set()  # where an item has begun
        self._has_calls = False
        self._has_refusal = False
        self._stop_scanner: StopScanner | None = None
        self._holds_text_start = False  # until the scanner releases text
        self._ending: Ending | None = None  # from the whole response
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
        return [] if self._has_started else self._start_message(_decode_response(event.response))

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
        return self.read_response(answer)

    def read_response(self, answer: ResponseObject) -> list[Event]:
        """The end of the answer, after its items where no event had any.

        BadAnswer where the response is not done, or an item cannot be read.
        """
        self._ending = ending = _read_ending(answer, self._conversion)
        out = self._start_message(answer)
        if not self._started_indices:
            for at, raw in enumerate(answer.output or ()):
                out += self._read_item_done(StreamEvent(output_index=at, item=raw))
        for at in list(self._items):
            if at in self._items:  # else it was whole, and only waited for the one before it
                out += self._close_item(at, OutputItem(status=answer.status))
        if self.ended:
            return out  # a stop sequence was found
        if ending.stop == "end_turn" and self._has_calls:
            ending.stop = "tool_use"
        elif ending.stop == "end_turn" and self._has_refusal:
            ending.stop = "refusal"
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
        self._started_indices.add(at)
        item = _decode_item(raw, self._conversion)
        if item.type == "message" and self._is_beside_document(item):
            self._conversion.notes.note("output.message", "beside_the_document_dropped")
            item = _EMPTY_ITEM
        self._items[at] = _QueuedItem(open_item(item, self._conversion, self._wrapped_names))
        return item

    def _is_beside_document(self, item: OutputItem) -> bool:
        """Whether a message would make the JSON of a fixed format invalid by a second text."""
        if self._conversion.prompt.format is None:
            return False
        if self._has_document or item.phase == "commentary":
            return True
        self._has_document = True
        return False

    def _read_item_done(self, event: StreamEvent) -> list[Event]:
        at = event.output_index or 0
        if at not in self._started_indices:
            out = self._start_message(ResponseObject())
            return out + self._close_item(at, self._open_item(at, event.item))
        if at not in self._items:
            return []  # it was given already
        if type(self._items[at].item) is OpenItem:
            return self._close_item(at, _EMPTY_ITEM)
        return self._close_item(at, decode_as(event.item, OutputItem))

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
        """Text that opens a part, waits for another item, or is searched for stop sequences."""
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
        match event:
            case TextStart():
                self._holds_text_start = True
            case TextDelta():
                text, stop = stops.feed(event.text)
                self._release_text(text, out)
                if stop is not None:
                    self._end_at_stop(stop, out)
            case PartEnd():
                self._release_text(stops.finish(), out)
                self._stop_scanner = None
                out.append(event)
            case _:
                out.append(event)

    def _release_text(self, text: str, out: list[Event]) -> None:
        if not text:
            return
        if self._holds_text_start:
            self._holds_text_start = False
            out.append(TextStart())
        out.append(TextDelta(text))

    def _end_at_stop(self, stop: str, out: list[Event]) -> None:
        self.cut = self.ended = True
        if not self._holds_text_start:
            out.append(PartEnd())
        ending = self._ending or Ending("end_turn")
        ending.stop, ending.stop_sequence = "stop_sequence", stop
        out.append(MessageEnd(ending))


def _raise_error(frame: Frame) -> list[Event]:
    """Raises the error that the frame carries; no events where it has none."""
    error = stream_error(frame)
    if error is not None:
        raise error
    return []


def _read_ending(answer: ResponseObject, conversion: Conversion) -> Ending:
    """Why and how an answer ended, apart from what its items show. BadAnswer if unfinished."""
    if answer.status in _UNFINISHED_STATUSES:
        raise BadAnswer(f"upstream gave up its answer with status {answer.status!r}")
    tier = SERVICE_TIERS.get(answer.service_tier or "")
    ending = Ending("end_turn", usage=read_usage(answer.usage), service_tier=tier)
    if answer.status == "incomplete":
        reason = answer.incomplete_details.reason if answer.incomplete_details else None
        ending.stop = "refusal" if reason == "content_filter" else "max_tokens"
        if reason not in (None, "content_filter", "max_output_tokens"):
            ending.native = reason
            conversion.notes.note("incomplete_details.reason", "unknown_value")
    return ending


def _decode_item(raw: Raw, conversion: Conversion) -> OutputItem:
    """The item; one that has no neutral form is only looked at for its type."""
    kind = decode_as(raw, ItemKind).type
    if kind in _KNOWN_ITEM_TYPES:
        return decode_as(raw, OutputItem)
    if kind not in _HOSTED_TOOL_TYPES:
        conversion.notes.note(f"output.{kind or 'item'}", "unsupported_by_client")
    return _EMPTY_ITEM


def _decode_response(raw: Raw) -> ResponseObject:
    return decode_as(raw, ResponseObject) if present(raw) else ResponseObject()


def _decode_leniently(data: bytes) -> StreamEvent:
    """An event that msgspec refuses at first. BadAnswer where it is of a type that is read."""
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


_KNOWN_ITEM_TYPES = frozenset({"message", "reasoning", "function_call", "custom_tool_call"})
"""Items that have a neutral form."""
_HOSTED_TOOL_TYPES = (
    "web_search_call", "file_search_call", "code_interpreter_call", "mcp_list_tools",
)  # fmt: skip
"""Steps of tools that the upstream runs itself: the text after them has the results."""
_UNFINISHED_STATUSES = frozenset({"in_progress", "queued", "cancelled"})
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
