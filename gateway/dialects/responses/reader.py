"""A Responses upstream's stream as neutral events (`ResponseStreamEvent`).

Items are told apart by their output index. The real API writes one after another, others may
interleave them, so all but the first open item wait for it to end. An item whose kind has no
neutral form, such as a tool that the upstream runs itself, opens and ends without a word.
"""

from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Raw

from gateway.dialect import Crossing
from gateway.dialects.common.arguments import wrapped_names
from gateway.dialects.common.stops import StopScanner
from gateway.dialects.responses.errors import stream_error
from gateway.dialects.responses.message_in import KNOWN, Documents, note_unknown, read_ending
from gateway.dialects.responses.open_items import CLOSED, Calling, OpenItem, Quiet, opened
from gateway.dialects.responses.typed_in import Answer, Item, ItemKind, StreamEvent
from gateway.errors import BadAnswer, Cut
from gateway.neutral.events import (
    Began,
    Ended,
    Ending,
    Event,
    PartEnded,
    Refused,
    TextBegan,
    TextDelta,
    ToolBegan,
)
from gateway.wire.raw_json import decode, present
from gateway.wire.sse import Frame

_decode = msgspec.json.Decoder(StreamEvent).decode
_TEXT = "response.output_text.delta"
_NO_ITEM = Item()
T = TypeVar("T")


class _Waiting:
    """An item, and what of it has to wait for an earlier one."""

    __slots__ = ("due", "ended", "item")

    def __init__(self, item: OpenItem) -> None:
        self.item = item
        self.due: list[Event] = []
        self.ended = False


