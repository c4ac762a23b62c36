"""Parts of user turns and tool results as content of a request, in the blocks of each dialect."""

from abc import ABC, abstractmethod

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

PDF = "application/pdf"


class ContentForm(ABC):
    """Writes parts; a dialect defines the blocks of texts, images, sounds and files."""

    @abstractmethod
    def write_text(self, text: str) -> Block:
        """The block of a text that is not empty."""

    @abstractmethod
    def write_image(self, image: Image, conversion: Conversion) -> list[Block]:
        """The block of an image; empty, with a note, if the model takes none. UnusableMedia."""

    @abstractmethod
    def write_file(self, document: Document, conversion: Conversion) -> list[Block]:
        """The blocks of a document that is not text. UnusableMedia where it cannot be sent."""

    def write_audio(self, audio: Audio, conversion: Conversion) -> list[Block]:
        """The block of a sound; by default it is dropped with a note."""
        conversion.notes.drop("messages.audio")
        return []

    def write_part(self, part: Part, conversion: Conversion) -> list[Block]:
        """The blocks of a part; empty for an empty text and for what the dialect cannot carry."""
        match part:
            case Text() | ServerTool() | Refusal():
                return [self.write_text(part.text)] if part.text else []
            case Image():
                return self.write_image(part, conversion)
            case Document():
                return self._write_document(part, conversion)
            case Audio():
                return self.write_audio(part, conversion)
            case SearchResult():
                return [self.write_text(render_search_result(part))]
            case Opaque():
                conversion.notes.drop(f"messages.{part.type}", "unknown")
            case _:
                conversion.notes.drop(f"messages.{type(part).__name__.lower()}")
        return []

    def _write_document(self, document: Document, conversion: Conversion) -> list[Block]:
        if document.cited:
            conversion.notes.drop("messages.document.citations")
        if document.text is not None:
            return [self.write_text(wrap_document(document, document.text))]
        if document.parts is not None:
            inner = [
                block for part in document.parts for block in self.write_part(part, conversion)
            ]
            return wrap_document_blocks(document, inner, self.write_text)
        if document.data is not None and (document.media_type or PDF).startswith("text/"):
            return [self.write_text(wrap_document(document, decode_document(document, conversion)))]
        return self.write_file(document, conversion)


def read_audio(audio: Audio, conversion: Conversion) -> tuple[str, str]:
    """The base64 data and the format. UnusableMedia where there is no data, or no model for it."""
    if audio.data is None or not conversion.capability.audio:
        conversion.notes.refuse_media("messages.input_audio", "this provider takes no such audio")
    return audio.data, audio.format or "wav"


def drop_file_id(document: Document, conversion: Conversion) -> bool:
    """Whether the document is a file of another provider, which is dropped with a note."""
    if document.file_id is None:
        return False
    conversion.notes.drop("messages.document.source.file_id", "files_are_not_portable")
    return True


def write_pdf(document: Document, conversion: Conversion) -> Block:
    """`filename` and `file_data`. UnusableMedia for another type, or a model without files."""
    if document.media_type not in (None, PDF) or conversion.capability.files == "none":
        conversion.notes.refuse_media("messages.document", "this provider takes no such file")
    if document.context:
        conversion.notes.drop("messages.document.context")
    return {
        "filename": document.title or "document.pdf",
        "file_data": f"data:{PDF};base64,{document.data}",
    }
