"""A whole answer for a Gemini client (`GenerateContentResponse`)."""

import msgspec

from gateway.dialect import Block, Conversion
from gateway.dialects.common.arguments import write_arguments_object
from gateway.dialects.common.signatures import (
    CALL_SIGNATURE,
    GEMINI_CALL_SIGNATURE,
    LONE_SIGNATURE,
    TEXT_SIGNATURE,
)
from gateway.dialects.gemini.answer_out import (
    GroundingBuilder,
    seal_reasoning,
    shows_thoughts,
    write_stop,
    write_text_signature,
    write_thought_signature,
    write_usage,
)
from gateway.dialects.gemini.signature_bundle import (
    ReasoningBundle,
    ReasoningPart,
    encode_bundle,
    encode_signature,
)
from gateway.neutral.events import (
    Ending,
    Image,
    Message,
    Part,
    Redacted,
    Refusal,
    ServerTool,
    Text,
    Thinking,
    ToolCall,
)


def write_message(message: Message, conversion: Conversion) -> bytes:
    """The answer in one body."""
    writing = _MessageWriter(conversion, message.ending)
    for part in message.parts:
        writing.add_part(part)
    content: Block = {"parts": writing.parts} if writing.parts else {}
    candidate: Block = {"content": content | {"role": "model"}}
    candidate |= write_stop(writing.ending) | {"index": 0} | writing.grounding.write_metadata()
    return msgspec.json.encode(
        {
            "candidates": [candidate],
            "usageMetadata": write_usage(message.ending.usage, writing.text_bytes, conversion),
            "modelVersion": conversion.alias,
            "responseId": message.id,
        }
    )


class PendingReasoning:
    """The reasoning that the next call of an answer carries."""

    def __init__(self, conversion: Conversion) -> None:
        self._conversion = conversion
        self._bundle = ReasoningBundle()
        self._after_text = False

    def mark_text(self) -> None:
        """Some text came."""
        self._after_text = True

    def add_reasoning(self, piece: ReasoningPart) -> None:
        """One more piece, as its upstream gave it."""
        if isinstance(piece, Redacted) or piece.text or piece.signature:
            (self._bundle.late if self._after_text else self._bundle.early).append(piece)

    def take_signature(self) -> Block:
        """The `thoughtSignature` of the call that comes now, or no member."""
        kept, self._bundle, self._after_text = self._bundle, ReasoningBundle(), False
        pieces = [*kept.early, *kept.late]
        if not pieces:
            return {}
        last = pieces[-1]
        if isinstance(last, Redacted) and last.origin == GEMINI_CALL_SIGNATURE:
            return {"thoughtSignature": last.data}  # Google's own goes back as it came
        if isinstance(last, Redacted) and last.origin == CALL_SIGNATURE and len(pieces) == 1:
            return {
                "thoughtSignature": encode_signature(
                    self._conversion.sealed(CALL_SIGNATURE, last.data)
                )
            }
        made = ReasoningBundle(
            [seal_reasoning(piece, self._conversion) for piece in kept.early],
            [seal_reasoning(piece, self._conversion) for piece in kept.late],
        )
        return {"thoughtSignature": encode_bundle(made)}


class _MessageWriter:
    """The parts so far."""

    def __init__(self, conversion: Conversion, ending: Ending) -> None:
        self.parts: list[Block] = []
        self.ending = ending
        self.grounding = GroundingBuilder(conversion)
        self.text_bytes = 0
        """Bytes of the text, which sources are told by."""
        self._conversion = conversion
        self._shows_thoughts = shows_thoughts(conversion)
        self._pending_reasoning = PendingReasoning(conversion)

    def add_part(self, part: Part) -> None:
        """One more part."""
        match part:
            case Text():
                self._write_text(part)
            case Refusal():
                self._write_text(Text(part.text))
                if self.ending.stop == "end_turn":
                    self.ending = msgspec.structs.replace(self.ending, stop="refusal")
            case Thinking():
                self._write_thinking(part)
            case Redacted() if part.origin in (TEXT_SIGNATURE, LONE_SIGNATURE):
                self.parts.append(write_text_signature(part.data))
            case Redacted():
                self._pending_reasoning.add_reasoning(part)
            case ToolCall():
                self._write_call(part)
            case Image() if part.data is not None:
                blob = {"mimeType": part.media_type or "image/png", "data": part.data}
                self.parts.append({"inlineData": blob})
            case ServerTool():
                pass  # its steps are told by the text after them; a client would try to run them
            case _:
                kind = type(part).__name__.lower()
                self._conversion.notes.note(f"parts.{kind}", "unsupported_by_client")

    def _write_text(self, part: Text) -> None:
        if not part.text:
            return
        if part.citations:
            self.grounding.add_citations(part.citations, part.text, self.text_bytes)
        self.text_bytes += len(part.text.encode("utf-8", "replace"))
        self.parts.append({"text": part.text})
        self._pending_reasoning.mark_text()

    def _write_thinking(self, part: Thinking) -> None:
        self._pending_reasoning.add_reasoning(part)
        if not self._shows_thoughts:
            return
        if part.text:
            self.parts.append({"text": part.text, "thought": True})
        if (signed := write_thought_signature(part, self._conversion)) is not None:
            self.parts.append(signed)

    def _write_call(self, part: ToolCall) -> None:
        if part.name == self._conversion.answer_tool:
            self._write_text(Text(part.arguments))
            return
        given = write_arguments_object(part.arguments)
        if isinstance(given, dict) and given:  # the text of what is no object
            if self.ending.stop == "max_tokens":
                self._conversion.notes.note("functionCall", "cut_call_left_out")
                return
            self._conversion.notes.note("functionCall.args", "invalid_json_kept_as_text")
        called: Block = {"id": part.id} if part.id else {}
        called |= {"name": part.name, "args": given}
        self.parts.append({"functionCall": called} | self._pending_reasoning.take_signature())
