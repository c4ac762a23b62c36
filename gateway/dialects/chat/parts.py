"""Citations and content lists of a Chat answer."""

import msgspec
from msgspec import Raw

from gateway.dialects.chat.answer import Annotation
from gateway.dialects.chat.scan import ContentPiece
from gateway.dialects.chat.wire import Kind, TextPart, ThinkingPart
from gateway.neutral.events import Citation
from gateway.wire.raw_json import decode


def read_citation(raw: Raw, text: str) -> Citation | None:
    """An `AnnotationURLCitation` of the text, or None where the annotation is another."""
    try:
        found = decode(raw, Annotation).url_citation
    except msgspec.MsgspecError:
        return None
    if found is None:
        return None
    quoted = None
    if found.start_index is not None and found.end_index is not None:
        quoted = text[found.start_index : found.end_index] or None
    return Citation(raw, found.url, found.title, quoted)


def read_content_pieces(parts: list[Raw]) -> list[ContentPiece]:
    """The text and the reasoning of a content list, as Mistral writes it."""
    pieces: list[ContentPiece] = []
    for raw in parts:
        kind = decode(raw, Kind).type
        if kind in ("text", "output_text"):
            pieces.append(("text", decode(raw, TextPart).text))
        elif kind == "thinking":
            thinking = decode(raw, ThinkingPart).thinking
            texts = [thinking] if isinstance(thinking, str) else [part.text for part in thinking]
            pieces.append(("thinking", "".join(texts)))
    return pieces
