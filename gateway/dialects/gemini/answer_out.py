"""What whole answers and streamed ones for Gemini clients have in common."""

from gateway.dialect import Block, Crossing
from gateway.dialects.common.signatures import sealed_kind
from gateway.dialects.gemini.carried import Reasoning, signature
from gateway.dialects.gemini.wire import NAME
from gateway.neutral.events import Citation, Ending, Redacted, Thinking, Usage

DECLINED = "The model declined to answer."
_FINISH = {
    "end_turn": "STOP",
    "stop_sequence": "STOP",
    "tool_use": "STOP",
    "compaction": "STOP",
    "max_tokens": "MAX_TOKENS",
    "model_context_window_exceeded": "MAX_TOKENS",
    "pause_turn": "MAX_TOKENS",
    "refusal": "SAFETY",
}
_OWN = frozenset({
    "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY",
    "MODEL_ARMOR", "ESCALATION",
})  # fmt: skip
"""Gemini's own words for a refusal."""
_LETTERS_PER_TOKEN = 4


def shows_thoughts(crossing: Crossing) -> bool:
    """Whether the client asked to see what the model thinks; by default Gemini shows nothing."""
    reasoning = crossing.prompt.reasoning
    return reasoning is not None and reasoning.display not in (None, "omitted")


def finish(ending: Ending) -> Block:
    """`finishReason`, and `finishMessage` where there is more to say."""
    if ending.stop == "refusal":
        word = ending.native if ending.native in _OWN else "SAFETY"
        return {"finishReason": word, "finishMessage": ending.explanation or DECLINED}
    said: Block = {"finishReason": _FINISH[ending.stop]}
    if ending.stop in ("pause_turn", "model_context_window_exceeded"):
        said["finishMessage"] = ending.stop
    return said


def usage_metadata(usage: Usage | None, written: int, crossing: Crossing) -> Block:
    """`usageMetadata`; where the upstream counted nothing, four letters are a token."""
    if usage is None:
        crossing.notes.note("usageMetadata", "estimated")
        usage = Usage(crossing.input_estimate, -(-written // _LETTERS_PER_TOKEN))
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


def sealed(piece: Reasoning, crossing: Crossing) -> Reasoning:
    """The reasoning as a client may carry it: what another upstream minted is sealed."""
    if isinstance(piece, Redacted):
        return Redacted(crossing.sealed(sealed_kind(piece.origin), piece.data), NAME)
    blob = None if piece.signature is None else crossing.sealed("signature", piece.signature)
    return Thinking(piece.text, blob, NAME)


def carrier(piece: Thinking, crossing: Crossing) -> Block | None:
    """The part that carries the signature of a thought which the client was shown."""
    if piece.signature is None:
        return None
    blob = piece.signature
    if piece.origin != NAME:  # else Google's own, which the client takes back as it is
        blob = signature(crossing.sealed("signature", blob))
    return {"text": "", "thought": True, "thoughtSignature": blob}


def said(signature: str) -> Block:
    """The part that carries what Google signed of the text before it."""
    return {"text": "", "thoughtSignature": signature}


class Grounds:
    """The sources of an answer's text (`GroundingMetadata`), their spans in bytes of UTF-8."""

    def __init__(self, crossing: Crossing) -> None:
        self._crossing = crossing
        self._chunks: list[Block] = []
        self._places: dict[str, int] = {}
        self._supports: list[Block] = []

    def add(self, citations: list[Citation], text: str, start: int) -> None:
        """The sources of one text, which begins at the byte `start` of the answer."""
        spans: dict[tuple[int, int], dict[int, None]] = {}
        for citation in citations:
            if (place := self._place(citation)) is not None:
                span = citation.span or (0, len(text))
                spans.setdefault(span, {})[place] = None
        for (first, last), places in spans.items():
            begin = start + _size(text[:first])
            segment = {
                "startIndex": begin,
                "endIndex": begin + _size(text[first:last]),
                "text": text[first:last],
            }
            self._supports.append({"segment": segment, "groundingChunkIndices": list(places)})

    def _place(self, citation: Citation) -> int | None:
        if self._crossing.prompt.web_search is None or citation.url is None:
            self._crossing.notes.note("citations", "unsupported_by_client")
            return None
        place = self._places.get(citation.url)
        if place is None:
            place = self._places[citation.url] = len(self._chunks)
            web = {"uri": citation.url, "title": citation.title or citation.url}
            self._chunks.append({"web": web})
        return place

    def written(self) -> Block:
        """The `groundingMetadata` member, or none."""
        if not self._chunks:
            return {}
        said = {"groundingChunks": self._chunks, "groundingSupports": self._supports}
        return {"groundingMetadata": said}


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
