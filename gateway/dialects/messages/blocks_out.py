"""Neutral parts as content blocks of a Messages request (`ContentBlockParam`)."""

import base64
import binascii

from msgspec import Raw

from gateway.dialect import Block, Conversion
from gateway.dialects.common.arguments import write_arguments_object
from gateway.dialects.common.media import sniff_media_type
from gateway.dialects.common.names import adapt_tool_id
from gateway.dialects.messages import input_keys as keys
from gateway.dialects.messages.answer import ORIGIN
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

_IMAGE_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})


def write_blocks(parts: list[Part], path: str, conversion: Conversion) -> list[Block]:
    """The blocks of the parts; empty ones and those that this upstream refuses are left out."""
    return [
        block
        for at, part in enumerate(parts)
        if (block := _write_block(part, f"{path}.{at}", conversion)) is not None
    ]


def _write_block(part: Part, path: str, conversion: Conversion) -> Block | None:
    match part:
        case Text():
            return write_text(part.text, part.cache)
        case ToolCall():
            return _write_tool_use(part, path, conversion)
        case ToolResult():
            return _write_tool_result(part, path, conversion)
        case Image():
            return _write_image(part, path, conversion)
        case Document():
            return _write_document(part, path, conversion)
        case Thinking() | Redacted():
            return _write_reasoning_block(part, path, conversion)
        case SearchResult():
            inner = write_blocks(part.parts, f"{path}.content", conversion)
            block = {"type": "search_result", "source": part.source, "title": part.title}
            return _add_cache_mark({**block, "content": inner}, part.cache)
        case Refusal() | ServerTool():
            return write_text(part.text)
        case Audio():
            conversion.notes.refuse_media(path, "audio is not available from this provider")
            return None
        case Opaque():
            conversion.notes.drop(path, f"unknown_part_{part.type}")
            return None


def write_text(text: str, cache: CacheMark | None = None) -> Block | None:
    """A `TextBlockParam`, or None: the API refuses text that is only whitespace."""
    return _add_cache_mark({"type": "text", "text": text}, cache) if text.strip() else None


def _add_cache_mark(block: Block, cache: CacheMark | None) -> Block:
    if cache is not None:
        block["cache_control"] = write_cache_control(cache)
    return block


def write_cache_control(cache: CacheMark) -> dict[str, str]:
    """A `CacheControlEphemeralParam`."""
    return {"type": "ephemeral"} | ({"ttl": cache.ttl} if cache.ttl else {})


def _write_tool_use(part: ToolCall, path: str, conversion: Conversion) -> Block:
    block = {
        "type": "tool_use",
        "id": adapt_tool_id(part.id, "messages"),
        "name": conversion.names.to_upstream(part.name),
        "input": {"input": part.arguments}
        if part.custom
        else write_arguments_object(part.arguments),
    }
    if conversion.keys and isinstance(block["input"], Raw):
        block["input"] = keys.adapt_arguments(block["input"], part.name, conversion)
    if isinstance(block["input"], dict) and "_raw_arguments" in block["input"]:
        conversion.notes.note(f"{path}.arguments", "invalid_json_kept_as_text")
    return _add_cache_mark(block, part.cache)


def _write_tool_result(part: ToolResult, path: str, conversion: Conversion) -> Block:
    block: Block = {"type": "tool_result", "tool_use_id": adapt_tool_id(part.call_id, "messages")}
    content = write_blocks(part.parts, f"{path}.content", conversion)
    if len(content) == 1 and content[0].keys() == {"type", "text"}:
        block["content"] = content[0]["text"]
    elif content:
        block["content"] = content
    if part.is_error:
        block["is_error"] = True
    return _add_cache_mark(block, part.cache)


def _write_image(part: Image, path: str, conversion: Conversion) -> Block | None:
    if not conversion.capability.images:
        conversion.notes.drop(path, "images_unsupported")
        return None
    if part.data is None:
        return _add_cache_mark(
            {"type": "image", "source": _write_url_source(part, path, conversion)}, part.cache
        )
    label = sniff_media_type(part.data) or part.media_type
    if label == "application/pdf":
        return _write_document(Document(label, part.data, cache=part.cache), path, conversion)
    if label not in _IMAGE_TYPES:
        conversion.notes.refuse_media(
            path, f"media type '{label}' is not one of {sorted(_IMAGE_TYPES)}"
        )
    if label != part.media_type:
        conversion.notes.note(f"{path}.media_type", "corrected_from_content")
    source = {"type": "base64", "media_type": label, "data": part.data}
    return _add_cache_mark({"type": "image", "source": source}, part.cache)


def _write_url_source(part: Image | Document, path: str, conversion: Conversion) -> dict[str, str]:
    if part.url is None:
        conversion.notes.refuse_media(path, "a file of another provider cannot be read here")
        return {}
    if isinstance(part, Image) and not conversion.capability.image_urls:
        conversion.notes.refuse_media(path, "this provider takes images as base64 data only")
    return {"type": "url", "url": part.url}


def _write_document(part: Document, path: str, conversion: Conversion) -> Block | None:
    block: Block = {"type": "document", "source": _write_document_source(part, path, conversion)}
    if part.title:
        block["title"] = part.title
    if part.context:
        block["context"] = part.context
    if part.cited:
        block["citations"] = {"enabled": True}
    return _add_cache_mark(block, part.cache)


def _write_document_source(part: Document, path: str, conversion: Conversion) -> Block:
    if part.parts is not None:
        return {
            "type": "content",
            "content": write_blocks(part.parts, f"{path}.source.content", conversion),
        }
    text = part.text if part.text is not None else _decode_text_document(part)
    if text is not None:
        return {"type": "text", "media_type": "text/plain", "data": text}
    if part.data is None:
        return _write_url_source(part, path, conversion)
    label = sniff_media_type(part.data) or part.media_type
    if label != "application/pdf":
        conversion.notes.refuse_media(
            path, f"files of type '{label}' are not available from this provider"
        )
    if conversion.capability.files == "none":
        conversion.notes.refuse_media(path, "this provider takes no files")
    return {"type": "base64", "media_type": "application/pdf", "data": part.data}


def _decode_text_document(part: Document) -> str | None:
    """The text of a base64 document of a text type; None for any other document."""
    if part.data is None or not (part.media_type or "").startswith("text/"):
        return None
    try:
        return base64.b64decode(part.data, validate=True).decode()
    except (binascii.Error, ValueError):
        return None


def _write_reasoning_block(
    part: Thinking | Redacted, path: str, conversion: Conversion
) -> Block | None:
    """The reasoning block if this upstream made it, else None: it answers 400 to any other."""
    own = find_native_signature(part, conversion)
    if own is None:
        conversion.notes.note(path, "foreign_reasoning_dropped")
        return None
    if isinstance(part, Thinking):
        return {"type": "thinking", "thinking": part.text, "signature": own}
    sealed = conversion.unsealed(part.data)
    if sealed is not None and sealed.kind == "signature":
        # the signature of hidden thinking: some clients drop its empty text
        return {"type": "thinking", "thinking": "", "signature": own}
    return {"type": "redacted_thinking", "data": own}


def find_native_signature(part: Thinking | Redacted, conversion: Conversion) -> str | None:
    """The upstream's own signature or data; None where another upstream made the part."""
    blob = part.signature if isinstance(part, Thinking) else part.data
    if not blob:
        return None
    if blob.startswith(PREFIX):
        sealed = conversion.unsealed(blob)
        return sealed.data if sealed is not None and sealed.kind != "text" else None
    return blob if part.origin == ORIGIN else None
