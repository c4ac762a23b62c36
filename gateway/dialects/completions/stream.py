"""A streamed text completion, read and written: `Completion` in pieces, `[DONE]` at the end."""

import msgspec

from gateway.dialect import Crossing
from gateway.dialects.chat.message_out import written_usage
from gateway.dialects.chat.writer import DONE, PING
from gateway.dialects.common.usage import UsageCounts
from gateway.dialects.completions.answer import completion, ending_of, finish_of, identity
from gateway.errors import Cut
from gateway.neutral.events import (
    Alive,
    Began,
    Ended,
    Ending,
    Event,
    PartEnded,
    RedactedCame,
    Refused,
    TextBegan,
    TextDelta,
    ThinkingBegan,
    ToolBegan,
)
from gateway.wire.sse import Frame

_encode = msgspec.json.encode


class CompletionsReader:
    """Chunks in, one text part out; see `gateway.dialect.Reader`."""

    def __init__(self, crossing: Crossing) -> None:
        self.ended = False
        self.cut = False
        self._crossing = crossing
        self._begun = False
        self._finish: str | None = None
        self._counts: UsageCounts | None = None

    def read(self, frame: Frame) -> list[Event]:
        """The events of one chunk. Refused, BadAnswer."""
        if self.ended:
            return []
        if frame.data.strip() == b"[DONE]":
            return self._end()
        chunk = completion(frame.data)
        events: list[Event] = []
        if not self._begun:
            self._begun = True
            events = [Began(chunk.id or "", chunk.model or ""), TextBegan()]
        self._counts = chunk.usage or self._counts
        for choice in chunk.choices or ():
            if choice.index:
                continue
            if choice.text:
                events.append(TextDelta(choice.text))
            self._finish = choice.finish_reason or self._finish
        return events

    def finish(self) -> list[Event]:
        """The ending, where one was told; else Cut."""
        if self.ended:
            return []
        if self._finish is None:
            raise Cut("the upstream closed the stream before the answer was complete")
        return self._end()

    def _end(self) -> list[Event]:
        if not self._begun:
            raise Cut("the upstream ended the stream before its first event")
        self.ended = True
        ending = ending_of(self._finish, self._counts, self._crossing)
        return [PartEnded(), Ended(ending)]


class CompletionsWriter:
    """Events in, chunks out; see `gateway.dialect.Writer`."""

    def __init__(self, crossing: Crossing) -> None:
        self._crossing = crossing
        self._usage = crossing.prompt.include_usage
        self._head = self._open = self._tail = b""
        self._length = 0  # of the text, in code points
        self._apart = False  # a part that is no text came after the last text

    def write(self, event: Event) -> bytes:
        """The chunk of one event; the last event's end with `[DONE]`."""
        match event:
            case TextDelta() | Refused():
                self._length += len(event.text)
                return self._open + _encode(event.text) + self._tail
            case Began():
                self._begin(event)
            case TextBegan():
                between, self._apart = self._apart and self._length, False
                return self.write(TextDelta("\n\n")) if between else b""
            case ThinkingBegan() | ToolBegan() | RedactedCame():
                self._apart = True
                kind = type(event).__name__.removesuffix("Began").removesuffix("Came").lower()
                self._crossing.notes.note(kind, "no_place_in_a_completion")
            case Alive():
                return PING
            case Ended():
                return self._end(event.ending)
        return b""

    def _begin(self, event: Began) -> None:
        made = identity(event.id, event.model, self._crossing)
        self._head = b"data: " + _encode(made)[:-1]
        self._open = self._head + b',"choices":[{"index":0,"text":'
        self._tail = b',"logprobs":null,"finish_reason":null}]' + self._no_usage() + b"}\n\n"

    def _no_usage(self) -> bytes:
        return b',"usage":null' if self._usage else b""

    def _end(self, ending: Ending) -> bytes:
        finish = _encode(finish_of(ending))
        out = self._open + b'"","logprobs":null,"finish_reason":' + finish + b"}]"
        out += self._no_usage() + b"}\n\n"
        if self._usage:
            counts = written_usage(ending.usage, self._length, self._crossing)
            out += self._head + b',"choices":[],"usage":' + _encode(counts) + b"}\n\n"
        return out + DONE
