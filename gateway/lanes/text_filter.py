"""What a plugin does to the visible text of an answer, in any dialect, whole or streamed.

The text is looked for in the client's own wire format, so that an answer nobody changes keeps its
bytes. In a stream the last `window` characters of each text wait until more comes, so that a word
that is split over events is seen in one piece.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from gateway.errors import GatewayError
from gateway.lanes.step import Step
from gateway.wire.raw_json import decode
from gateway.wire.sse import Frame, Splitter, frame_of
from gateway.wire.text_slot import Json, TextSlot

FindTexts = Callable[[Json], list[TextSlot]]
"""A dialect's way to the visible texts of a decoded answer or event."""


class TextFilter:
    """Sees the text that the user will read. Derive from it and override `filter`.

    One filter serves one answer, so it may keep state between calls.
    """

    window: int = 0
    """How many characters of a streamed text are held back: the length of the longest text that
    has to be seen in one piece."""

    def filter(self, text: str) -> str:
        """Return the text to send in place of `text`; raise a GatewayError to end the answer.

        In a stream it gets the text that was not sent yet: what was held back, as it returned it,
        and what came since. What it returns must therefore pass through it unchanged.
        """
        return text


def filter_body(body: bytes, find_texts: FindTexts, texts: TextFilter) -> bytes:
    """Return a whole answer with each text filtered: the same bytes where none was changed.

    Raises the GatewayError of the filter.
    """
    answer = _decoded(body)
    if answer is None or not _filter_slots(find_texts(answer), texts):
        return body
    return msgspec.json.encode(answer)


class TextFilterStep(Step):
    """Passes a stream's visible text through a filter, holding back what may still change."""

    def __init__(self, find_texts: FindTexts, texts: TextFilter, ping: bytes) -> None:
        self._find_texts = find_texts
        self._texts = texts
        self._ping = ping.strip()
        self._splitter = Splitter()
        self._held: deque[_HeldEvent] = deque()
        self._unsent: dict[str, str] = {}  # by part: the text of the held events

    def feed(self, chunk: bytes) -> bytes:
        """Return the events whose text need not wait any more."""
        out: list[bytes] = []
        try:
            for block in self._splitter.blocks(chunk):
                frame = frame_of(block)
                if frame is None or block.strip() == self._ping:
                    out.append(block + b"\n\n")  # it only says that the stream is alive
                else:
                    self._take_event(block, frame, out)
        except GatewayError as error:
            self._fail(error)
        return b"".join(out)

    def finish(self) -> bytes:
        """Return all that is still held."""
        out: list[bytes] = []
        try:
            for frame in self._splitter.finish():
                self._take_event(_render_frame(frame, frame.data), frame, out)
        except GatewayError as error:
            self._fail(error)
            return b"".join(out)
        self._release_all(out)
        return b"".join(out)

    def _fail(self, error: GatewayError) -> None:
        self.error = error
        self._held.clear()

    def _take_event(self, block: bytes, frame: Frame, out: list[bytes]) -> None:
        answer = _decoded(frame.data)
        slots = self._find_texts(answer) if answer is not None else []
        event = _HeldEvent(block, frame, answer, [slot for slot in slots if slot.is_piece])
        event.changed = _filter_slots([slot for slot in slots if not slot.is_piece], self._texts)
        self._held.append(event)
        if not event.pieces:  # a text is not continued beyond an event without any
            self._release_all(out)
            return
        for slot in event.pieces:
            self._filter_piece(slot)
        while self._held and self._may_go(self._held[0]):
            self._release(out)

    def _filter_piece(self, slot: TextSlot) -> None:
        """Filter the unsent text of the slot's part, which the slot continues."""
        unsent = self._unsent.get(slot.part, "") + slot.text
        filtered = self._texts.filter(unsent)
        if filtered != unsent:
            self._rewrite(slot.part, filtered)
        self._unsent[slot.part] = filtered

    def _rewrite(self, part: str, text: str) -> None:
        """Put a part's unsent text into the first of its pieces, and empty the others."""
        for event in self._held:
            for slot in event.pieces:
                if slot.part == part:
                    slot.holder[slot.key], text = text, ""
                    event.changed = True

    def _may_go(self, event: "_HeldEvent") -> bool:
        lengths: dict[str, int] = {}
        for slot in event.pieces:
            lengths[slot.part] = lengths.get(slot.part, 0) + len(slot.text)
        window = self._texts.window
        return all(
            length <= len(self._unsent.get(part, "")) - window for part, length in lengths.items()
        )

    def _release(self, out: list[bytes]) -> None:
        event = self._held.popleft()
        for slot in event.pieces:
            self._unsent[slot.part] = self._unsent[slot.part][len(slot.text) :]
        out.append(event.render())

    def _release_all(self, out: list[bytes]) -> None:
        out += [event.render() for event in self._held]
        self._held.clear()
        self._unsent.clear()


class _HeldEvent(Struct):
    """One event of a stream, as it came and as it was decoded."""

    block: bytes
    frame: Frame
    answer: Json | None
    pieces: list[TextSlot]
    changed: bool = False

    def render(self) -> bytes:
        """The event's bytes: its own unless a text in it was changed."""
        if not self.changed:
            return self.block + b"\n\n"
        return _render_frame(self.frame, msgspec.json.encode(self.answer)) + b"\n\n"


def _render_frame(frame: Frame, data: bytes) -> bytes:
    head = b"event: " + frame.event + b"\n" if frame.event else b""
    return head + b"data: " + data.replace(b"\n", b"\ndata: ")


def _filter_slots(slots: list[TextSlot], texts: TextFilter) -> bool:
    """Filter each slot's text by itself; whether any was changed."""
    changed = False
    for slot in slots:
        text = texts.filter(slot.text)
        if text != slot.text:
            slot.holder[slot.key] = text
            changed = True
    return changed


def _decoded(data: bytes) -> Json | None:
    """The object that the data is; None for anything else, such as `[DONE]`."""
    try:
        found: Any = decode(data, object)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
