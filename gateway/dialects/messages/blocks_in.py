"""Content blocks of a Messages request, as neutral parts (`ContentBlockParam`)."""

from collections.abc import Callable

from msgspec import Raw

from gateway.dialects.messages import server_tools
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
from gateway.events import (
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
from gateway.notes import Notes
from gateway.wire import member, present

ORIGIN = "messages"
_UNSEEN = frozenset({"mcp_tool_listing", "fallback"})
"""Blocks that the upstream itself keeps out of the prompt."""


def read_content(content: str | list[Raw], path: str, notes: Notes) -> list[Part]:
    """The parts of a `content` member that is text or a list of blocks; empty text is no part."""
    if isinstance(content, str):
        return [Text(content)] if content else []
    parts: list[Part] = []
    for index, raw in enumerate(content):
        parts += read_block(raw, f"{path}.{index}", notes)
    return parts


def read_block(raw: Raw, path: str, notes: Notes) -> list[Part]:
    """The parts of one block: none where it says nothing, an Opaque one where it is unknown."""
    tag = kind(raw, path)
    if reader := _READERS.get(tag):
        return reader(raw, path, notes)
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


def _text(raw: Raw, path: str, notes: Notes) -> list[Part]:
    block = member(raw, TextBlock, path)
    if block.citations:
        notes.drop(f"{path}.citations")
    return [Text(block.text, mark(block.cache_control))] if block.text else []


def _image(raw: Raw, path: str, notes: Notes) -> list[Part]:
    block = member(raw, ImageBlock, path)
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


def _document(raw: Raw, path: str, notes: Notes) -> list[Part]:
    block = member(raw, DocumentBlock, path)
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


def _search_result(raw: Raw, path: str, notes: Notes) -> list[Part]:
    block = member(raw, SearchResultBlock, path)
    parts = read_content(block.content, f"{path}.content", notes)
    return [SearchResult(block.source, block.title, parts, mark(block.cache_control))]


def _tool_use(raw: Raw, path: str, notes: Notes) -> list[Part]:
    block = member(raw, ToolUseBlock, path)
    if not bytes(block.input).startswith(b"{"):
        where = f"{path}.input"
        raise InvalidRequest(f"{where}: Input should be an object", param=where)
    cache = mark(block.cache_control)
    return [ToolCall(block.id, block.name, bytes(block.input).decode(), cache=cache)]


def _tool_result(raw: Raw, path: str, notes: Notes) -> list[Part]:
    block = member(raw, ToolResultBlock, path)
    content = block.content if block.content is not None else []
    parts = read_content(content, f"{path}.content", notes)
    is_error = block.is_error is True
    return [ToolResult(block.tool_use_id, parts, is_error, mark(block.cache_control))]


def _tool_reference(raw: Raw, path: str, notes: Notes) -> list[Part]:
    return [Text(f"Tool now available: {member(raw, ToolReference, path).tool_name}")]


def _browser_state(raw: Raw, path: str, notes: Notes) -> list[Part]:
    return [Text(bytes(raw).decode())]


def _thinking(raw: Raw, path: str, notes: Notes) -> list[Part]:
    block = member(raw, ThinkingBlock, path)
    return [Thinking(block.thinking, block.signature or None, ORIGIN)]


def _redacted(raw: Raw, path: str, notes: Notes) -> list[Part]:
    return [Redacted(member(raw, RedactedBlock, path).data, ORIGIN)]


_READERS: dict[str, Callable[[Raw, str, Notes], list[Part]]] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "search_result": _search_result,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
    "tool_reference": _tool_reference,
    "browser_state": _browser_state,
    "thinking": _thinking,
    "redacted_thinking": _redacted,
}
