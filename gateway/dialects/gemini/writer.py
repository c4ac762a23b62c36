"""Neutral events as the stream of a Gemini client: answers in pieces, each with what is new.

A function call comes whole. The last piece has the finish reason and the counts; nothing follows
it. A sign of life is a blank line: official clients read comments as broken JSON.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from gateway.dialect import Block, Crossing
from gateway.dialects.common.arguments import arguments
from gateway.dialects.common.signatures import ALONE, SAID
from gateway.dialects.gemini.answer_out import (
    Grounds,
    carrier,
    finish,
    said,
    shows_thoughts,
    usage_metadata,
)
from gateway.dialects.gemini.message_out import Before
from gateway.neutral.events import (
    Alive,
    ArgumentsDelta,
    Began,
    Citation,
    CitationCame,
    Ended,
    Event,
    PartEnded,
    Redacted,
    RedactedCame,
    Refused,
    SignatureCame,
    TextBegan,
    TextDelta,
    Thinking,
    ThinkingBegan,
    ThinkingDelta,
    ToolBegan,
)
from gateway.wire.sse import data_frame

PING = b"\n\n"
_HEAD = b'data: {"candidates":[{"content":{"parts":['
_ROLE = b'],"role":"model"},"index":0}],'
_NOTHING = {"parts": [{"text": ""}], "role": "model"}
"""Official clients keep no answer in their history of which one piece has no part."""
_encode = msgspec.json.Encoder().encode


class GeminiWriter:
    """Writes one stream for a Gemini client."""

    def __init__(self, crossing: Crossing) -> None:
        self._crossing = crossing
        self._shown = shows_thoughts(crossing)
        self._tail = b"}\n\n"
        self._id = ""
        self._before = Before(crossing)
        self._thought: Thinking | None = None
        self._call: ToolBegan | None = None
        self._half: tuple[ToolBegan, object] | None = None  # a call whose arguments are no object
        self._pieces: list[str] = []  # of the open text, thought or call
        self._citations: list[Citation] = []
        self._grounds = Grounds(crossing)
        self._length = 0  # bytes of the text before the open part
        self._refused = False

    def write(self, event: Event) -> bytes:
        """The wire form of one event."""
        if type(event) is TextDelta:
            self._pieces.append(event.text)
            return _HEAD + b'{"text":' + _encode(event.text) + b"}" + self._tail
        return _WRITINGS[type(event)](self, event)

    def _part(self, part: Block) -> bytes:
        return _HEAD + _encode(part) + self._tail

    def _begin(self, event: Began) -> bytes:
        self._id = event.id
        identity = {"modelVersion": self._crossing.alias, "responseId": event.id}
        self._tail = _ROLE + _encode(identity)[1:] + b"\n\n"
        return b""

    def _text_began(self, event: TextBegan) -> bytes:
        self._pieces.clear()
        return b""

    def _thinking_began(self, event: ThinkingBegan) -> bytes:
        self._pieces.clear()
        self._thought = Thinking("")
        return b""

    def _thinking_delta(self, event: ThinkingDelta) -> bytes:
        self._pieces.append(event.text)
        if not self._shown or not event.text:
            return b""
        return self._part({"text": event.text, "thought": True})

    def _signature_came(self, event: SignatureCame) -> bytes:
        if self._thought is None:
            self._thought = Thinking("")
        self._thought.signature, self._thought.origin = event.signature, event.origin
        return b""

    def _redacted_came(self, event: RedactedCame) -> bytes:
        if event.origin in (SAID, ALONE):
            return self._part(said(event.data))
        self._before.add(Redacted(event.data, event.origin))
        return b""

    def _tool_began(self, event: ToolBegan) -> bytes:
        self._pieces.clear()
        self._call = event
        return b""

    def _arguments_delta(self, event: ArgumentsDelta) -> bytes:
        self._pieces.append(event.text)
        call = self._call
        if call is not None and call.name == self._crossing.answer_tool and event.text:
            return self._part({"text": event.text})
        return b""

    def _citation_came(self, event: CitationCame) -> bytes:
        self._citations.append(event.citation)
        return b""

    def _part_ended(self, event: PartEnded) -> bytes:
        text = "".join(self._pieces)
        self._pieces.clear()
        if self._thought is not None:
            return self._thought_ended(text)
        if self._call is not None and self._call.name != self._crossing.answer_tool:
            return self._call_ended(self._call, text)
        self._call = None
        if self._citations:
            self._grounds.add(self._citations, text, self._length)
            self._citations.clear()
        self._length += len(text.encode("utf-8", "replace"))
        if text:
            self._before.text()
        return b""

    def _thought_ended(self, text: str) -> bytes:
        thought, self._thought = self._thought, None
        assert thought is not None
        thought.text = text
        self._before.add(thought)
        signed = carrier(thought, self._crossing) if self._shown else None
        return self._part(signed) if signed is not None else b""

    def _call_ended(self, call: ToolBegan, text: str) -> bytes:
        self._call = None
        given = arguments(text)
        if isinstance(given, dict) and given:  # cut short or broken: the ending will say
            self._half = call, given
            return b""
        return self._called(call, given)

    def _called(self, call: ToolBegan, given: object) -> bytes:
        called: Block = {"id": call.id} if call.id else {}
        called |= {"name": call.name, "args": given}
        return self._part({"functionCall": called} | self._before.signature())

    def _refused_more(self, event: Refused) -> bytes:
        self._refused = True
        if not event.text:
            return b""
        self._length += len(event.text.encode("utf-8", "replace"))
        return self._part({"text": event.text})

    def _alive(self, event: Alive) -> bytes:
        return PING

    def _ended(self, event: Ended) -> bytes:
        ending = event.ending
        if self._refused and ending.stop == "end_turn":
            ending = msgspec.structs.replace(ending, stop="refusal")
        out = self._half_call(ending.stop == "max_tokens")
        candidate: Block = {"content": _NOTHING}
        candidate |= finish(ending) | {"index": 0} | self._grounds.written()
        last = {
            "candidates": [candidate],
            "usageMetadata": usage_metadata(ending.usage, self._length, self._crossing),
            "modelVersion": self._crossing.alias,
            "responseId": self._id,
        }
        return out + data_frame(_encode(last))

    def _half_call(self, cut: bool) -> bytes:
        """The call that came in no proper form; an agent must not run one that was cut."""
        half, self._half = self._half, None
        if half is None:
            return b""
        if cut:
            self._crossing.notes.note("functionCall", "cut_call_left_out")
            return b""
        self._crossing.notes.note("functionCall.args", "invalid_json_kept_as_text")
        return self._called(*half)


_WRITINGS: dict[type, Callable[[GeminiWriter, Any], bytes]] = {
    Began: GeminiWriter._begin,
    TextBegan: GeminiWriter._text_began,
    ThinkingBegan: GeminiWriter._thinking_began,
    ThinkingDelta: GeminiWriter._thinking_delta,
    SignatureCame: GeminiWriter._signature_came,
    RedactedCame: GeminiWriter._redacted_came,
    ToolBegan: GeminiWriter._tool_began,
    ArgumentsDelta: GeminiWriter._arguments_delta,
    CitationCame: GeminiWriter._citation_came,
    PartEnded: GeminiWriter._part_ended,
    Refused: GeminiWriter._refused_more,
    Alive: GeminiWriter._alive,
    Ended: GeminiWriter._ended,
}