class ResponsesReader:
    """The state of one stream; see `gateway.dialect.Reader`."""

    def __init__(self, crossing: Crossing) -> None:
        self.ended = False
        self.cut = False
        self._crossing = crossing
        self._wrapped = wrapped_names(crossing)
        self._documents = Documents(crossing)
        self._items: dict[int, _Waiting] = {}  # those not fully told, in the order they began
        self._began = False
        self._places: set[int] = set()  # where an item has begun
        self._called = False
        self._refused = False
        self._speaking = False  # a text part is open at the client
        self._stops: StopScanner | None = None
        # the item whose text goes straight on, and its place
        self._live: OpenItem | None = None
        self._live_at = 0
        self._plain = not crossing.local_stops and crossing.prompt.web_search is None

    def read(self, frame: Frame) -> list[Event]:
        """The events of one frame; the last of them is Ended when the response is complete."""
        if self.ended:
            return []
        try:
            event = _decode(frame.data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            event = _decode_slowly(frame.data)
        if event.type == _TEXT:
            live = self._live
            if (
                live is not None
                and self._live_at == (event.output_index or 0)
                and live.open == (event.content_index or 0)
            ):
                return [TextDelta(event.delta)] if event.delta else []
            return self._first_text(event)
        reading = _READINGS.get(event.type)
        if reading is not None:
            return reading(self, event)
        if event.type in _FAILURES or frame.event == b"error":
            return _failed(frame)
        return self._piece(event)

    def finish(self) -> list[Event]:
        """Nothing where the response was complete; else Cut."""
        if not self.ended:
            raise Cut("upstream closed the stream before its answer was whole")
        return []

    # --- the response -----------------------------------------------------------------------------

    def _start(self, event: StreamEvent) -> list[Event]:
        return self._begin(_answer(event.response)) if not self._began else []

    def _begin(self, answer: Answer) -> list[Event]:
        if self._began:
            return []
        self._began = True
        return [Began(answer.id or "", answer.model or self._crossing.model)]

    def _end(self, event: StreamEvent) -> list[Event]:
        answer = _answer(event.response)
        answer.status = answer.status or event.type.removeprefix("response.")
        if answer.status == "failed":
            return _failed(Frame(b"error", _FAILED % bytes(event.response)))
        out = self._begin(answer)
        if not self._places:  # a server that streams nothing but the whole response
            for at, raw in enumerate(answer.output or ()):
                out += self._item_added(StreamEvent(output_index=at, item=raw))
                out += self._item_done(StreamEvent(output_index=at, item=raw))
        for at in list(self._items):
            if at in self._items:  # else it was whole, and only waited for the one before it
                out += self._close(at, Item(status=answer.status))
        if self.ended:
            return out  # the last words held a stop sequence
        ending = read_ending(
            answer, called=self._called, refused=self._refused, crossing=self._crossing
        )
        self.ended = True
        out.append(Ended(ending))
        return out

    # --- items ------------------------------------------------------------------------------------

    def _item_added(self, event: StreamEvent) -> list[Event]:
        at = event.output_index or 0
        out = self._begin(Answer())
        if at in self._items:
            out += self._close(at, _NO_ITEM)
        item = self._open(at, event.item)
        began = self._items[at].item
        if isinstance(began, Calling):
            out += self._tell(at, began.begin(item))
        return out

    def _open(self, at: int, raw: Raw) -> Item:
        kind = _typed(raw, ItemKind).type
        self._places.add(at)
        if kind not in KNOWN:
            note_unknown(kind, self._crossing)
            self._items[at] = _Waiting(Quiet())
            return _NO_ITEM
        item = _typed(raw, Item)
        self._items[at] = _Waiting(opened(item, self._documents, self._wrapped, self._crossing))
        return item

    def _item_done(self, event: StreamEvent) -> list[Event]:
        at = event.output_index or 0
        out: list[Event] = []
        if at not in self._places:
            out += self._item_added(event)
        if at not in self._items:
            return []  # it is told already
        quiet = isinstance(self._items[at].item, Quiet)
        return out + self._close(at, _NO_ITEM if quiet else _typed(event.item, Item))

    def _close(self, at: int, item: Item) -> list[Event]:
        waiting = self._items.get(at)
        if waiting is None or waiting.ended:
            return []
        waiting.ended = True
        self._live = None
        out = self._tell(at, waiting.item.end(item))
        while self._items:
            first = next(iter(self._items))
            waiting = self._items[first]
            out += self._told(waiting.due)
            waiting.due = []
            if not waiting.ended:
                break
            del self._items[first]
        return out

    def _first_text(self, event: StreamEvent) -> list[Event]:
        """Text that does not simply go on: it opens a part, or waits, or has to be looked at."""
        at = event.output_index or 0
        out: list[Event] = []
        if at not in self._items:
            out += self._item_added(StreamEvent(output_index=at, item=_MESSAGE))
        out += self._piece(event)
        waiting = self._items.get(at)
        if self._plain and waiting is not None and next(iter(self._items)) == at:
            live = waiting.item
            self._live, self._live_at = (live, at) if live.open != CLOSED else (None, 0)
        return out

    def _piece(self, event: StreamEvent) -> list[Event]:
        at = event.output_index or 0
        waiting = self._items.get(at)
        if waiting is None or waiting.ended:
            return []
        return self._tell(at, waiting.item.piece(event))

    def _tell(self, at: int, events: list[Event]) -> list[Event]:
        """The events, or none of them yet where an earlier item is still open."""
        if next(iter(self._items)) == at:
            return self._told(events)
        self._items[at].due += events
        return []

    # --- what the client gets ---------------------------------------------------------------------

    def _told(self, events: list[Event]) -> list[Event]:
        """The events, up to the first stop sequence that is enforced here."""
        out: list[Event] = []
        for event in events:
            if self.ended:
                break
            self._track(event)
            if self._stops is None:
                out.append(event)
            else:
                self._scan(event, self._stops, out)
        return out

    def _track(self, event: Event) -> None:
        match event:
            case ToolBegan():
                self._called = True
            case Refused():
                self._refused = True
            case TextBegan() if self._crossing.local_stops:
                self._stops = StopScanner(self._crossing.local_stops)

    def _scan(self, event: Event, stops: StopScanner, out: list[Event]) -> None:
        if isinstance(event, TextDelta):
            text, stop = stops.feed(event.text)
            if text:
                out.append(TextDelta(text))
            if stop is not None:
                self.cut = self.ended = True
                out += [PartEnded(), Ended(Ending("stop_sequence", stop))]
            return
        if isinstance(event, PartEnded):
            if held := stops.finish():
                out.append(TextDelta(held))
            self._stops = None
        out.append(event)


def _failed(frame: Frame) -> list[Event]:
    """Raises the error that the frame carries; a frame of no type that has none says nothing."""
    error = stream_error(frame)
    if error is not None:
        raise error
    return []


def _answer(raw: Raw) -> Answer:
    return _typed(raw, Answer) if present(raw) else Answer()


def _typed(raw: Raw, type: type[T]) -> T:
    try:
        return decode(raw, type)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise BadAnswer(f"upstream sent an item that cannot be read: {fault}") from None


def _decode_slowly(data: bytes) -> StreamEvent:
    """An event that msgspec refuses at first: a lone surrogate, or one that nobody looks into."""
    if data.strip() == b"[DONE]":
        return StreamEvent("[DONE]")  # some servers close with it, after the response is complete
    try:
        return decode(data, StreamEvent)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        kind = _kind(data)
        if kind in _READINGS or kind in _FAILURES or kind.startswith(_READ):
            raise BadAnswer(f"upstream sent an event that cannot be read: {fault}") from None
        return StreamEvent(kind)


def _kind(data: bytes) -> str:
    try:
        return decode(data, ItemKind).type
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""


_MESSAGE = Raw(b'{"type":"message"}')
_FAILED = b'{"type":"response.failed","response":%b}'
_FAILURES = frozenset({"", "error", "response.failed"})
_READ = ("response.output_text.", "response.refusal.", "response.reasoning", "response.function_")
_READINGS: dict[str, Callable[[ResponsesReader, StreamEvent], list[Event]]] = {
    "response.created": ResponsesReader._start,
    "response.in_progress": ResponsesReader._start,
    "response.queued": ResponsesReader._start,
    "response.output_item.added": ResponsesReader._item_added,
    "response.output_item.done": ResponsesReader._item_done,
    "response.completed": ResponsesReader._end,
    "response.incomplete": ResponsesReader._end,
}
