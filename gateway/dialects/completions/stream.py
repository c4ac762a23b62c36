"""A streamed text completion, read and written: `Completion` in pieces, `[DONE]` at the end."""

import msgspec

from gateway.dialect import Conversion, Reader, Writer
from gateway.dialects.chat.message_out import write_usage_or_estimate
from gateway.dialects.chat.writer import DONE, PING
from gateway.dialects.common.usage import UsageCounts
from gateway.dialects.completions.answer import (
    parse_completion,
    read_ending,
    write_completion_head,
    write_stop,
)
from gateway.errors import Cut
from gateway.neutral.events import (
    Ending,
    Event,
    KeepAlive,
    MessageEnd,
    MessageStart,
    PartEnd,
    RedactedThinking,
    RefusalDelta,
    TextDelta,
    TextStart,
    ThinkingStart,
    ToolStart,
)
from gateway.wire.sse import Frame

_encode = msgspec.json.encode

_KIND_OF: dict[type, str] = {
    ThinkingStart: "thinking", ToolStart: "tool", RedactedThinking: "redacted",
}  # fmt: skip
"""What a loss report calls the parts that a completion cannot carry."""


class CompletionsReader(Reader):
    """Chunks in, one text part out; see `gateway.dialect.Reader`."""

    def __init__(self, conversion: Conversion) -> None:
        self.ended = False
        self.cut = False
        self._conversion = conversion
        self._begun = False
        self._finish: str | None = None
        self._usage_counts: UsageCounts | None = None

    def read(self, frame: Frame) -> list[Event]:
        """The events of one chunk. Refused, BadAnswer."""
        if self.ended:
            return []
        if frame.data.strip() == b"[DONE]":
            return self._end_message()
        chunk = parse_completion(frame.data)
        events: list[Event] = []
        if not self._begun:
            self._begun = True
            events = [MessageStart(chunk.id or "", chunk.model or ""), TextStart()]
        self._usage_counts = chunk.usage or self._usage_counts
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
        return self._end_message()

    def _end_message(self) -> list[Event]:
        if not self._begun:
            raise Cut("the upstream ended the stream before its first event")
        self.ended = True
        ending = read_ending(self._finish, self._usage_counts, self._conversion)
        return [PartEnd(), MessageEnd(ending)]


class CompletionsWriter(Writer):
    """Events in, chunks out; see `gateway.dialect.Writer`."""

    def __init__(self, conversion: Conversion) -> None:
        self._conversion = conversion
        self._include_usage = conversion.prompt.include_usage
        self._head = self._open = self._tail = b""
        self._length = 0  # of the text, in code points
        self._interrupted = False  # a part that is no text came after the last text

    def write(self, event: Event) -> bytes:
        """The chunk of one event; the last event's end with `[DONE]`."""
        match event:
            case TextDelta() | RefusalDelta():
                self._length += len(event.text)
                return self._open + _encode(event.text) + self._tail
            case MessageStart():
                self._start_message(event)
            case TextStart():
                between, self._interrupted = self._interrupted and self._length, False
                return self.write(TextDelta("\n\n")) if between else b""
            case ThinkingStart() | ToolStart() | RedactedThinking():
                self._interrupted = True
                self._conversion.notes.note(_KIND_OF[type(event)], "no_place_in_a_completion")
            case KeepAlive():
                return PING
            case MessageEnd():
                return self._end_message(event.ending)
        return b""

    def _start_message(self, event: MessageStart) -> None:
        made = write_completion_head(event.id, event.model, self._conversion)
        self._head = b"data: " + _encode(made)[:-1]
        self._open = self._head + b',"choices":[{"index":0,"text":'
        self._tail = (
            b',"logprobs":null,"finish_reason":null}]' + self._render_null_usage() + b"}\n\n"
        )

    def _render_null_usage(self) -> bytes:
        return b',"usage":null' if self._include_usage else b""

    def _end_message(self, ending: Ending) -> bytes:
        finish = _encode(write_stop(ending))
        out = self._open + b'"","logprobs":null,"finish_reason":' + finish + b"}]"
        out += self._render_null_usage() + b"}\n\n"
        if self._include_usage:
            counts = write_usage_or_estimate(ending.usage, self._length, self._conversion)
            out += self._head + b',"choices":[],"usage":' + _encode(counts) + b"}\n\n"
        return out + DONE
