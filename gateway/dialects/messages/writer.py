"""Neutral events as the stream of a Messages client (`RawMessageStreamEvent`).

The official clients skip events without an `event:` line, demand blocks in index order without
gaps, and take a later signature for the earlier one's replacement. So a text or thinking block
begins only when it has something to say, and a signature is given once, before its block ends.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from gateway.dialect import Conversion, Writer
from gateway.dialects.messages.answer import (
    estimate_usage,
    make_message_id,
    make_tool_use_id,
    write_citation,
    write_redacted_data,
    write_service_tier,
    write_signature,
    write_stop,
)
from gateway.dialects.messages.usage import write_usage
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
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,'
    b'"delta":{"type":"%b","%b":%b}}\n\n'
)
_EMPTY_BLOCKS: dict[str, dict[str, Any]] = {
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
        self._next_index = 0  # index of the next block; the open one has the index before it
        self._text_prefix = b""
        self._open_kind = ""  # kind of the block the client knows to be open
        self._thinking_texts: list[str] = []
        self._signature: tuple[str, str] | None = None
        self._custom_input: list[str] | None = None  # of a custom tool, written once it is whole
        self._tool_use_ids: set[str] = set()
        self._has_refusal = False

    def write(self, event: Event) -> bytes:
        """The wire form of one event."""
        if type(event) is TextDelta:
            if self._open_kind == "text" and event.text:
                return self._text_prefix + _encode(event.text) + _TEXT_SUFFIX
            return self._write_text(event.text)
        return _EVENT_WRITERS[type(event)](self, event)

    def around_text(self) -> tuple[bytes, bytes] | None:
        """What this writes around more text, as JSON; None where more has to be written first."""
        return (self._text_prefix, _TEXT_SUFFIX) if self._open_kind == "text" else None

    def _write_text(self, text: str) -> bytes:
        if not text:
            return b""
        begun = b"" if self._open_kind == "text" else self._open_block("text")
        return begun + self._render_delta(b"text_delta", b"text", text)

    def _render_delta(self, kind: bytes, member: bytes, value: object) -> bytes:
        return _DELTA_TEMPLATE % (self._next_index - 1, kind, member, _encode(value))

    def _open_block(self, kind: str, block: dict[str, Any] | None = None) -> bytes:
        """Opens a block, after the open one is closed."""
        closed = self._close_block()
        self._open_kind = kind
        index, self._next_index = self._next_index, self._next_index + 1
        self._text_prefix = _TEXT_PREFIX % index
        start = {
            "type": "content_block_start",
            "index": index,
            "content_block": block or _EMPTY_BLOCKS[kind],
        }
        return closed + frame(b"content_block_start", _encode(start))

    def _close_block(self) -> bytes:
        if not self._open_kind:
            return b""
        last = b""
        if self._open_kind == "thinking":
            last = self._render_delta(b"signature_delta", b"signature", self._take_signature())
        elif self._custom_input is not None:
            whole = _encode({"input": "".join(self._custom_input)}).decode()
            last = self._render_delta(b"input_json_delta", b"partial_json", whole)
        self._custom_input = None
        self._open_kind = ""
        stop = {"type": "content_block_stop", "index": self._next_index - 1}
        return last + frame(b"content_block_stop", _encode(stop))

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
        usage = write_usage(estimate_usage(event.usage, self._conversion))
        start = {
            "type": "message_start",
            "message": {
                "id": make_message_id(event.id),
                "type": "message",
                "role": "assistant",
                "model": self._conversion.alias,
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": usage,
            },
        }
        return frame(b"message_start", _encode(start)) + PING

    def _start_text(self, event: TextStart) -> bytes:
        return self._close_block()

    def _start_thinking(self, event: ThinkingStart) -> bytes:
        return self._close_block()

    def _write_thinking_delta(self, event: ThinkingDelta) -> bytes:
        if not event.text:
            return b""
        begun = b"" if self._open_kind == "thinking" else self._open_block("thinking")
        self._thinking_texts.append(event.text)
        return begun + self._render_delta(b"thinking_delta", b"thinking", event.text)

    def _hold_signature(self, event: Signature) -> bytes:
        begun = b"" if self._open_kind == "thinking" else self._open_block("thinking")
        self._signature = (event.signature, event.origin)
        return begun

    def _write_redacted(self, event: RedactedThinking) -> bytes:
        data = write_redacted_data(event.data, event.origin, self._conversion)
        return (
            self._open_block("redacted", {"type": "redacted_thinking", "data": data})
            + self._close_block()
        )

    def _start_tool(self, event: ToolStart) -> bytes:
        given = event.id if event.id not in self._tool_use_ids else ""
        id_ = make_tool_use_id(given, self._message_id, self._next_index)
        self._tool_use_ids.add(id_)
        block = {"type": "tool_use", "id": id_, "name": event.name, "input": {}}
        begun = self._open_block("tool", block)
        self._custom_input = [] if event.custom else None
        return begun

    def _write_arguments_delta(self, event: ArgumentsDelta) -> bytes:
        if not event.text:
            return b""
        if self._custom_input is not None:
            self._custom_input.append(event.text)
            return b""
        return self._render_delta(b"input_json_delta", b"partial_json", event.text)

    def _write_citation(self, event: CitationAdded) -> bytes:
        citation = write_citation(event.citation, self._conversion)
        if citation is None or self._open_kind != "text":
            return b""
        return self._render_delta(b"citations_delta", b"citation", citation)

    def _end_part(self, event: PartEnd) -> bytes:
        return self._close_block()

    def _write_refusal(self, event: RefusalDelta) -> bytes:
        self._has_refusal = True
        return self._write_text(event.text)

    def _write_ping(self, event: KeepAlive) -> bytes:
        return PING

    def _end_message(self, event: MessageEnd) -> bytes:
        ending = event.ending
        if self._has_refusal and ending.stop == "end_turn":
            ending = msgspec.structs.replace(ending, stop="refusal")
        usage = write_usage(estimate_usage(ending.usage, self._conversion))
        delta = {
            "type": "message_delta",
            "delta": write_stop(ending),
            "usage": usage | write_service_tier(ending.service_tier),
        }
        return self._close_block() + frame(b"message_delta", _encode(delta)) + _MESSAGE_STOP


_EVENT_WRITERS: dict[type, Callable[[MessagesWriter, Any], bytes]] = {
    MessageStart: MessagesWriter._start_message,
    TextStart: MessagesWriter._start_text,
    ThinkingStart: MessagesWriter._start_thinking,
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
