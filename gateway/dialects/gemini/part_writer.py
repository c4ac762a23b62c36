"""Neutral events as parts of an answer for a Gemini client (`Part`).

A stream sends the parts in pieces, a whole answer holds all of them. A function call is written
when it is whole.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from gateway.dialect import Block, Conversion
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
from gateway.dialects.gemini.pending_reasoning import PendingReasoning
from gateway.neutral.events import (
    ArgumentsDelta,
    Citation,
    CitationAdded,
    Ending,
    Event,
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


class PartWriter:
    """The parts of one answer."""

    def __init__(self, conversion: Conversion) -> None:
        self.pieces: list[str] = []
        """The deltas of the open text, thought or call."""
        self._conversion = conversion
        self._shows_thoughts = shows_thoughts(conversion)
        self._pending_reasoning = PendingReasoning(conversion)
        self._open_thought: Thinking | None = None
        self._open_call: ToolStart | None = None
        # the last call if its arguments are no object; only the ending shows whether it was cut
        self._malformed_call: tuple[ToolStart, object] | None = None
        self._citations: list[Citation] = []
        self._grounding = GroundingBuilder(conversion)
        self._text_bytes = 0  # of the text before the open part
        self._has_refusal = False

    def write(self, event: Event) -> list[Block]:
        """The parts that an event adds; for the events of parts, not those of the message."""
        return _EVENT_WRITERS[type(event)](self, event)

    def end_call(self, ending: Ending | None = None) -> list[Block]:
        """The pending malformed call, if there is one; a cut call is left out, with a note.

        Without an ending the answer continues, so the call was not cut.
        """
        half, self._malformed_call = self._malformed_call, None
        if half is None:
            return []
        if ending is not None and ending.stop == "max_tokens":
            self._conversion.notes.note("functionCall", "cut_call_left_out")
            return []
        self._conversion.notes.note("functionCall.args", "invalid_json_kept_as_text")
        return self._write_call(*half)

    def write_last(self, content: Block, ending: Ending) -> Block:
        """`GenerateContentResponse` with the finish reason, the sources and the token counts."""
        if self._has_refusal and ending.stop == "end_turn":
            ending = msgspec.structs.replace(ending, stop="refusal")
        candidate: Block = {"content": content}
        candidate |= write_stop(ending) | {"index": 0} | self._grounding.write_metadata()
        return {
            "candidates": [candidate],
            "usageMetadata": write_usage(ending.usage, self._text_bytes, self._conversion),
            "modelVersion": self._conversion.alias,
        }

    # --- text -------------------------------------------------------------------------------------

    def _start_text(self, event: TextStart) -> list[Block]:
        self.pieces.clear()
        return self.end_call()

    def _write_text(self, event: TextDelta) -> list[Block]:
        self.pieces.append(event.text)
        return [{"text": event.text}]

    def _hold_citation(self, event: CitationAdded) -> list[Block]:
        self._citations.append(event.citation)
        return []

    def _end_part(self, event: PartEnd) -> list[Block]:
        text = "".join(self.pieces)
        self.pieces.clear()
        if self._open_thought is not None:
            return self._end_thought(self._open_thought, text)
        if self._open_call is not None and self._open_call.name != self._conversion.answer_tool:
            return self._end_tool(self._open_call, text)
        self._open_call = None
        if self._citations:
            self._grounding.add_citations(self._citations, text, self._text_bytes)
            self._citations.clear()
        self._count_text(text)
        return []

    def _count_text(self, text: str) -> None:
        if text:
            self._text_bytes += len(text.encode("utf-8", "replace"))
            self._pending_reasoning.mark_text()

    def _write_refusal(self, event: RefusalDelta) -> list[Block]:
        self._has_refusal = True
        parts = self.end_call()
        self._count_text(event.text)
        return [*parts, {"text": event.text}] if event.text else parts

    # --- thoughts ---------------------------------------------------------------------------------

    def _start_thinking(self, event: ThinkingStart) -> list[Block]:
        self.pieces.clear()
        self._open_thought = Thinking("")
        return self.end_call()

    def _write_thinking_delta(self, event: ThinkingDelta) -> list[Block]:
        self.pieces.append(event.text)
        if not self._shows_thoughts or not event.text:
            return []
        return [{"text": event.text, "thought": True}]

    def _hold_signature(self, event: Signature) -> list[Block]:
        if self._open_thought is None:
            self._open_thought = Thinking("")
        self._open_thought.signature, self._open_thought.origin = event.signature, event.origin
        return []

    def _end_thought(self, thought: Thinking, text: str) -> list[Block]:
        self._open_thought = None
        thought.text = text
        self._pending_reasoning.add_reasoning(thought)
        if not self._shows_thoughts:
            return []
        signed = write_thought_signature(thought, self._conversion)
        return [] if signed is None else [signed]

    def _write_redacted(self, event: RedactedThinking) -> list[Block]:
        parts = self.end_call()
        if event.origin in (TEXT_SIGNATURE, LONE_SIGNATURE):
            return [*parts, write_text_signature(event.data)]
        self._pending_reasoning.add_reasoning(Redacted(event.data, event.origin))
        return parts

    # --- calls ------------------------------------------------------------------------------------

    def _start_tool(self, event: ToolStart) -> list[Block]:
        self.pieces.clear()
        self._open_call = event
        return self.end_call()

    def _write_arguments_delta(self, event: ArgumentsDelta) -> list[Block]:
        self.pieces.append(event.text)
        call = self._open_call
        if call is not None and call.name == self._conversion.answer_tool and event.text:
            return [{"text": event.text}]
        return []

    def _end_tool(self, call: ToolStart, text: str) -> list[Block]:
        self._open_call = None
        arguments = write_arguments_object(text)
        if isinstance(arguments, dict) and arguments:  # the arguments are no JSON object
            self._malformed_call = call, arguments
            return []
        return self._write_call(call, arguments)

    def _write_call(self, call: ToolStart, arguments: object) -> list[Block]:
        called: Block = {"id": call.id} if call.id else {}
        called |= {"name": call.name, "args": arguments}
        return [{"functionCall": called} | self._pending_reasoning.take_signature()]


_EVENT_WRITERS: dict[type, Callable[[PartWriter, Any], list[Block]]] = {
    TextStart: PartWriter._start_text,
    TextDelta: PartWriter._write_text,
    ThinkingStart: PartWriter._start_thinking,
    ThinkingDelta: PartWriter._write_thinking_delta,
    Signature: PartWriter._hold_signature,
    RedactedThinking: PartWriter._write_redacted,
    ToolStart: PartWriter._start_tool,
    ArgumentsDelta: PartWriter._write_arguments_delta,
    CitationAdded: PartWriter._hold_citation,
    PartEnd: PartWriter._end_part,
    RefusalDelta: PartWriter._write_refusal,
}
