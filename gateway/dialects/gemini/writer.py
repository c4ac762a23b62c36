"""Neutral events as the stream of a Gemini client: answers in pieces, each with what is new.

A function call comes whole. The last piece has the finish reason and the counts; nothing follows
it. A sign of life is a blank line: official clients read comments as broken JSON.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from gateway.dialect import Block, Conversion, Writer
from gateway.dialects.common.arguments import write_arguments_object
from gateway.dialects.common.signatures import LONE_SIGNATURE, TEXT_SIGNATURE
from gateway.dialects.gemini.answer_out import (
    GroundingBuilder,
    shows_thoughts,
    write_stop,
    write_text_signature,
    write_thought_signature,
    write_usage,
)
from gateway.dialects.gemini.message_out import PendingReasoning
from gateway.neutral.events import (
    ArgumentsDelta,
    Citation,
    CitationAdded,
    Event,
    KeepAlive,
    MessageEnd,
    MessageStart,
    PartEnd,
    Redacted,
    RedactedThinking,
    RefusalDelta,
    Signature,
    TextDelta,
    TextStart,
    Thinking,
    ThinkingDelta,
    ThinkingStart,
    ToolStart,
)
from gateway.wire.sse import data_frame

PING = b"\n\n"
_PART_PREFIX = b'data: {"candidates":[{"content":{"parts":['
_PART_SUFFIX = b'],"role":"model"},"index":0}],'
_EMPTY_CONTENT = {"parts": [{"text": ""}], "role": "model"}
"""Official clients keep no answer in their history of which one piece has no part."""
_encode = msgspec.json.Encoder().encode


class GeminiWriter(Writer):
    """Writes one stream for a Gemini client."""

    def __init__(self, conversion: Conversion) -> None:
        self._conversion = conversion
        self._shows_thoughts = shows_thoughts(conversion)
        self._tail = b"}\n\n"
        self._id = ""
        self._pending_reasoning = PendingReasoning(conversion)
        self._open_thought: Thinking | None = None
        self._open_call: ToolStart | None = None
        self._malformed_call: tuple[ToolStart, object] | None = (
            None  # a call whose arguments are no object
        )
        self._pieces: list[str] = []  # of the open text, thought or call
        self._citations: list[Citation] = []
        self._grounding = GroundingBuilder(conversion)
        self._text_bytes = 0  # bytes of the text before the open part
        self._has_refusal = False

    def write(self, event: Event) -> bytes:
        """The wire form of one event."""
        if type(event) is TextDelta:
            self._pieces.append(event.text)
            return _PART_PREFIX + b'{"text":' + _encode(event.text) + b"}" + self._tail
        return _EVENT_WRITERS[type(event)](self, event)

    def _write_part(self, part: Block) -> bytes:
        return _PART_PREFIX + _encode(part) + self._tail

    def _start_message(self, event: MessageStart) -> bytes:
        self._id = event.id
        identity = {"modelVersion": self._conversion.alias, "responseId": event.id}
        self._tail = _PART_SUFFIX + _encode(identity)[1:] + b"\n\n"
        return b""

    def _start_text(self, event: TextStart) -> bytes:
        self._pieces.clear()
        return b""

    def _start_thinking(self, event: ThinkingStart) -> bytes:
        self._pieces.clear()
        self._open_thought = Thinking("")
        return b""

    def _write_thinking_delta(self, event: ThinkingDelta) -> bytes:
        self._pieces.append(event.text)
        if not self._shows_thoughts or not event.text:
            return b""
        return self._write_part({"text": event.text, "thought": True})

    def _hold_signature(self, event: Signature) -> bytes:
        if self._open_thought is None:
            self._open_thought = Thinking("")
        self._open_thought.signature, self._open_thought.origin = event.signature, event.origin
        return b""

    def _write_redacted(self, event: RedactedThinking) -> bytes:
        if event.origin in (TEXT_SIGNATURE, LONE_SIGNATURE):
            return self._write_part(write_text_signature(event.data))
        self._pending_reasoning.add_reasoning(Redacted(event.data, event.origin))
        return b""

    def _start_tool(self, event: ToolStart) -> bytes:
        self._pieces.clear()
        self._open_call = event
        return b""

    def _write_arguments_delta(self, event: ArgumentsDelta) -> bytes:
        self._pieces.append(event.text)
        call = self._open_call
        if call is not None and call.name == self._conversion.answer_tool and event.text:
            return self._write_part({"text": event.text})
        return b""

    def _hold_citation(self, event: CitationAdded) -> bytes:
        self._citations.append(event.citation)
        return b""

    def _end_part(self, event: PartEnd) -> bytes:
        text = "".join(self._pieces)
        self._pieces.clear()
        if self._open_thought is not None:
            return self._end_thought(text)
        if self._open_call is not None and self._open_call.name != self._conversion.answer_tool:
            return self._end_call(self._open_call, text)
        self._open_call = None
        if self._citations:
            self._grounding.add_citations(self._citations, text, self._text_bytes)
            self._citations.clear()
        self._text_bytes += len(text.encode("utf-8", "replace"))
        if text:
            self._pending_reasoning.mark_text()
        return b""

    def _end_thought(self, text: str) -> bytes:
        thought, self._open_thought = self._open_thought, None
        assert thought is not None
        thought.text = text
        self._pending_reasoning.add_reasoning(thought)
        signed = (
            write_thought_signature(thought, self._conversion) if self._shows_thoughts else None
        )
        return self._write_part(signed) if signed is not None else b""

    def _end_call(self, call: ToolStart, text: str) -> bytes:
        self._open_call = None
        given = write_arguments_object(text)
        if isinstance(given, dict) and given:  # cut short or broken: the ending will say
            self._malformed_call = call, given
            return b""
        return self._write_call(call, given)

    def _write_call(self, call: ToolStart, given: object) -> bytes:
        called: Block = {"id": call.id} if call.id else {}
        called |= {"name": call.name, "args": given}
        return self._write_part({"functionCall": called} | self._pending_reasoning.take_signature())

    def _write_refusal(self, event: RefusalDelta) -> bytes:
        self._has_refusal = True
        if not event.text:
            return b""
        self._text_bytes += len(event.text.encode("utf-8", "replace"))
        return self._write_part({"text": event.text})

    def _write_ping(self, event: KeepAlive) -> bytes:
        return PING

    def _end_message(self, event: MessageEnd) -> bytes:
        ending = event.ending
        if self._has_refusal and ending.stop == "end_turn":
            ending = msgspec.structs.replace(ending, stop="refusal")
        out = self._write_malformed_call(ending.stop == "max_tokens")
        candidate: Block = {"content": _EMPTY_CONTENT}
        candidate |= write_stop(ending) | {"index": 0} | self._grounding.write_metadata()
        last = {
            "candidates": [candidate],
            "usageMetadata": write_usage(ending.usage, self._text_bytes, self._conversion),
            "modelVersion": self._conversion.alias,
            "responseId": self._id,
        }
        return out + data_frame(_encode(last))

    def _write_malformed_call(self, cut: bool) -> bytes:
        """The call that came in no proper form; an agent must not run one that was cut."""
        half, self._malformed_call = self._malformed_call, None
        if half is None:
            return b""
        if cut:
            self._conversion.notes.note("functionCall", "cut_call_left_out")
            return b""
        self._conversion.notes.note("functionCall.args", "invalid_json_kept_as_text")
        return self._write_call(*half)


_EVENT_WRITERS: dict[type, Callable[[GeminiWriter, Any], bytes]] = {
    MessageStart: GeminiWriter._start_message,
    TextStart: GeminiWriter._start_text,
    ThinkingStart: GeminiWriter._start_thinking,
    ThinkingDelta: GeminiWriter._write_thinking_delta,
    Signature: GeminiWriter._hold_signature,
    RedactedThinking: GeminiWriter._write_redacted,
    ToolStart: GeminiWriter._start_tool,
    ArgumentsDelta: GeminiWriter._write_arguments_delta,
    CitationAdded: GeminiWriter._hold_citation,
    PartEnd: GeminiWriter._end_part,
    RefusalDelta: GeminiWriter._write_refusal,
    KeepAlive: GeminiWriter._write_ping,
    MessageEnd: GeminiWriter._end_message,
}
