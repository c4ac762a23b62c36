"""Parts of messages and of tool results as Responses content (`ResponseInputContentParam`)."""

from gateway.dialect import Block, Conversion
from gateway.dialects.common.cache_marks import CacheMarks
from gateway.dialects.common.content import ContentForm, drop_file_id, write_pdf
from gateway.dialects.common.document_text import mark_error, write_image_url
from gateway.neutral.events import CacheMark, Document, Image, Part, ToolResult


class _ResponsesContent(ContentForm):
    """`ResponseInputContentParam`."""

    def write_text(self, text: str) -> Block:
        return {"type": "input_text", "text": text}

    def write_image(self, image: Image, conversion: Conversion) -> list[Block]:
        url = write_image_url(image, conversion)
        if url is None:
            return []
        return [{"type": "input_image", "image_url": url, "detail": "auto"}]

    def write_file(self, document: Document, conversion: Conversion) -> list[Block]:
        if drop_file_id(document, conversion):
            return []
        file = write_pdf(document, conversion)
        if document.url is not None:
            file = {"file_url": document.url}
        return [{"type": "input_file"} | file]


_CONTENT = _ResponsesContent()
write_text = _CONTENT.write_text


def write_parts(parts: list[Part], conversion: Conversion, marks: CacheMarks) -> list[Block]:
    """The content of a user or system message, or of a tool's output."""
    out: list[Block] = []
    for part in parts:
        blocks = _CONTENT.write_part(part, conversion)
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
