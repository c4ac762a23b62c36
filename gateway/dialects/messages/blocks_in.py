"""Content blocks of a Messages request, as neutral parts (`ContentBlockParam`)."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Raw

from gateway.dialects.messages import server_tools, typed
from gateway.dialects.messages.wire import (
    CacheControl,
    DocumentBlock,
    DocumentSource,
    ImageBlock,
    ImageSource,
    Kind,
    RedactedBlock,
    SearchResultBlock,
    TextBlock,
    ThinkingBlock,
    ToolReference,
    ToolResultBlock,
    ToolUseBlock,
)
from gateway.errors import InvalidRequest
from gateway.neutral.events import (
    CacheMark,
    Document,
    Image,
    Opaque,
    Part,
    Redacted,
    SearchResult,
    ServerTool,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from gateway.neutral.notes import Notes
from gateway.wire.raw_json import member, present

ORIGIN = "messages"
_UNSEEN = frozenset({"mcp_tool_listing", "fallback"})
"""Blocks that the upstream itself keeps out of the prompt."""


def read_content(content: str | Sequence[typed.Item], path: str, notes: Notes) -> list[Part]:
    """The parts of a `content` member that is text or a list of blocks; empty text is no part."""
    if isinstance(content, str):
        return [Text(content)] if content else []
    parts: list[Part] = []
    for index, item in enumerate(content):
        parts += read_block(item, f"{path}.{index}", notes)
    return parts


def read_block(item: typed.Item, path: str, notes: Notes) -> list[Part]:
    """The parts of one block: none where it says nothing, an Opaque one where it is unknown."""
    if not isinstance(item, Raw):
        return _TYPED[type(item)](item, path, notes)
    raw, tag = item, kind(item, path)
    if known := _READERS.get(tag):
        shape, reader = known
        return reader(member(raw, shape, path), path, notes)
    if tag in _UNSEEN:
        return []
    if server_tools.is_server_block(tag):
        return [ServerTool(server_tools.readable(tag, raw), tag, raw)]
    notes.drop(path, "unknown_block" if tag != "container_upload" else "unsupported_by_target")
    return [Opaque(tag, raw, ORIGIN)]


def kind(raw: Raw, path: str) -> str:
    """The `type` of a block; InvalidRequest where it has none."""
    tag = member(raw, Kind, path).type
    if not tag:
        raise InvalidRequest(f"{path}.type: Field required", param=f"{path}.type")
    return tag


def mark(control: CacheControl | None) -> CacheMark | None:
    """The cache mark of a `CacheControlEphemeralParam`."""
    return CacheMark(control.ttl) if control is not None else None


def _text(block: TextBlock, path: str, notes: Notes) -> list[Part]:
    if block.citations:
        notes.drop(f"{path}.citations")
    return [Text(block.text, mark(block.cache_control))] if block.text else []


def _image(block: ImageBlock, path: str, notes: Notes) -> list[Part]:
    source = block.source
    if present(block.transformations):
        notes.drop(f"{path}.transformations")
    _demand(source, path)
    cache = mark(block.cache_control)
    return [Image(source.media_type, source.data, source.url, source.file_id, cache)]


_DEMANDED = {
    "base64": "data",
    "text": "data",
    "url": "url",
    "file": "file_id",
    "content": "content",
}


def _demand(source: ImageSource | DocumentSource, path: str) -> None:
    """InvalidRequest where a source lacks what its type promises."""
    member = _DEMANDED.get(source.type)
    if member is None or (isinstance(source, ImageSource) and source.type in ("text", "content")):
        where = f"{path}.source.type"
        raise InvalidRequest(f"{where}: Input tag '{source.type}' is not known", param=where)
    if source.type == "base64" and source.media_type is None:
        member = "media_type"
    if getattr(source, member) is None:
        where = f"{path}.source.{member}"
        raise InvalidRequest(f"{where}: Field required", param=where)


def _document(block: DocumentBlock, path: str, notes: Notes) -> list[Part]:
    source = block.source
    _demand(source, path)
    document = Document(
        media_type=source.media_type,
        url=source.url,
        file_id=source.file_id,
        title=block.title,
        context=block.context,
        cited=block.citations is not None and block.citations.enabled is True,
        cache=mark(block.cache_control),
    )
    if source.type == "text":
        document.text = source.data
    elif source.type == "content":
        document.parts = read_content(source.content or [], f"{path}.source.content", notes)
    else:
        document.data = source.data
    return [document]


def _search_result(block: SearchResultBlock, path: str, notes: Notes) -> list[Part]:
    if block.citations is not None and block.citations.enabled:
        notes.drop(f"{path}.citations")
    parts = read_content(block.content, f"{path}.content", notes)
    return [SearchResult(block.source, block.title, parts, mark(block.cache_control))]


def _tool_use(block: ToolUseBlock, path: str, notes: Notes) -> list[Part]:
    if not bytes(block.input).startswith(b"{"):
        where = f"{path}.input"
        raise InvalidRequest(f"{where}: Input should be an object", param=where)
    cache = mark(block.cache_control)
    return [ToolCall(block.id, block.name, bytes(block.input).decode(), cache=cache)]


def _tool_result(block: ToolResultBlock | typed.ToolResult, path: str, notes: Notes) -> list[Part]:
    content: str | Sequence[typed.Item] = block.content if block.content is not None else []
    parts = read_content(content, f"{path}.content", notes)
    is_error = block.is_error is True
    return [ToolResult(block.tool_use_id, parts, is_error, mark(block.cache_control))]


def _tool_reference(block: ToolReference, path: str, notes: Notes) -> list[Part]:
    return [Text(f"Tool now available: {block.tool_name}")]


def _browser_state(raw: Raw, path: str, notes: Notes) -> list[Part]:
    return [Text(bytes(raw).decode())]


def _thinking(block: ThinkingBlock, path: str, notes: Notes) -> list[Part]:
    return [Thinking(block.thinking, block.signature or None, ORIGIN)]


def _redacted(block: RedactedBlock, path: str, notes: Notes) -> list[Part]:
    return [Redacted(block.data, ORIGIN)]


Read = Callable[[Any, str, Notes], list[Part]]

_READERS: dict[str, tuple[type, Read]] = {
    "text": (TextBlock, _text),
    "image": (ImageBlock, _image),
    "document": (DocumentBlock, _document),
    "search_result": (SearchResultBlock, _search_result),
    "tool_use": (ToolUseBlock, _tool_use),
    "tool_result": (ToolResultBlock, _tool_result),
    "tool_reference": (ToolReference, _tool_reference),
    "browser_state": (Raw, _browser_state),
    "thinking": (ThinkingBlock, _thinking),
    "redacted_thinking": (RedactedBlock, _redacted),
}
_TYPED: dict[type, Read] = {
    typed.Text: _text,
    typed.Image: _image,
    typed.Document: _document,
    typed.SearchResult: _search_result,
    typed.ToolUse: _tool_use,
    typed.ToolResult: _tool_result,
    typed.Thinking: _thinking,
    typed.Redacted: _redacted,
}
