"""Reasoning in Chat answers: four spellings, of which a server may send two with the same text.

In order of preference: `reasoning_details` (OpenRouter), `thinking_blocks` (LiteLLM),
`reasoning_content` (DeepSeek and most), `reasoning` (vLLM, Groq, Ollama).
"""

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from gateway.dialects.chat.answer import (
    Delta,
    ReasoningDetail,
    pack_reasoning_detail,
    parse_reasoning_detail,
)
from gateway.dialects.chat.wire import NAME
from gateway.neutral.events import Part, Redacted, Thinking


class ReasoningPiece(Struct):
    """One piece of reasoning: text, or a whole hidden part; `new` starts another part."""

    text: str = ""
    redacted: str | None = None
    new: bool = False


class ReasoningDecoder:
    """Which spelling an answer uses, and the signature that comes in pieces."""

    __slots__ = ("_plain", "_signature")

    def __init__(self) -> None:
        self._plain = False  # the text comes as a bare string; what details repeat of it is dropped
        self._signature: ReasoningDetail | None = None

    @property
    def has_signature(self) -> bool:
        """Whether a signature of the open part has come."""
        return self._signature is not None

    def take_signature(self) -> str:
        """The whole signature of the part that ends now, or nothing."""
        detail, self._signature = self._signature, None
        return pack_reasoning_detail(detail) if detail is not None else ""

    def read_delta(self, delta: Delta) -> Iterator[ReasoningPiece]:
        """The reasoning in a delta, each text once."""
        plain = delta.reasoning_content or delta.reasoning or ""
        if not delta.reasoning_details and not delta.thinking_blocks:
            if plain:
                self._plain = True
                yield ReasoningPiece(plain)
            return
        details = read_details(delta)
        has_text = any(_detail_text(detail) for detail in details)
        if plain and (self._plain or not has_text):
            self._plain = True
            yield ReasoningPiece(plain)
        for detail in details:
            yield from self._read_detail(detail)

    def _read_detail(self, detail: ReasoningDetail) -> Iterator[ReasoningPiece]:
        if detail.type == "reasoning.encrypted":
            if detail.data:
                yield ReasoningPiece(redacted=pack_reasoning_detail(detail))
            return
        text = "" if self._plain else _detail_text(detail)
        if text and self._signature is not None and self._signature.index != detail.index:
            yield ReasoningPiece(new=True)
        if detail.signature:
            self._add_signature(detail)
        yield ReasoningPiece(text)

    def _add_signature(self, detail: ReasoningDetail) -> None:
        if self._signature is None:
            self._signature = msgspec.structs.replace(detail, text=None)
        else:
            self._signature.signature = f"{self._signature.signature}{detail.signature}"


def _detail_text(detail: ReasoningDetail) -> str:
    return detail.text or detail.summary or ""


def read_details(delta: Delta) -> list[ReasoningDetail]:
    """The details of a delta or message; `thinking_blocks` as if they were details."""
    if delta.reasoning_details:
        return [parse_reasoning_detail(raw) for raw in delta.reasoning_details]
    return [
        ReasoningDetail("reasoning.encrypted", data=block.data)
        if block.type == "redacted_thinking"
        else ReasoningDetail("reasoning.text", text=block.thinking, signature=block.signature)
        for block in delta.thinking_blocks or ()
    ]


def read_reasoning(message: Delta) -> list[Part]:
    """The reasoning parts of a whole message."""
    reasons = ReasoningDecoder()
    parts: list[Part] = []
    texts: list[str] = []

    def close() -> None:
        signature = reasons.take_signature()
        if texts or signature:
            parts.append(Thinking("".join(texts), signature or None, NAME))
            texts.clear()

    for thought in reasons.read_delta(message):
        if thought.new or thought.redacted is not None:
            close()
        if thought.redacted is not None:
            parts.append(Redacted(thought.redacted, NAME))
        elif thought.text:
            texts.append(thought.text)
    close()
    return parts
