"""Neutral parts of user turns and tool results as parts of a Gemini request (`Part`)."""

import mimetypes
from collections.abc import Iterable
from urllib.parse import urlsplit

from gateway.dialect import Block, Crossing
from gateway.dialects.common.passages import decoded, passage, within, wrapped
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
_OWN_HOSTS = ("generativelanguage.googleapis.com", "www.youtube.com", "youtube.com", "youtu.be")
"""Addresses that any Gemini model reads: uploaded files, and videos."""


def parts_out(parts: Iterable[Part], crossing: Crossing) -> list[Block]:
    """The parts, without those that say nothing or that this upstream does not take."""
    return [block for part in parts for block in _blocks(part, crossing)]


def text_part(text: str) -> list[Block]:
    """The text as a part; none where it is empty, which the API refuses."""
    return [_text(text)] if text else []


def _text(text: str) -> Block:
    return {"text": text}


def _blocks(part: Part, crossing: Crossing) -> list[Block]:
    match part:
        case Text() | Refusal() | ServerTool():
            return text_part(part.text)
        case Image():
            return _image(part, crossing)
        case Document():
            return _document(part, crossing)
        case Audio():
            return _audio(part, crossing)
        case SearchResult():
            return text_part(passage(part))
        case Opaque():
            crossing.notes.drop(f"messages.{part.type}", "unknown")
        case _:
            crossing.notes.drop(f"messages.{type(part).__name__.lower()}")
    return []


def _inline(media_type: str, data: str) -> list[Block]:
    return [{"inlineData": {"mimeType": media_type, "data": data}}]


def _image(image: Image, crossing: Crossing) -> list[Block]:
    if not crossing.capability.images:
        crossing.notes.drop("messages.image", "unsupported_by_model")
        return []
    if image.data is not None:
        return _inline(image.media_type or "image/png", image.data)
    return _file(image.url, image.media_type, "image/jpeg", "messages.image", crossing)


def _audio(audio: Audio, crossing: Crossing) -> list[Block]:
    if audio.data is None or not crossing.capability.audio:
        crossing.notes.refuse_media("messages.input_audio", "this provider takes no such audio")
    return _inline(f"audio/{audio.format or 'wav'}", audio.data)


def _document(document: Document, crossing: Crossing) -> list[Block]:
    notes = crossing.notes
    if document.cited:
        notes.drop("messages.document.citations")
    if document.text is not None:
        return text_part(wrapped(document, document.text))
    media_type = document.media_type or _PDF
    if document.parts is not None:
        return within(document, parts_out(document.parts, crossing), _text)
    if document.data is None:
        file = _file(document.url, document.media_type, _PDF, "messages.document", crossing)
    elif media_type.startswith("text/"):
        return text_part(wrapped(document, decoded(document, crossing)))
    else:
        file = _inline(media_type, document.data)
    if crossing.capability.files == "none":
        notes.refuse_media("messages.document", "this provider takes no such file")
    return within(document, file, _text) if document.title or document.context else file


def _file(
    url: str | None, media_type: str | None, otherwise: str, path: str, crossing: Crossing
) -> list[Block]:
    """A part by its address, which must say what it is."""
    notes = crossing.notes
    if url is None:
        notes.refuse_media(path, "a file of another provider cannot be read here")
    address = urlsplit(url)
    own = address.scheme == "gs" or address.hostname in _OWN_HOSTS
    if not own and not crossing.capability.image_urls:
        notes.refuse_media(path, "this provider takes base64 data only")
    label = media_type or mimetypes.guess_type(address.path)[0]
    if label is None and not own:
        notes.note(f"{path}.media_type", f"taken_for_{otherwise}")
        label = otherwise
    data = {"fileUri": url} | ({"mimeType": label} if label else {})
    return [{"fileData": data}]
