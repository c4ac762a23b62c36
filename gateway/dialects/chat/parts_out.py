"""Parts of user turns and tool results as Chat content (`ChatCompletionContentPartParam`)."""

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


def parts_out(parts: list[Part], crossing: Crossing, marks: Marks | None) -> list[Block]:
    """The parts of a user or system message."""
    out: list[Block] = []
    for part in parts:
        blocks = _blocks(part, crossing)
        if blocks and marks is not None:
            marks.put(blocks[-1], getattr(part, "cache", None), crossing)
        out += blocks
    return out


def _blocks(part: Part, crossing: Crossing) -> list[Block]:
    match part:
        case Text():
            return [text_block(part.text)] if part.text else []
        case Image():
            return _image(part, crossing)
        case Document():
            return _document(part, crossing)
        case Audio():
            return _audio(part, crossing)
        case SearchResult():
            return [text_block(passage(part))]
        case ServerTool() | Refusal():
            return [text_block(part.text)] if part.text else []
        case Opaque():
            crossing.notes.drop(f"messages.{part.type}", "unknown")
        case _:
            crossing.notes.drop(f"messages.{type(part).__name__.lower()}")
    return []


def _image(image: Image, crossing: Crossing) -> list[Block]:
    url = picture_url(image, crossing)
    return [{"type": "image_url", "image_url": {"url": url}}] if url is not None else []


def _audio(audio: Audio, crossing: Crossing) -> list[Block]:
    if audio.data is None or not crossing.capability.audio:
        crossing.notes.refuse_media("messages.input_audio", "this provider takes no such audio")
    sound = {"data": audio.data, "format": audio.format or "wav"}
    return [{"type": "input_audio", "input_audio": sound}]


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
    if document.data is None:
        notes.refuse_media("messages.document.source.url", "this provider takes document data only")
    if (document.media_type or _PDF).startswith("text/"):
        return [text_block(wrapped(document, decoded(document, crossing)))]
    if document.media_type not in (None, _PDF) or crossing.capability.files == "none":
        notes.refuse_media("messages.document", "this provider takes no such file")
    if document.context:
        notes.drop("messages.document.context")
    file = {
        "filename": document.title or "document.pdf",
        "file_data": f"data:{_PDF};base64,{document.data}",
    }
    return [{"type": "file", "file": file}]


def result_out(
    result: ToolResult, shown: int, crossing: Crossing, marks: Marks
) -> tuple[object, list[Block]]:
    """A tool message's content, and what of it a user message must show after `shown` others."""
    capability = crossing.capability
    blocks: list[Block] = []
    pictures: list[Block] = []
    for block in parts_out(
        result.parts, crossing, marks if capability.tool_content_array else None
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
        marks.put(blocks[-1], result.cache, crossing)
    plain = all(block["type"] == "text" for block in blocks)
    if plain and not capability.tool_content_array:
        return "\n".join(block["text"] for block in blocks), pictures
    return blocks or "", pictures
