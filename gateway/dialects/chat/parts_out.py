"""Parts of user turns and tool results as Chat content (`ChatCompletionContentPartParam`)."""

from gateway.dialect import Block, Conversion
from gateway.dialects.common.cache_marks import CacheMarks
from gateway.dialects.common.document_text import (
    decode_document,
    mark_error,
    render_search_result,
    wrap_document,
    wrap_document_blocks,
    write_image_url,
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
    ToolResult,
)

_PDF = "application/pdf"


def text_block(text: str) -> Block:
    """`ChatCompletionContentPartTextParam`."""
    return {"type": "text", "text": text}


def write_parts(parts: list[Part], conversion: Conversion, marks: CacheMarks | None) -> list[Block]:
    """The parts of a user or system message."""
    out: list[Block] = []
    for part in parts:
        blocks = _write_part(part, conversion)
        if blocks and marks is not None:
            marks.add_mark(blocks[-1], getattr(part, "cache", None), conversion)
        out += blocks
    return out


def _write_part(part: Part, conversion: Conversion) -> list[Block]:
    match part:
        case Text():
            return [text_block(part.text)] if part.text else []
        case Image():
            return _write_image(part, conversion)
        case Document():
            return _write_document(part, conversion)
        case Audio():
            return _write_audio(part, conversion)
        case SearchResult():
            return [text_block(render_search_result(part))]
        case ServerTool() | Refusal():
            return [text_block(part.text)] if part.text else []
        case Opaque():
            conversion.notes.drop(f"messages.{part.type}", "unknown")
        case _:
            conversion.notes.drop(f"messages.{type(part).__name__.lower()}")
    return []


def _write_image(image: Image, conversion: Conversion) -> list[Block]:
    url = write_image_url(image, conversion)
    return [{"type": "image_url", "image_url": {"url": url}}] if url is not None else []


def _write_audio(audio: Audio, conversion: Conversion) -> list[Block]:
    if audio.data is None or not conversion.capability.audio:
        conversion.notes.refuse_media("messages.input_audio", "this provider takes no such audio")
    sound = {"data": audio.data, "format": audio.format or "wav"}
    return [{"type": "input_audio", "input_audio": sound}]


def _write_document(document: Document, conversion: Conversion) -> list[Block]:
    notes = conversion.notes
    if document.cited:
        notes.drop("messages.document.citations")
    if document.text is not None:
        return [text_block(wrap_document(document, document.text))]
    if document.parts is not None:
        inner = [block for part in document.parts for block in _write_part(part, conversion)]
        return wrap_document_blocks(document, inner, text_block)
    if document.file_id is not None:
        notes.drop("messages.document.source.file_id", "files_are_not_portable")
        return []
    if document.data is None:
        notes.refuse_media("messages.document.source.url", "this provider takes document data only")
    if (document.media_type or _PDF).startswith("text/"):
        return [text_block(wrap_document(document, decode_document(document, conversion)))]
    if document.media_type not in (None, _PDF) or conversion.capability.files == "none":
        notes.refuse_media("messages.document", "this provider takes no such file")
    if document.context:
        notes.drop("messages.document.context")
    file = {
        "filename": document.title or "document.pdf",
        "file_data": f"data:{_PDF};base64,{document.data}",
    }
    return [{"type": "file", "file": file}]


def write_tool_result(
    result: ToolResult, shown: int, conversion: Conversion, marks: CacheMarks
) -> tuple[object, list[Block]]:
    """A tool message's content, and what of it a user message must show after `shown` others."""
    capability = conversion.capability
    blocks: list[Block] = []
    pictures: list[Block] = []
    for block in write_parts(
        result.parts, conversion, marks if capability.tool_content_array else None
    ):
        if block["type"] == "text" or capability.tool_images:
            blocks.append(block)
            continue
        pictures.append(block)
        kind = "image" if block["type"] == "image_url" else "file"
        place = f"[{kind} {shown + len(pictures)} attached in the next user message]"
        blocks.append(text_block(place))
    if result.is_error:
        mark_error(blocks, text_block)
    if not blocks and not capability.empty_tool_content:
        blocks = [text_block("(no output)")]
    if blocks and result.cache is not None and capability.tool_content_array:
        marks.add_mark(blocks[-1], result.cache, conversion)
    plain = all(block["type"] == "text" for block in blocks)
    if plain and not capability.tool_content_array:
        return "\n".join(block["text"] for block in blocks), pictures
    return blocks or "", pictures
