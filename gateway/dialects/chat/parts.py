"""Parts of a Chat answer that a message and a stream share."""

import msgspec
from msgspec import Raw

from gateway.dialects.chat.answer import Annotation
from gateway.dialects.chat.scan import Piece
from gateway.dialects.chat.wire import Kind, TextPart, ThinkingPart, is_object
from gateway.events import Citation
from gateway.wire import decode

TIERS = {"default": "default", "priority": "priority"}
"""Service tiers of an answer, as the neutral form says them."""


def citation_of(raw: Raw, said: str) -> Citation | None:
    """An `AnnotationURLCitation` of the text, or None where the annotation is another."""
    try:
        found = decode(raw, Annotation).url_citation
    except msgspec.MsgspecError:
        return None
    if found is None:
        return None
    quoted = None
    if found.start_index is not None and found.end_index is not None:
        quoted = said[found.start_index : found.end_index] or None
    return Citation(raw, found.url, found.title, quoted)


def content_pieces(parts: list[Raw]) -> list[Piece]:
    """The text and the reasoning of a content list, as Mistral writes it."""
    pieces: list[Piece] = []
    for raw in parts:
        kind = decode(raw, Kind).type
        if kind in ("text", "output_text"):
            pieces.append(("text", decode(raw, TextPart).text))
        elif kind == "thinking":
            thinking = decode(raw, ThinkingPart).thinking
            texts = [thinking] if isinstance(thinking, str) else [part.text for part in thinking]
            pieces.append(("thinking", "".join(texts)))
    return pieces


class Arguments(msgspec.Struct):
    """Tool arguments as JSON text, and whether they were none before."""

    text: str
    repaired: bool = False


def valid_arguments(arguments: str | dict[str, Raw] | None) -> Arguments:
    """The arguments as the text of one object; what is none is kept as a string inside one."""
    if isinstance(arguments, dict):
        return Arguments(msgspec.json.encode(arguments).decode())
    if arguments is None or not arguments.strip() or arguments.strip() == "null":
        return Arguments("")
    if is_object(arguments):
        return Arguments(arguments)
    return Arguments(msgspec.json.encode({"_raw_arguments": arguments}).decode(), repaired=True)
