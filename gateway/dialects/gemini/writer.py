"""Neutral events as the stream of a Gemini client: each event of it holds the next parts.

A function call is sent when it is whole. The last event has the finish reason and the token counts.
A keep-alive is a blank line: the official clients read comments as broken JSON.
"""

import msgspec

from gateway.dialect import Block, Conversion, Writer
from gateway.dialects.gemini.part_writer import PartWriter
from gateway.neutral.events import Event, KeepAlive, MessageEnd, MessageStart, TextDelta
from gateway.wire.sse import data_frame

PING = b"\n\n"
_PART_PREFIX = b'data: {"candidates":[{"content":{"parts":['
_PART_SUFFIX = b'],"role":"model"},"index":0}],'
_EMPTY_CONTENT = {"parts": [{"text": ""}], "role": "model"}
"""The official clients drop an answer from their history if one of its events has no part."""
_encode = msgspec.json.Encoder().encode


class GeminiWriter(Writer):
    """Writes one stream for a Gemini client."""

    def __init__(self, conversion: Conversion) -> None:
        self._conversion = conversion
        self._parts = PartWriter(conversion)
        self._add_piece = self._parts.pieces.append
        self._tail = b"}\n\n"
        self._id = ""

    def write(self, event: Event) -> bytes:
        """The bytes of one event; empty for an event that sends nothing."""
        if type(event) is TextDelta:  # a shortcut for most events; PartWriter does the same
            self._add_piece(event.text)
            return _PART_PREFIX + b'{"text":' + _encode(event.text) + b"}" + self._tail
        if type(event) is MessageStart:
            return self._start_message(event)
        if type(event) is MessageEnd:
            return self._end_message(event)
        if type(event) is KeepAlive:
            return PING
        return self._frame_parts(self._parts.write(event))

    def _frame_parts(self, parts: list[Block]) -> bytes:
        return b"".join([_PART_PREFIX + _encode(part) + self._tail for part in parts])

    def _start_message(self, event: MessageStart) -> bytes:
        self._id = event.id
        identity = {"modelVersion": self._conversion.alias, "responseId": event.id}
        self._tail = _PART_SUFFIX + _encode(identity)[1:] + b"\n\n"
        return b""

    def _end_message(self, event: MessageEnd) -> bytes:
        out = self._frame_parts(self._parts.end_call(event.ending))
        last = self._parts.write_last(_EMPTY_CONTENT, event.ending)
        return out + data_frame(_encode(last | {"responseId": self._id}))
