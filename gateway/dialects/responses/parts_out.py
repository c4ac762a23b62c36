"""Parts of messages and of tool results as Responses content (`ResponseInputContentParam`)."""

from gateway.dialect import Block, Crossing
from gateway.dialects.common.cache_marks import Marks
from gateway.dialects.common.passages import (
    decoded,
    mark_error,
    passage,
    picture_url,
    within,
    wrapped,
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

_PDF = "application/pdf"


def text_block(text: str) -> Block:
    """`ResponseInputTextParam`."""
    return {"type": "input_text", "text": text}


def parts_out(parts: list[Part], crossing: Crossing, marks: Marks) -> list[Block]:
    """The content of a user or system message, or of a tool's output."""
    out: list[Block] = []
    for part in parts:
        blocks = _blocks(part, crossing)
        if blocks:
            _mark(blocks[-1], getattr(part, "cache", None), crossing, marks)
        out += blocks
    return out


def _mark(block: Block, mark: CacheMark | None, crossing: Crossing, marks: Marks) -> None:
    if crossing.capability.cache == "breakpoints":  # the only form that this dialect has
        marks.put(block, mark, crossing)


def plain(blocks: list[Block]) -> bool:
    """Whether the blocks are texts without a mark, which a string says as well."""
    return all(block.keys() == {"type", "text"} for block in blocks)


def content(blocks: list[Block]) -> object:
    """One text as a string, which every server takes."""
    if len(blocks) == 1 and plain(blocks):
        return blocks[0]["text"]
    return blocks


def output(result: ToolResult, crossing: Crossing, marks: Marks) -> object:
    """The output of a tool: a string where it is text alone, else its parts."""
    blocks = parts_out(result.parts, crossing, marks)
    if result.is_error:
        mark_error(blocks, text_block)
    if not blocks and not crossing.capability.empty_tool_content:
        blocks = [text_block("(no output)")]
    if blocks:
        _mark(blocks[-1], result.cache, crossing, marks)
    if plain(blocks):
        return "\n".join(block["text"] for block in blocks)
    return blocks


def _blocks(part: Part, crossing: Crossing) -> list[Block]:
    match part:
        case Text() | ServerTool() | Refusal():
            return [text_block(part.text)] if part.text else []
        case Image():
            return _image(part, crossing)
        case Document():
            return _document(part, crossing)
        case SearchResult():
            return [text_block(passage(part))]
        case Opaque():
            crossing.notes.drop(f"messages.{part.type}", "unknown")
        case _:
            crossing.notes.drop(f"messages.{type(part).__name__.lower()}")
    return []


def _image(image: Image, crossing: Crossing) -> list[Block]:
    url = picture_url(image, crossing)
    return [{"type": "input_image", "image_url": url, "detail": "auto"}] if url is not None else []


def _document(document: Document, crossing: Crossing) -> list[Block]:
    notes = crossing.notes
    if document.cited:
        notes.drop("messages.document.citations")
    if document.text is not None:
        return [text_block(wrapped(document, document.text))]
    if document.parts is not None:
        inner = [block for part in document.parts for block in _blocks(part, crossing)]
        return within(document, inner, text_block)
    if document.file_id is not None:
        notes.drop("messages.document.source.file_id", "files_are_not_portable")
        return []
    if document.data is not None and (document.media_type or _PDF).startswith("text/"):
        return [text_block(wrapped(document, decoded(document, crossing)))]
    return [_file(document, crossing)]


def _file(document: Document, crossing: Crossing) -> Block:
    if crossing.capability.files == "none" or document.media_type not in (None, _PDF):
        crossing.notes.refuse_media("messages.document", "this provider takes no such file")
    if document.context:
        crossing.notes.drop("messages.document.context")
    if document.url is not None:
        return {"type": "input_file", "file_url": document.url}
    return {
        "type": "input_file",
        "filename": document.title or "document.pdf",
        "file_data": f"data:{_PDF};base64,{document.data}",
    }
