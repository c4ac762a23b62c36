"""A streamed text completion, read and written: `Completion` in pieces, `[DONE]` at the end."""

import msgspec
from msgspec import Raw, Struct

from gateway.dialect import Conversion, Reader, Writer
from gateway.dialects.chat.answer import FINISH_REASON_OF_STOP, AnswerOutcome, read_stop
from gateway.dialects.chat.answer_out import make_answer_id, unix_time, write_usage_or_estimate
from gateway.dialects.chat.writer import DONE, PING
from gateway.dialects.common.faults import find_error
from gateway.dialects.common.usage import UsageCounts, read_usage
from gateway.errors import BadAnswer, Cut
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
from gateway.wire.raw_json import ABSENT, decode, present
from gateway.wire.sse import Frame

_encode = msgspec.json.encode

_LOST_PARTS: dict[type[Event], str] = {
    ThinkingStart: "thinking", ToolStart: "tool", RedactedThinking: "redacted",
}  # fmt: skip
"""What a loss report calls the parts that a completion cannot carry."""


class Choice(Struct):
    """`CompletionChoice`; in a stream every one of its members may be missing."""

    text: str | None = None
    index: int | None = None
    finish_reason: str | None = None


class Completion(Struct):
    """`Completion`, whole or one chunk of a stream."""

    id: str | None = None
    model: str | None = None
    choices: list[Choice] | None = None
    usage: UsageCounts | None = None
    error: Raw = ABSENT


def parse_completion(body: bytes) -> Completion:
    """What the bytes hold. Refused for an error, BadAnswer for what cannot be read."""
    try:
        found = decode(body, Completion)
    except (msgspec.MsgspecError, RecursionError) as fault:
        raise find_error(body) or BadAnswer(f"upstream sent what cannot be read: {fault}") from None
    if present(found.error) or found.choices is None:
        error = find_error(body)  # of whatever shape
        if error is not None:
            raise error
    return found


class CompletionsReader(Reader):
    """Chunks in, one text part out; see `gateway.dialect.Reader`."""

    def __init__(self, conversion: Conversion) -> None:
        self.ended = False
        self.cut = False
        self._conversion = conversion
        self._has_started = self._has_text = False
        self._finish: str | None = None
        self._usage_counts: UsageCounts | None = None

    def read(self, frame: Frame) -> list[Event]:
        """The events of one chunk. Refused, BadAnswer."""
        if self.ended:
            return []
        if frame.data.strip() == b"[DONE]":
            return self.end_message()
        return self.read_chunk(parse_completion(frame.data))

    def read_chunk(self, chunk: Completion) -> list[Event]:
        """The events of one chunk, which may be the whole answer."""
        events: list[Event] = []
        if not self._has_started:
            self._has_started = True
            events.append(MessageStart(chunk.id or "", chunk.model or ""))
        self._usage_counts = chunk.usage or self._usage_counts
        for choice in chunk.choices or ():
            if choice.index:
                continue
            if choice.text:
                events += [TextDelta(choice.text)] if self._has_text else [
                    TextStart(), TextDelta(choice.text)
                ]  # fmt: skip
                self._has_text = True
            self._finish = choice.finish_reason or self._finish
        return events

    def finish(self) -> list[Event]:
        """The ending; Cut where no finish reason came."""
        if self.ended:
            return []
        if self._finish is None:
            raise Cut("the upstream closed the stream before the answer was complete")
        return self.end_message()

    def end_message(self) -> list[Event]:
        """The ending, whether or not a finish reason came; Cut where nothing came at all."""
        if not self._has_started:
            raise Cut("the upstream ended the stream before its first event")
        self.ended = True
        counts = self._usage_counts
        ending = Ending(
            read_stop(self._finish, AnswerOutcome(), self._conversion.notes),
            usage=read_usage(counts) if counts is not None else None,
        )
        return [PartEnd(), MessageEnd(ending)] if self._has_text else [MessageEnd(ending)]


class TextWriter:
    """The text that each event of an answer adds to its completion."""

    def __init__(self, conversion: Conversion) -> None:
        self.length = 0
        """Of the text so far, in code points."""
        self._notes = conversion.notes
        self._interrupted = False  # a part that is no text came after the last text

    def write(self, event: Event) -> str:
        """The text of one event; texts with another part between them get a blank line."""
        if isinstance(event, TextDelta | RefusalDelta):
            text = "\n\n" + event.text if self._interrupted and self.length else event.text
            self._interrupted = False
            self.length += len(text)
            return text
        if (kind := _LOST_PARTS.get(type(event))) is not None:
            self._interrupted = True
            self._notes.note(kind, "no_place_in_a_completion")
        return ""


class CompletionsWriter(Writer):
    """Events in, chunks out; see `gateway.dialect.Writer`."""

    def __init__(self, conversion: Conversion) -> None:
        self._conversion = conversion
        self._texts = TextWriter(conversion)
        self._include_usage = conversion.prompt.include_usage
        self._null_usage = b',"usage":null' if self._include_usage else b""
        self._head = self._open = b""

    def write(self, event: Event) -> bytes:
        """The chunk of one event; the last event's end with `[DONE]`."""
        match event:
            case MessageStart():
                made = write_completion_head(event.id, event.model, self._conversion)
                self._head = b"data: " + _encode(made)[:-1]
                self._open = self._head + b',"choices":[{"index":0,"text":'
                return b""
            case KeepAlive():
                return PING
            case MessageEnd():
                return self._end_message(event.ending)
        text = self._texts.write(event)
        return self._render_chunk(text, None) if text else b""

    def _render_chunk(self, text: str, finish: str | None) -> bytes:
        reason = b',"logprobs":null,"finish_reason":' + _encode(finish) + b"}]"
        return self._open + _encode(text) + reason + self._null_usage + b"}\n\n"

    def _end_message(self, ending: Ending) -> bytes:
        out = self._render_chunk("", write_stop(ending))
        if self._include_usage:
            counts = write_usage_or_estimate(ending.usage, self._texts.length, self._conversion)
            out += self._head + b',"choices":[],"usage":' + _encode(counts) + b"}\n\n"
        return out + DONE


def write_completion_head(id: str, model: str, conversion: Conversion) -> dict[str, object]:
    """The members of a whole completion that every chunk has as well."""
    return {
        "id": make_answer_id(id, "cmpl-"),
        "object": "text_completion",
        "created": unix_time(),
        "model": conversion.alias or model,
    }


def write_stop(ending: Ending) -> str:
    """`finish_reason`: there are no calls in this dialect."""
    finish = FINISH_REASON_OF_STOP[ending.stop]
    return "stop" if finish == "tool_calls" else finish
