"""Members of an answer for Gemini clients: finish reason, token counts, signatures, sources."""

from gateway.dialect import Block, Conversion
from gateway.dialects.common.token_estimate import usage_or_estimate
from gateway.dialects.gemini.signature_bundle import encode_signature
from gateway.dialects.gemini.wire import NAME
from gateway.neutral.events import Citation, Ending, Thinking, Usage

DEFAULT_REFUSAL_TEXT = "The model declined to answer."
_FINISH_REASONS = {
    "end_turn": "STOP",
    "stop_sequence": "STOP",
    "tool_use": "STOP",
    "compaction": "STOP",
    "max_tokens": "MAX_TOKENS",
    "model_context_window_exceeded": "MAX_TOKENS",
    "pause_turn": "MAX_TOKENS",
    "refusal": "SAFETY",
}
_REFUSAL_REASONS = frozenset({
    "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY",
    "MODEL_ARMOR", "ESCALATION",
})  # fmt: skip
"""Finish reasons of Gemini that are refusals."""


def shows_thoughts(conversion: Conversion) -> bool:
    """Whether the client asked for thoughts, which Gemini does not show by default."""
    reasoning = conversion.prompt.reasoning
    return reasoning is not None and reasoning.display not in (None, "omitted")


def write_stop(ending: Ending) -> Block:
    """`finishReason`, and `finishMessage` for a refusal or a stop that Gemini does not have."""
    if ending.stop == "refusal":
        word = ending.native if ending.native in _REFUSAL_REASONS else "SAFETY"
        return {"finishReason": word, "finishMessage": ending.explanation or DEFAULT_REFUSAL_TEXT}
    said: Block = {"finishReason": _FINISH_REASONS[ending.stop]}
    if ending.stop in ("pause_turn", "model_context_window_exceeded"):
        said["finishMessage"] = ending.stop
    return said


def write_usage(usage: Usage | None, written: int, conversion: Conversion) -> Block:
    """`usageMetadata`; estimated at four bytes per token where the upstream gave no counts."""
    usage = usage_or_estimate(usage, written, "usageMetadata", conversion)
    asked = usage.input + usage.cache_read + usage.cache_write
    thought = min(usage.reasoning or 0, usage.output)
    counts: Block = {
        "promptTokenCount": asked,
        "candidatesTokenCount": usage.output - thought,
        "totalTokenCount": asked + usage.output,
    }
    if thought:
        counts["thoughtsTokenCount"] = thought
    if usage.cache_read:
        counts["cachedContentTokenCount"] = usage.cache_read
    return counts


def write_thought_signature(piece: Thinking, conversion: Conversion) -> Block | None:
    """The part with the signature of a thought that the client was shown."""
    if piece.signature is None:
        return None
    blob = piece.signature
    if piece.origin != NAME:  # else Google's own, unchanged
        blob = encode_signature(conversion.sealed("signature", blob))
    return {"text": "", "thought": True, "thoughtSignature": blob}


def write_text_signature(signature: str) -> Block:
    """The part with Google's signature of the text before it."""
    return {"text": "", "thoughtSignature": signature}


class GroundingBuilder:
    """The sources of an answer's text (`GroundingMetadata`), their spans in bytes of UTF-8."""

    def __init__(self, conversion: Conversion) -> None:
        self._conversion = conversion
        self._chunks: list[Block] = []
        self._chunk_indices: dict[str, int] = {}
        self._supports: list[Block] = []

    def add_citations(self, citations: list[Citation], text: str, start: int) -> None:
        """Adds the sources of one text, which begins at the byte `start` of the answer's text."""
        spans: dict[tuple[int, int], dict[int, None]] = {}
        for citation in citations:
            if (place := self._find_chunk_index(citation)) is not None:
                span = citation.span or (0, len(text))
                spans.setdefault(span, {})[place] = None
        for (first, last), places in spans.items():
            begin = start + _count_bytes(text[:first])
            segment = {
                "startIndex": begin,
                "endIndex": begin + _count_bytes(text[first:last]),
                "text": text[first:last],
            }
            self._supports.append({"segment": segment, "groundingChunkIndices": list(places)})

    def _find_chunk_index(self, citation: Citation) -> int | None:
        if self._conversion.prompt.web_search is None or citation.url is None:
            self._conversion.notes.note("citations", "unsupported_by_client")
            return None
        place = self._chunk_indices.get(citation.url)
        if place is None:
            place = self._chunk_indices[citation.url] = len(self._chunks)
            web = {"uri": citation.url, "title": citation.title or citation.url}
            self._chunks.append({"web": web})
        return place

    def write_metadata(self) -> Block:
        """The `groundingMetadata` member; empty if there are no sources."""
        if not self._chunks:
            return {}
        said = {"groundingChunks": self._chunks, "groundingSupports": self._supports}
        return {"groundingMetadata": said}


def _count_bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
