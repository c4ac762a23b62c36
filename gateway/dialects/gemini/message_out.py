"""A whole answer for a Gemini client (`GenerateContentResponse`)."""

import msgspec

from gateway.dialect import Block, Crossing
from gateway.dialects.common.arguments import arguments
from gateway.dialects.common.signatures import ALONE, CALL, NATIVE_CALL, SAID
from gateway.dialects.gemini.answer_out import (
    Grounds,
    carrier,
    finish,
    said,
    sealed,
    shows_thoughts,
    usage_metadata,
)
from gateway.dialects.gemini.carried import Bundle, Reasoning, bundle, signature
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


def write_message(message: Message, crossing: Crossing) -> bytes:
    """The answer in one body."""
    writing = _Writing(crossing, message.ending)
    for part in message.parts:
        writing.add(part)
    content: Block = {"parts": writing.parts} if writing.parts else {}
    candidate: Block = {"content": content | {"role": "model"}}
    candidate |= finish(writing.ending) | {"index": 0} | writing.grounds.written()
    return msgspec.json.encode(
        {
            "candidates": [candidate],
            "usageMetadata": usage_metadata(message.ending.usage, writing.length, crossing),
            "modelVersion": crossing.alias,
            "responseId": message.id,
        }
    )


class Before:
    """The reasoning that the next call of an answer carries."""

    def __init__(self, crossing: Crossing) -> None:
        self._crossing = crossing
        self._kept = Bundle()
        self._after_text = False

    def text(self) -> None:
        """Some text came."""
        self._after_text = True

    def add(self, piece: Reasoning) -> None:
        """One more piece, as its upstream gave it."""
        if isinstance(piece, Redacted) or piece.text or piece.signature:
            (self._kept.late if self._after_text else self._kept.early).append(piece)

    def signature(self) -> Block:
        """The `thoughtSignature` of the call that comes now, or no member."""
        kept, self._kept, self._after_text = self._kept, Bundle(), False
        pieces = [*kept.early, *kept.late]
        if not pieces:
            return {}
        last = pieces[-1]
        if isinstance(last, Redacted) and last.origin == NATIVE_CALL:
            return {"thoughtSignature": last.data}  # Google's own goes back as it came
        if isinstance(last, Redacted) and last.origin == CALL and len(pieces) == 1:
            return {"thoughtSignature": signature(self._crossing.sealed(CALL, last.data))}
        made = Bundle(
            [sealed(piece, self._crossing) for piece in kept.early],
            [sealed(piece, self._crossing) for piece in kept.late],
        )
        return {"thoughtSignature": bundle(made)}


class _Writing:
    """The parts so far."""

    def __init__(self, crossing: Crossing, ending: Ending) -> None:
        self.parts: list[Block] = []
        self.ending = ending
        self.grounds = Grounds(crossing)
        self.length = 0
        """Bytes of the text, which sources are told by."""
        self._crossing = crossing
        self._shown = shows_thoughts(crossing)
        self._before = Before(crossing)

    def add(self, part: Part) -> None:
        """One more part."""
        match part:
            case Text():
                self._text(part)
            case Refusal():
                self._text(Text(part.text))
                if self.ending.stop == "end_turn":
                    self.ending = msgspec.structs.replace(self.ending, stop="refusal")
            case Thinking():
                self._thinking(part)
            case Redacted() if part.origin in (SAID, ALONE):
                self.parts.append(said(part.data))
            case Redacted():
                self._before.add(part)
            case ToolCall():
                self._call(part)
            case Image() if part.data is not None:
                blob = {"mimeType": part.media_type or "image/png", "data": part.data}
                self.parts.append({"inlineData": blob})
            case ServerTool():
                pass  # its steps are told by the text after them; a client would try to run them
            case _:
                kind = type(part).__name__.lower()
                self._crossing.notes.note(f"parts.{kind}", "unsupported_by_client")

    def _text(self, part: Text) -> None:
        if not part.text:
            return
        if part.citations:
            self.grounds.add(part.citations, part.text, self.length)
        self.length += len(part.text.encode("utf-8", "replace"))
        self.parts.append({"text": part.text})
        self._before.text()

    def _thinking(self, part: Thinking) -> None:
        self._before.add(part)
        if not self._shown:
            return
        if part.text:
            self.parts.append({"text": part.text, "thought": True})
        if (signed := carrier(part, self._crossing)) is not None:
            self.parts.append(signed)

    def _call(self, part: ToolCall) -> None:
        if part.name == self._crossing.answer_tool:
            self._text(Text(part.arguments))
            return
        given = arguments(part.arguments)
        if isinstance(given, dict) and given:  # the text of what is no object
            if self.ending.stop == "max_tokens":
                self._crossing.notes.note("functionCall", "cut_call_left_out")
                return
            self._crossing.notes.note("functionCall.args", "invalid_json_kept_as_text")
        called: Block = {"id": part.id} if part.id else {}
        called |= {"name": part.name, "args": given}
        self.parts.append({"functionCall": called} | self._before.signature())
