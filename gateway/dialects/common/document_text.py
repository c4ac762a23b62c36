"""Documents and search results as plain text, for upstreams that have no part for them."""

import base64
import binascii
from collections.abc import Callable

from gateway.dialect import Block, Conversion
from gateway.neutral.events import Document, Image, SearchResult, Text

_CLOSING_TAG = "</document>"


def decode_document(document: Document, conversion: Conversion) -> str:
    """The text of a base64 document of a text type. UnusableMedia if it is not base64."""
    try:
        return base64.b64decode(document.data or "").decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        conversion.notes.refuse_media("messages.document.source.data", "is not base64")
        raise


def wrap_document(document: Document, text: str) -> str:
    """The text of a document in a tag with its title and context."""
    return f"{_render_opening_tag(document)}\n{text}\n{_CLOSING_TAG}"


def wrap_document_blocks(
    document: Document, inner: list[Block], text_block: Callable[[str], Block]
) -> list[Block]:
    """The blocks of a document between an opening and a closing tag."""
    return [text_block(_render_opening_tag(document)), *inner, text_block(_CLOSING_TAG)]


def _render_opening_tag(document: Document) -> str:
    told = (("title", document.title), ("context", document.context))
    attributes = "".join(f' {name}="{value}"' for name, value in told if value)
    return f"<document{attributes}>"


def mark_error(blocks: list[Block], text_block: Callable[[str], Block]) -> None:
    """Marks a result as an error in its text, for dialects that have no flag for it."""
    if not blocks:
        blocks.append(text_block("Error"))
    elif "text" not in blocks[0]:
        blocks.insert(0, text_block("Error:"))
    elif not blocks[0]["text"].lower().startswith("error"):
        blocks[0]["text"] = "Error: " + blocks[0]["text"]


def render_search_result(found: SearchResult) -> str:
    """The text of a search result in a tag with its source and title."""
    text = "\n".join(part.text for part in found.parts if isinstance(part, Text))
    return (
        f'<search_result source="{found.source}" title="{found.title}">\n{text}\n</search_result>'
    )


def write_image_url(image: Image, conversion: Conversion) -> str | None:
    """The URL of an image, or a data URL; None, with a note, if it is left out. UnusableMedia."""
    capability, notes = conversion.capability, conversion.notes
    if not capability.images:
        notes.drop("messages.image", "unsupported_by_model")
        return None
    if image.data is not None:
        return f"data:{image.media_type or 'image/png'};base64,{image.data}"
    if image.url is None:
        notes.drop("messages.image.source.file_id", "files_are_not_portable")
    elif not capability.image_urls:
        notes.refuse_media("messages.image.source.url", "this provider takes image data only")
    return image.url
