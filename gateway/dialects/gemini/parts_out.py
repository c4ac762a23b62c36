"""Neutral parts of user turns and tool results as parts of a Gemini request (`Part`)."""

import mimetypes
from collections.abc import Iterable
from urllib.parse import urlsplit

from gateway.dialect import Block, Conversion
from gateway.dialects.common.document_text import (
    decode_document,
    render_search_result,
    wrap_document,
    wrap_document_blocks,
)
from gateway.neutral.events import (
    Audio,
    Document,
    Image,
    Opaque,
    Part,
    Refusal,
    SearchResult,
    ServerTool,
    Text,
)

_PDF = "application/pdf"
_GOOGLE_HOSTS = ("generativelanguage.googleapis.com", "www.youtube.com", "youtube.com", "youtu.be")
"""Addresses that any Gemini model reads: uploaded files, and videos."""


def write_parts(parts: Iterable[Part], conversion: Conversion) -> list[Block]:
    """The parts, without those that say nothing or that this upstream does not take."""
    return [block for part in parts for block in _write_part(part, conversion)]


def write_text(text: str) -> list[Block]:
    """The text as a part; none where it is empty, which the API refuses."""
    return [_text_block(text)] if text else []


def _text_block(text: str) -> Block:
    return {"text": text}


def _write_part(part: Part, conversion: Conversion) -> list[Block]:
    match part:
        case Text() | Refusal() | ServerTool():
            return write_text(part.text)
        case Image():
            return _write_image(part, conversion)
        case Document():
            return _write_document(part, conversion)
        case Audio():
            return _write_audio(part, conversion)
        case SearchResult():
            return write_text(render_search_result(part))
        case Opaque():
            conversion.notes.drop(f"messages.{part.type}", "unknown")
        case _:
            conversion.notes.drop(f"messages.{type(part).__name__.lower()}")
    return []


def _write_inline_data(media_type: str, data: str) -> list[Block]:
    return [{"inlineData": {"mimeType": media_type, "data": data}}]


def _write_image(image: Image, conversion: Conversion) -> list[Block]:
    if not conversion.capability.images:
        conversion.notes.drop("messages.image", "unsupported_by_model")
        return []
    if image.data is not None:
        return _write_inline_data(image.media_type or "image/png", image.data)
    return _write_file_data(image.url, image.media_type, "image/jpeg", "messages.image", conversion)


def _write_audio(audio: Audio, conversion: Conversion) -> list[Block]:
    if audio.data is None or not conversion.capability.audio:
        conversion.notes.refuse_media("messages.input_audio", "this provider takes no such audio")
    return _write_inline_data(f"audio/{audio.format or 'wav'}", audio.data)


def _write_document(document: Document, conversion: Conversion) -> list[Block]:
    notes = conversion.notes
    if document.cited:
        notes.drop("messages.document.citations")
    if document.text is not None:
        return write_text(wrap_document(document, document.text))
    media_type = document.media_type or _PDF
    if document.parts is not None:
        return wrap_document_blocks(document, write_parts(document.parts, conversion), _text_block)
    if document.data is None:
        file = _write_file_data(
            document.url, document.media_type, _PDF, "messages.document", conversion
        )
    elif media_type.startswith("text/"):
        return write_text(wrap_document(document, decode_document(document, conversion)))
    else:
        file = _write_inline_data(media_type, document.data)
    if conversion.capability.files == "none":
        notes.refuse_media("messages.document", "this provider takes no such file")
    return (
        wrap_document_blocks(document, file, _text_block)
        if document.title or document.context
        else file
    )


def _write_file_data(
    url: str | None, media_type: str | None, otherwise: str, path: str, conversion: Conversion
) -> list[Block]:
    """A part by its address, which must say what it is."""
    notes = conversion.notes
    if url is None:
        notes.refuse_media(path, "a file of another provider cannot be read here")
    address = urlsplit(url)
    own = address.scheme == "gs" or address.hostname in _GOOGLE_HOSTS
    if not own and not conversion.capability.image_urls:
        notes.refuse_media(path, "this provider takes base64 data only")
    label = media_type or mimetypes.guess_type(address.path)[0]
    if label is None and not own:
        notes.note(f"{path}.media_type", f"taken_for_{otherwise}")
        label = otherwise
    data = {"fileUri": url} | ({"mimeType": label} if label else {})
    return [{"fileData": data}]
