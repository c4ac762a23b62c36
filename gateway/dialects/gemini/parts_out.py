"""Neutral parts of user turns and tool results as parts of a Gemini request (`Part`)."""

import mimetypes
from collections.abc import Iterable
from urllib.parse import urlsplit

from gateway.dialect import Block, Conversion
from gateway.dialects.common.content import PDF, ContentForm, read_audio
from gateway.dialects.common.document_text import wrap_document_blocks
from gateway.neutral.events import Audio, Document, Image, Part

_GOOGLE_HOSTS = ("generativelanguage.googleapis.com", "www.youtube.com", "youtube.com", "youtu.be")
"""Addresses that any Gemini model reads: uploaded files, and videos."""


class _GeminiContent(ContentForm):
    """`Part`: `text`, `inlineData` or `fileData`."""

    def write_text(self, text: str) -> Block:
        return {"text": text}

    def write_image(self, image: Image, conversion: Conversion) -> list[Block]:
        if not conversion.capability.images:
            conversion.notes.drop("messages.image", "unsupported_by_model")
            return []
        if image.data is not None:
            return _write_inline_data(image.media_type or "image/png", image.data)
        return _write_file_data(
            image.url, image.media_type, "image/jpeg", "messages.image", conversion
        )

    def write_audio(self, audio: Audio, conversion: Conversion) -> list[Block]:
        data, format = read_audio(audio, conversion)
        return _write_inline_data(f"audio/{format}", data)

    def write_file(self, document: Document, conversion: Conversion) -> list[Block]:
        if document.data is None:
            file = _write_file_data(
                document.url, document.media_type, PDF, "messages.document", conversion
            )
        else:
            file = _write_inline_data(document.media_type or PDF, document.data)
        if conversion.capability.files == "none":
            conversion.notes.refuse_media("messages.document", "this provider takes no such file")
        if not document.title and not document.context:
            return file
        return wrap_document_blocks(document, file, self.write_text)


_CONTENT = _GeminiContent()


def write_parts(parts: Iterable[Part], conversion: Conversion) -> list[Block]:
    """The parts; those that are empty or that this upstream does not take are left out."""
    return [block for part in parts for block in _CONTENT.write_part(part, conversion)]


def _write_inline_data(media_type: str, data: str) -> list[Block]:
    return [{"inlineData": {"mimeType": media_type, "data": data}}]


def _write_file_data(
    url: str | None, media_type: str | None, otherwise: str, path: str, conversion: Conversion
) -> list[Block]:
    """A part with the address of a file and its media type, which the API requires."""
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
