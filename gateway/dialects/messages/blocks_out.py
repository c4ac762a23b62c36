"""Neutral parts as content blocks of a Messages request (`ContentBlockParam`)."""

import base64
import binascii

from msgspec import Raw

from gateway.dialect import Block, Crossing
from gateway.dialects.common.arguments import arguments
from gateway.dialects.common.names import tool_id
from gateway.dialects.messages import keys
from gateway.neutral.events import (
    Audio,
    CacheMark,
    Document,
    Image,
    Opaque,
    Part,
    Redacted,
    Refusal,
    SearchResult,
    ServerTool,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from gateway.neutral.seal import PREFIX

_PICTURES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_MAGIC = {
    "iVBORw0KGgo": "image/png",
    "/9j/": "image/jpeg",
    "R0lGOD": "image/gif",
    "UklGR": "image/webp",
    "JVBERi0": "application/pdf",
}
"""First base64 characters of what the API takes, whatever the label says."""


def blocks(parts: list[Part], path: str, crossing: Crossing) -> list[Block]:
    """The blocks of the parts, without those that say nothing or that this upstream refuses."""
    return [
        block
        for at, part in enumerate(parts)
        if (block := _block(part, f"{path}.{at}", crossing)) is not None
    ]


def _block(part: Part, path: str, crossing: Crossing) -> Block | None:
    match part:
        case Text():
            return text_block(part.text, part.cache)
        case ToolCall():
            return _tool_use(part, path, crossing)
        case ToolResult():
            return _tool_result(part, path, crossing)
        case Image():
            return _image(part, path, crossing)
        case Document():
            return _document(part, path, crossing)
        case Thinking() | Redacted():
            return _reasoning(part, path, crossing)
        case SearchResult():
            inner = blocks(part.parts, f"{path}.content", crossing)
            block = {"type": "search_result", "source": part.source, "title": part.title}
            return _marked({**block, "content": inner}, part.cache)
        case Refusal() | ServerTool():
            return text_block(part.text)
        case Audio():
            crossing.notes.refuse_media(path, "audio is not available from this provider")
            return None
        case Opaque():
            return _opaque(part, path, crossing)


def text_block(text: str, cache: CacheMark | None = None) -> Block | None:
    """A `TextBlockParam`, or None: the API refuses text that is only whitespace."""
    return _marked({"type": "text", "text": text}, cache) if text.strip() else None


def _marked(block: Block, cache: CacheMark | None) -> Block:
    if cache is not None:
        block["cache_control"] = control(cache)
    return block


def control(cache: CacheMark) -> dict[str, str]:
    """A `CacheControlEphemeralParam`."""
    return {"type": "ephemeral"} | ({"ttl": cache.ttl} if cache.ttl else {})


def _opaque(part: Opaque, path: str, crossing: Crossing) -> Block | None:
    crossing.notes.drop(path, f"unknown_part_{part.type}")
    return None


def _tool_use(part: ToolCall, path: str, crossing: Crossing) -> Block:
    block = {
        "type": "tool_use",
        "id": tool_id(part.id, "messages"),
        "name": crossing.names.sent(part.name),
        "input": {"input": part.arguments} if part.custom else arguments(part.arguments),
    }
    if crossing.keys and isinstance(block["input"], Raw):
        block["input"] = keys.sent(block["input"], part.name, crossing)
    if isinstance(block["input"], dict) and "_raw_arguments" in block["input"]:
        crossing.notes.note(f"{path}.arguments", "invalid_json_kept_as_text")
    return _marked(block, part.cache)


def _tool_result(part: ToolResult, path: str, crossing: Crossing) -> Block:
    block: Block = {"type": "tool_result", "tool_use_id": tool_id(part.call_id, "messages")}
    content = blocks(part.parts, f"{path}.content", crossing)
    if len(content) == 1 and content[0].keys() == {"type", "text"}:
        block["content"] = content[0]["text"]
    elif content:
        block["content"] = content
    if part.is_error:
        block["is_error"] = True
    return _marked(block, part.cache)


def _sniffed(data: str) -> str | None:
    return next((label for magic, label in _MAGIC.items() if data.startswith(magic)), None)


def _image(part: Image, path: str, crossing: Crossing) -> Block | None:
    if not crossing.capability.images:
        crossing.notes.drop(path, "images_unsupported")
        return None
    if part.data is None:
        return _marked({"type": "image", "source": _by_url(part, path, crossing)}, part.cache)
    label = _sniffed(part.data) or part.media_type
    if label == "application/pdf":
        return _document(Document(label, part.data, cache=part.cache), path, crossing)
    if label not in _PICTURES:
        crossing.notes.refuse_media(path, f"media type '{label}' is not one of {sorted(_PICTURES)}")
    if label != part.media_type:
        crossing.notes.note(f"{path}.media_type", "corrected_from_content")
    source = {"type": "base64", "media_type": label, "data": part.data}
    return _marked({"type": "image", "source": source}, part.cache)


def _by_url(part: Image | Document, path: str, crossing: Crossing) -> dict[str, str]:
    if part.url is None:
        crossing.notes.refuse_media(path, "a file of another provider cannot be read here")
        return {}
    if isinstance(part, Image) and not crossing.capability.image_urls:
        crossing.notes.refuse_media(path, "this provider takes images as base64 data only")
    return {"type": "url", "url": part.url}


def _document(part: Document, path: str, crossing: Crossing) -> Block | None:
    block: Block = {"type": "document", "source": _source(part, path, crossing)}
    if part.title:
        block["title"] = part.title
    if part.context:
        block["context"] = part.context
    if part.cited:
        block["citations"] = {"enabled": True}
    return _marked(block, part.cache)


def _source(part: Document, path: str, crossing: Crossing) -> Block:
    if part.parts is not None:
        return {
            "type": "content",
            "content": blocks(part.parts, f"{path}.source.content", crossing),
        }
    text = part.text if part.text is not None else _plain(part)
    if text is not None:
        return {"type": "text", "media_type": "text/plain", "data": text}
    if part.data is None:
        return _by_url(part, path, crossing)
    label = _sniffed(part.data) or part.media_type
    if label != "application/pdf":
        crossing.notes.refuse_media(
            path, f"files of type '{label}' are not available from this provider"
        )
    if crossing.capability.files == "none":
        crossing.notes.refuse_media(path, "this provider takes no files")
    return {"type": "base64", "media_type": "application/pdf", "data": part.data}


def _plain(part: Document) -> str | None:
    """The text of a document that came as base64 of some text type."""
    if part.data is None or not (part.media_type or "").startswith("text/"):
        return None
    try:
        return base64.b64decode(part.data, validate=True).decode()
    except (binascii.Error, ValueError):
        return None


def _reasoning(part: Thinking | Redacted, path: str, crossing: Crossing) -> Block | None:
    """A reasoning block that this upstream minted; it answers 400 to any other."""
    own = minted(part, crossing)
    if own is None:
        crossing.notes.note(path, "foreign_reasoning_dropped")
        return None
    if isinstance(part, Thinking):
        return {"type": "thinking", "thinking": part.text, "signature": own}
    sealed = crossing.unsealed(part.data)
    if sealed is not None and sealed.kind == "signature":
        # of thinking that was not shown: some clients carry it without the empty text
        return {"type": "thinking", "thinking": "", "signature": own}
    return {"type": "redacted_thinking", "data": own}


def minted(part: Thinking | Redacted, crossing: Crossing) -> str | None:
    """The upstream's own signature or data, where it minted what the client replays."""
    blob = part.signature if isinstance(part, Thinking) else part.data
    if not blob:
        return None
    if blob.startswith(PREFIX):
        sealed = crossing.unsealed(blob)
        return sealed.data if sealed is not None and sealed.kind != "text" else None
    return blob if part.origin == "messages" else None
