"""Neutral events as the stream of a Messages client (`RawMessageStreamEvent`).

The official clients skip events without an `event:` line, demand blocks in index order without
gaps, and take a later signature for the earlier one's replacement. So a text or thinking block
begins only when it has something to say, and a signature is given once, before its block ends.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from gateway.dialect import Crossing
from gateway.dialects.messages.answer import (
    estimated,
    message_id,
    redacted,
    signature,
    stop_members,
    tier_out,
    tool_use_id,
    write_citation,
)
from gateway.dialects.messages.usage import write_usage
from gateway.neutral.events import (
    Alive,
    ArgumentsDelta,
    Began,
    CitationCame,
    Ended,
    Event,
    PartEnded,
    RedactedCame,
    Refused,
    SignatureCame,
    TextBegan,
    TextDelta,
    ThinkingBegan,
    ThinkingDelta,
    ToolBegan,
)
from gateway.wire.sse import frame

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_BEFORE_TEXT = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,'
    b'"delta":{"type":"text_delta","text":'
)
_AFTER_TEXT = b"}}\n\n"
_DELTA = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,'
    b'"delta":{"type":"%b","%b":%b}}\n\n'
)
_EMPTY: dict[str, dict[str, Any]] = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
}
_encode = msgspec.json.Encoder().encode


class MessagesWriter:
    """Writes one stream for a Messages client."""

    def __init__(self, crossing: Crossing) -> None:
        self._crossing = crossing
        self._id = ""
        self._began = False
        self._next = 0  # index of the next block; the open one has the index before it
        self._before_text = b""
        self._open = ""  # kind of the block the client knows to be open
        self._thought: list[str] = []
        self._signature: tuple[str, str] | None = None
        self._free_text: list[str] | None = None  # of a custom tool, written once it is whole
        self._ids: set[str] = set()
        self._refused = False

    def write(self, event: Event) -> bytes:
        """The wire form of one event."""
        if type(event) is TextDelta:
            if self._open == "text" and event.text:
                return self._before_text + _encode(event.text) + _AFTER_TEXT
            return self._text(event.text)
        return _WRITINGS[type(event)](self, event)

    def around_text(self) -> tuple[bytes, bytes] | None:
        """What this writes around more text, as JSON; None where more has to be written first."""
        return (self._before_text, _AFTER_TEXT) if self._open == "text" else None

    def _text(self, text: str) -> bytes:
        if not text:
            return b""
        begun = b"" if self._open == "text" else self._begin("text")
        return begun + self._delta(b"text_delta", b"text", text)

    def _delta(self, kind: bytes, member: bytes, value: object) -> bytes:
        return _DELTA % (self._next - 1, kind, member, _encode(value))

    def _begin(self, kind: str, block: dict[str, Any] | None = None) -> bytes:
        """Opens a block, after the open one is closed."""
        closed = self._close()
        self._open = kind
        index, self._next = self._next, self._next + 1
        self._before_text = _BEFORE_TEXT % index
        start = {
            "type": "content_block_start",
            "index": index,
            "content_block": block or _EMPTY[kind],
        }
        return closed + frame(b"content_block_start", _encode(start))

    def _close(self) -> bytes:
        if not self._open:
            return b""
        last = b""
        if self._open == "thinking":
            last = self._delta(b"signature_delta", b"signature", self._whole_signature())
        elif self._free_text is not None:
            whole = _encode({"input": "".join(self._free_text)}).decode()
            last = self._delta(b"input_json_delta", b"partial_json", whole)
        self._free_text = None
        self._open = ""
        stop = {"type": "content_block_stop", "index": self._next - 1}
        return last + frame(b"content_block_stop", _encode(stop))

    def _whole_signature(self) -> str:
        own, origin = self._signature or (None, "")
        text = "".join(self._thought)
        self._signature = None
        self._thought = []
        return signature(own, origin, text, self._crossing)

    def _message_start(self, event: Began) -> bytes:
        if self._began:
            return b""
        self._began = True
        self._id = event.id
        usage = write_usage(estimated(event.usage, self._crossing))
        start = {
            "type": "message_start",
            "message": {
                "id": message_id(event.id),
                "type": "message",
                "role": "assistant",
                "model": self._crossing.alias,
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": usage,
            },
        }
        return frame(b"message_start", _encode(start)) + PING

    def _text_began(self, event: TextBegan) -> bytes:
        return self._close()

    def _thinking_began(self, event: ThinkingBegan) -> bytes:
        return self._close()

    def _thinking_delta(self, event: ThinkingDelta) -> bytes:
        if not event.text:
            return b""
        begun = b"" if self._open == "thinking" else self._begin("thinking")
        self._thought.append(event.text)
        return begun + self._delta(b"thinking_delta", b"thinking", event.text)

    def _signature_came(self, event: SignatureCame) -> bytes:
        begun = b"" if self._open == "thinking" else self._begin("thinking")
        self._signature = (event.signature, event.origin)
        return begun

    def _redacted_came(self, event: RedactedCame) -> bytes:
        data = redacted(event.data, event.origin, self._crossing)
        return self._begin("redacted", {"type": "redacted_thinking", "data": data}) + self._close()

    def _tool_began(self, event: ToolBegan) -> bytes:
        given = event.id if event.id not in self._ids else ""
        id_ = tool_use_id(given, self._id, self._next)
        self._ids.add(id_)
        block = {"type": "tool_use", "id": id_, "name": event.name, "input": {}}
        begun = self._begin("tool", block)
        self._free_text = [] if event.custom else None
        return begun

    def _arguments_delta(self, event: ArgumentsDelta) -> bytes:
        if not event.text:
            return b""
        if self._free_text is not None:
            self._free_text.append(event.text)
            return b""
        return self._delta(b"input_json_delta", b"partial_json", event.text)

    def _citation_came(self, event: CitationCame) -> bytes:
        citation = write_citation(event.citation, self._crossing)
        if citation is None or self._open != "text":
            return b""
        return self._delta(b"citations_delta", b"citation", citation)

    def _part_ended(self, event: PartEnded) -> bytes:
        return self._close()

    def _refused_more(self, event: Refused) -> bytes:
        self._refused = True
        return self._text(event.text)

    def _alive(self, event: Alive) -> bytes:
        return PING

    def _ended(self, event: Ended) -> bytes:
        ending = event.ending
        if self._refused and ending.stop == "end_turn":
            ending = msgspec.structs.replace(ending, stop="refusal")
        usage = write_usage(estimated(ending.usage, self._crossing))
        delta = {
            "type": "message_delta",
            "delta": stop_members(ending),
            "usage": usage | tier_out(ending.service_tier),
        }
        return self._close() + frame(b"message_delta", _encode(delta)) + _STOP


_WRITINGS: dict[type, Callable[[MessagesWriter, Any], bytes]] = {
    Began: MessagesWriter._message_start,
    TextBegan: MessagesWriter._text_began,
    ThinkingBegan: MessagesWriter._thinking_began,
    ThinkingDelta: MessagesWriter._thinking_delta,
    SignatureCame: MessagesWriter._signature_came,
    RedactedCame: MessagesWriter._redacted_came,
    ToolBegan: MessagesWriter._tool_began,
    ArgumentsDelta: MessagesWriter._arguments_delta,
    CitationCame: MessagesWriter._citation_came,
    PartEnded: MessagesWriter._part_ended,
    Refused: MessagesWriter._refused_more,
    Alive: MessagesWriter._alive,
    Ended: MessagesWriter._ended,
}
