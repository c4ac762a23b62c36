"""Neutral events as a Chat stream (`ChatCompletionChunk`).

The first chunk holds the role, the last one before `[DONE]` the token counts, where they were asked
for.
"""

import msgspec

from gateway.dialect import Conversion, Writer
from gateway.dialects.chat.answer_out import (
    make_answer_id,
    unix_time,
    write_stop_extras,
    write_usage_or_estimate,
)
from gateway.dialects.chat.deltas import DeltaWriter, JsonDelta
from gateway.neutral.events import Ending, Event, KeepAlive, MessageEnd, MessageStart, TextDelta

PING = b": keep-alive\n\n"
DONE = b"data: [DONE]\n\n"

_encode = msgspec.json.encode


class ChatWriter(Writer):
    """Writes one stream for a Chat client; see `gateway.dialect.Writer`."""

    def __init__(self, conversion: Conversion) -> None:
        self._conversion = conversion
        self._deltas = DeltaWriter(conversion)
        self._include_usage = conversion.prompt.include_usage
        self._head = self._open = self._text_head = self._tail = b""

    def around_text(self) -> tuple[bytes, bytes] | None:
        """What this writes around more text, as JSON; None where more has to be written first."""
        return None if self._deltas.interrupted else (self._text_head, self._tail)

    def wrote(self, length: int) -> None:
        """That much text was written so, in code points."""
        self._deltas.length += length

    def write(self, event: Event) -> bytes:
        """The chunks of one event; the last event's end with `[DONE]`."""
        deltas = self._deltas
        if type(event) is TextDelta and not deltas.interrupted:
            deltas.length += len(event.text)
            return self._text_head + _encode(event.text) + self._tail
        if type(event) is MessageEnd:
            return self._end_message(event.ending)
        if type(event) is MessageStart:
            return self._start_message(event)
        if type(event) is KeepAlive:
            return PING
        return self._render_delta(deltas.write(event))

    def _start_message(self, event: MessageStart) -> bytes:
        identity = {
            "id": make_answer_id(event.id, "chatcmpl-"),
            "object": "chat.completion.chunk",
            "created": unix_time(),
            "model": self._conversion.alias or event.model,
        }
        self._head = b"data: " + _encode(identity)[:-1]
        self._open = self._head + b',"choices":[{"index":0,"delta":'
        self._text_head = self._open + b'{"content":'
        rest = b',"logprobs":null,"finish_reason":null}]' + self._render_null_usage() + b"}\n\n"
        self._tail = b"}" + rest
        return self._render_delta({"role": "assistant", "content": ""})

    def _render_null_usage(self) -> bytes:
        return b',"usage":null' if self._include_usage else b""

    def _render_delta(self, delta: JsonDelta) -> bytes:
        return self._open + _encode(delta)[:-1] + self._tail if delta else b""

    def _end_message(self, ending: Ending) -> bytes:
        out = self._render_delta(self._deltas.write_refusal(ending))
        finish = self._deltas.write_finish_reason(ending)
        rest = {"logprobs": None, "finish_reason": finish} | write_stop_extras(ending)
        out += self._open + _encode(self._deltas.write_last()) + b"," + _encode(rest)[1:] + b"]"
        out += self._render_null_usage() + b"}\n\n"
        if self._include_usage:
            counts = write_usage_or_estimate(ending.usage, self._deltas.length, self._conversion)
            out += self._head + b',"choices":[],"usage":' + _encode(counts) + b"}\n\n"
        return out + DONE
