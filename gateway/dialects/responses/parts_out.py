"""Parts of messages and of tool results as Responses content (`ResponseInputContentParam`)."""

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
    CacheMark,
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

_PDF_TYPE = "application/pdf"


def write_text(text: str) -> Block:
    """`ResponseInputTextParam`."""
    return {"type": "input_text", "text": text}


def write_parts(parts: list[Part], conversion: Conversion, marks: CacheMarks) -> list[Block]:
    """The content of a user or system message, or of a tool's output."""
    out: list[Block] = []
    for part in parts:
        blocks = _write_part(part, conversion)
        if blocks:
            _add_mark(blocks[-1], getattr(part, "cache", None), conversion, marks)
        out += blocks
    return out


def _add_mark(
    block: Block, mark: CacheMark | None, conversion: Conversion, marks: CacheMarks
) -> None:
    if conversion.capability.cache == "breakpoints":  # the only form that this dialect has
        marks.add_mark(block, mark, conversion)


def is_plain_text(blocks: list[Block]) -> bool:
    """Whether the blocks are texts without a mark, which a plain string can replace."""
    return all(block.keys() == {"type", "text"} for block in blocks)


def write_content(blocks: list[Block]) -> object:
    """One text as a string, which every server takes."""
    if len(blocks) == 1 and is_plain_text(blocks):
        return blocks[0]["text"]
    return blocks


def write_tool_result(result: ToolResult, conversion: Conversion, marks: CacheMarks) -> object:
    """The output of a tool: a string where it is text alone, else its parts."""
    blocks = write_parts(result.parts, conversion, marks)
    if result.is_error:
        mark_error(blocks, write_text)
    if not blocks and not conversion.capability.empty_tool_content:
        blocks = [write_text("(no output)")]
    if blocks:
        _add_mark(blocks[-1], result.cache, conversion, marks)
    if is_plain_text(blocks):
        return "\n".join(block["text"] for block in blocks)
    return blocks


def _write_part(part: Part, conversion: Conversion) -> list[Block]:
    match part:
        case Text() | ServerTool() | Refusal():
            return [write_text(part.text)] if part.text else []
        case Image():
            return _write_image(part, conversion)
        case Document():
            return _write_document(part, conversion)
        case SearchResult():
            return [write_text(render_search_result(part))]
        case Opaque():
            conversion.notes.drop(f"messages.{part.type}", "unknown")
        case _:
            conversion.notes.drop(f"messages.{type(part).__name__.lower()}")
    return []


def _write_image(image: Image, conversion: Conversion) -> list[Block]:
    url = write_image_url(image, conversion)
    return [{"type": "input_image", "image_url": url, "detail": "auto"}] if url is not None else []


def _write_document(document: Document, conversion: Conversion) -> list[Block]:
    notes = conversion.notes
    if document.cited:
        notes.drop("messages.document.citations")
    if document.text is not None:
        return [write_text(wrap_document(document, document.text))]
    if document.parts is not None:
        inner = [block for part in document.parts for block in _write_part(part, conversion)]
        return wrap_document_blocks(document, inner, write_text)
    if document.file_id is not None:
        notes.drop("messages.document.source.file_id", "files_are_not_portable")
        return []
    if document.data is not None and (document.media_type or _PDF_TYPE).startswith("text/"):
        return [write_text(wrap_document(document, decode_document(document, conversion)))]
    return [_write_file(document, conversion)]


def _write_file(document: Document, conversion: Conversion) -> Block:
    if conversion.capability.files == "none" or document.media_type not in (None, _PDF_TYPE):
        conversion.notes.refuse_media("messages.document", "this provider takes no such file")
    if document.context:
        conversion.notes.drop("messages.document.context")
    if document.url is not None:
        return {"type": "input_file", "file_url": document.url}
    return {
        "type": "input_file",
        "filename": document.title or "document.pdf",
        "file_data": f"data:{_PDF_TYPE};base64,{document.data}",
    }
