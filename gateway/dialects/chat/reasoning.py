"""Reasoning in Chat answers: four spellings, of which a server may send two with the same text.

In order of preference: `reasoning_details` (OpenRouter), `thinking_blocks` (LiteLLM),
`reasoning_content` (DeepSeek and most), `reasoning` (vLLM, Groq, Ollama).
"""

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from gateway.dialects.chat.answer import Delta, ReasoningDetail, carried, detail_of
from gateway.dialects.chat.wire import NAME
from gateway.neutral.events import Part, Redacted, Thinking


class Thought(Struct):
    """One piece of reasoning: text, or a whole hidden part; `new` starts another part."""

    text: str = ""
    redacted: str | None = None
    new: bool = False


class Reasons:
    """Which spelling an answer uses, and the signature that comes in pieces."""

    __slots__ = ("_plain", "_signature")

    def __init__(self) -> None:
        self._plain = False  # the text comes as a bare string; what details repeat of it is dropped
        self._signature: ReasoningDetail | None = None

    @property
    def signed(self) -> bool:
        """Whether a signature of the open part has come."""
        return self._signature is not None

    def signature(self) -> str:
        """The whole signature of the part that ends now, or nothing."""
        detail, self._signature = self._signature, None
        return carried(detail) if detail is not None else ""

    def read(self, delta: Delta) -> Iterator[Thought]:
        """The reasoning in a delta, each text once."""
        plain = delta.reasoning_content or delta.reasoning or ""
        if not delta.reasoning_details and not delta.thinking_blocks:
            if plain:
                self._plain = True
                yield Thought(plain)
            return
        details = details_of(delta)
        told = any(_text(detail) for detail in details)
        if plain and (self._plain or not told):
            self._plain = True
            yield Thought(plain)
        for detail in details:
            yield from self._detail(detail)

    def _detail(self, detail: ReasoningDetail) -> Iterator[Thought]:
        if detail.type == "reasoning.encrypted":
            if detail.data:
                yield Thought(redacted=carried(detail))
            return
        text = "" if self._plain else _text(detail)
        if text and self._signature is not None and self._signature.index != detail.index:
            yield Thought(new=True)
        if detail.signature:
            self._sign(detail)
        yield Thought(text)

    def _sign(self, detail: ReasoningDetail) -> None:
        if self._signature is None:
            self._signature = msgspec.structs.replace(detail, text=None)
        else:
            self._signature.signature = f"{self._signature.signature}{detail.signature}"


def _text(detail: ReasoningDetail) -> str:
    return detail.text or detail.summary or ""


def details_of(delta: Delta) -> list[ReasoningDetail]:
    """The details of a delta or message; `thinking_blocks` as if they were details."""
    if delta.reasoning_details:
        return [detail_of(raw) for raw in delta.reasoning_details]
    return [
        ReasoningDetail("reasoning.encrypted", data=block.data)
        if block.type == "redacted_thinking"
        else ReasoningDetail("reasoning.text", text=block.thinking, signature=block.signature)
        for block in delta.thinking_blocks or ()
    ]


def reasoned(said: Delta) -> list[Part]:
    """The reasoning parts of a whole message."""
    reasons = Reasons()
    parts: list[Part] = []
    texts: list[str] = []

    def close() -> None:
        signature = reasons.signature()
        if texts or signature:
            parts.append(Thinking("".join(texts), signature or None, NAME))
            texts.clear()

    for thought in reasons.read(said):
        if thought.new or thought.redacted is not None:
            close()
        if thought.redacted is not None:
            parts.append(Redacted(thought.redacted, NAME))
        elif thought.text:
            texts.append(thought.text)
    close()
    return parts
