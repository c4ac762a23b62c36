"""Parts of user turns and tool results as Chat content (`ChatCompletionContentPartParam`)."""

from gateway.dialect import Block, Conversion
from gateway.dialects.common.cache_marks import CacheMarks
from gateway.dialects.common.content import ContentForm, drop_file_id, read_audio, write_pdf
from gateway.dialects.common.document_text import mark_error, write_image_url
from gateway.neutral.events import Audio, Document, Image, Part, ToolResult


class _ChatContent(ContentForm):
    """`ChatCompletionContentPartParam`."""

    def write_text(self, text: str) -> Block:
        return {"type": "text", "text": text}

    def write_image(self, image: Image, conversion: Conversion) -> list[Block]:
        url = write_image_url(image, conversion)
        return [{"type": "image_url", "image_url": {"url": url}}] if url is not None else []

    def write_audio(self, audio: Audio, conversion: Conversion) -> list[Block]:
        data, format = read_audio(audio, conversion)
        return [{"type": "input_audio", "input_audio": {"data": data, "format": format}}]

    def write_file(self, document: Document, conversion: Conversion) -> list[Block]:
        if drop_file_id(document, conversion):
            return []
        if document.data is None:
            conversion.notes.refuse_media(
                "messages.document.source.url", "this provider takes document data only"
            )
        return [{"type": "file", "file": write_pdf(document, conversion)}]


_CONTENT = _ChatContent()


def write_parts(parts: list[Part], conversion: Conversion, marks: CacheMarks | None) -> list[Block]:
    """The parts of a user or system message."""
    out: list[Block] = []
    for part in parts:
        blocks = _CONTENT.write_part(part, conversion)
        if blocks and marks is not None:
            marks.add_mark(blocks[-1], getattr(part, "cache", None), conversion)
        out += blocks
    return out


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
        blocks.append(_CONTENT.write_text(place))
    if result.is_error:
        mark_error(blocks, _CONTENT.write_text)
    if not blocks and not capability.empty_tool_content:
        blocks = [_CONTENT.write_text("(no output)")]
    if blocks and result.cache is not None and capability.tool_content_array:
        marks.add_mark(blocks[-1], result.cache, conversion)
    plain = all(block["type"] == "text" for block in blocks)
    if plain and not capability.tool_content_array:
        return "\n".join(block["text"] for block in blocks), pictures
    return blocks or "", pictures
