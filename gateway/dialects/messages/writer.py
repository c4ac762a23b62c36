"""Neutral events as the stream of a Messages client (`RawMessageStreamEvent`).

The official clients skip events without an `event:` line, require block indexes in order without
gaps, and replace an earlier signature by a later one. So a text or thinking block opens with its
first content, and the signature is sent once, before the block ends.

A whole answer is what these events add up to: see `message.py`.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from gateway.dialect import Block, Conversion, Writer
from gateway.dialects.messages.answer import (
    make_tool_use_id,
    write_citation,
    write_message_delta,
    write_message_start,
    write_redacted_data,
    write_signature,
)
from gateway.neutral.events import (
    ArgumentsDelta,
    CitationAdded,
    Event,
    KeepAlive,
    MessageEnd,
    MessageStart,
    PartEnd,
    RedactedThinking,
    RefusalDelta,
    Signature,
    TextDelta,
    TextStart,
    ThinkingDelta,
    ThinkingStart,
    ToolStart,
)
from gateway.wire.sse import frame

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
_MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_TEXT_PREFIX = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,'
    b'"delta":{"type":"text_delta","text":'
)
_TEXT_SUFFIX = b"}}\n\n"
_DELTA_TEMPLATE = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%%d,'
    b'"delta":{"type":"%b","%b":%%b}}\n\n'
)
_DELTA_TEMPLATES = {
    member.decode(): _DELTA_TEMPLATE % (kind, member)
    for member, kind in {
        b"text": b"text_delta",
        b"thinking": b"thinking_delta",
        b"signature": b"signature_delta",
        b"partial_json": b"input_json_delta",
        b"citation": b"citations_delta",
    }.items()
}
_EMPTY_BLOCKS: dict[str, Block] = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
}
_encode = msgspec.json.Encoder().encode


class MessagesWriter(Writer):
    """Writes one stream for a Messages client."""

    def __init__(self, conversion: Conversion) -> None:
        self._conversion = conversion
        self._message_id = ""
        self._has_started = False
        self._has_ended = False
        self._next_index = 0  # index of the next block; the open one has the index before it
        self._text_prefix = b""
        self._open_kind = ""  # kind of the block the client knows to be open
        self._thinking_texts: list[str] = []
        self._signature: tuple[str, str] | None = None
        self._custom_input: list[str] | None = None  # written when the call ends
        self._has_input = False  # of the open tool call: some of its JSON was written
        self._tool_use_ids: set[str] = set()
        self._has_refusal = False

    def write(self, event: Event) -> bytes:
        """The wire form of one event; empty after the end of the message."""
        if type(event) is TextDelta and self._open_kind == "text" and event.text:
            return self._text_prefix + _encode(event.text) + _TEXT_SUFFIX
        return b"" if self._has_ended else EVENT_WRITERS[type(event)](self, event)

    def around_text(self) -> tuple[bytes, bytes] | None:
        """Bytes before and after the JSON of more text; None where no text block is open."""
        return (self._text_prefix, _TEXT_SUFFIX) if self._open_kind == "text" else None

    def _emit(self, event: Block) -> bytes:
        """Any event but a delta of a block."""
        return frame(event["type"].encode(), _encode(event))

    def _emit_delta(self, member: str, value: object) -> bytes:
        """One delta of the open block, named by its member (`RawContentBlockDelta`)."""
        return _DELTA_TEMPLATES[member] % (self._next_index - 1, _encode(value))

    def _open_block(self, kind: str, block: Block | None = None) -> bytes:
        """Opens a block, after the open one is closed."""
        closed = self._close_block()
        self._open_kind = kind
        index, self._next_index = self._next_index, self._next_index + 1
        self._text_prefix = _TEXT_PREFIX % index
        return closed + self._emit(
            {
                "type": "content_block_start",
                "index": index,
                "content_block": block or _EMPTY_BLOCKS[kind],
            }
        )

    def _close_block(self) -> bytes:
        if not self._open_kind:
            return b""
        last = b""
        if self._open_kind == "thinking":
            last = self._emit_delta("signature", self._take_signature())
        elif self._custom_input is not None:
            whole = _encode({"input": "".join(self._custom_input)}).decode()
            last = self._emit_delta("partial_json", whole)
        self._custom_input = None
        self._open_kind = ""
        return last + self._emit({"type": "content_block_stop", "index": self._next_index - 1})

    def _take_signature(self) -> str:
        own, origin = self._signature or (None, "")
        text = "".join(self._thinking_texts)
        self._signature = None
        self._thinking_texts = []
        return write_signature(own, origin, text, self._conversion)

    def _start_message(self, event: MessageStart) -> bytes:
        if self._has_started:
            return b""
        self._has_started = True
        self._message_id = event.id
        return self._emit(write_message_start(event.id, event.usage, self._conversion)) + PING

    def _start_part(self, event: TextStart | ThinkingStart) -> bytes:
        return self._close_block()

    def _write_text_delta(self, event: TextDelta) -> bytes:
        if not event.text:
            return b""
        begun = b"" if self._open_kind == "text" else self._open_block("text")
        return begun + self._emit_delta("text", event.text)

    def _write_thinking_delta(self, event: ThinkingDelta) -> bytes:
        if not event.text:
            return b""
        begun = b"" if self._open_kind == "thinking" else self._open_block("thinking")
        self._thinking_texts.append(event.text)
        return begun + self._emit_delta("thinking", event.text)

    def _hold_signature(self, event: Signature) -> bytes:
        begun = b"" if self._open_kind == "thinking" else self._open_block("thinking")
        self._signature = (event.signature, event.origin)
        return begun

    def _write_redacted(self, event: RedactedThinking) -> bytes:
        data = write_redacted_data(event.data, event.origin, self._conversion)
        block = {"type": "redacted_thinking", "data": data}
        return self._open_block("redacted", block) + self._close_block()

    def _start_tool(self, event: ToolStart) -> bytes:
        given = event.id if event.id not in self._tool_use_ids else ""
        id_ = make_tool_use_id(given, self._message_id, self._next_index)
        self._tool_use_ids.add(id_)
        block = {"type": "tool_use", "id": id_, "name": event.name, "input": {}}
        begun = self._open_block("tool", block)
        self._custom_input = [] if event.custom else None
        self._has_input = False
        return begun

    def _write_arguments_delta(self, event: ArgumentsDelta) -> bytes:
        if not event.text:
            return b""
        if self._custom_input is not None:
            self._custom_input.append(event.text)
            return b""
        if not self._has_input:
            if event.text.isspace():
                return b""  # the official client raises on input that is only whitespace
            self._has_input = True
        return self._emit_delta("partial_json", event.text)

    def _write_citation(self, event: CitationAdded) -> bytes:
        citation = write_citation(event.citation, self._conversion)
        if citation is None or self._open_kind != "text":
            return b""
        return self._emit_delta("citation", citation)

    def _end_part(self, event: PartEnd) -> bytes:
        return self._close_block()

    def _write_refusal(self, event: RefusalDelta) -> bytes:
        self._has_refusal = True
        return self._write_text_delta(TextDelta(event.text))

    def _write_ping(self, event: KeepAlive) -> bytes:
        return PING

    def _end_message(self, event: MessageEnd) -> bytes:
        ending = event.ending
        if self._has_refusal and ending.stop == "end_turn":
            ending = msgspec.structs.replace(ending, stop="refusal")
        self._has_ended = True
        delta = write_message_delta(ending, self._conversion)
        return self._close_block() + self._emit(delta) + _MESSAGE_STOP


EVENT_WRITERS: dict[type, Callable[[MessagesWriter, Any], bytes]] = {
    MessageStart: MessagesWriter._start_message,
    TextStart: MessagesWriter._start_part,
    TextDelta: MessagesWriter._write_text_delta,
    ThinkingStart: MessagesWriter._start_part,
    ThinkingDelta: MessagesWriter._write_thinking_delta,
    Signature: MessagesWriter._hold_signature,
    RedactedThinking: MessagesWriter._write_redacted,
    ToolStart: MessagesWriter._start_tool,
    ArgumentsDelta: MessagesWriter._write_arguments_delta,
    CitationAdded: MessagesWriter._write_citation,
    PartEnd: MessagesWriter._end_part,
    RefusalDelta: MessagesWriter._write_refusal,
    KeepAlive: MessagesWriter._write_ping,
    MessageEnd: MessagesWriter._end_message,
}
