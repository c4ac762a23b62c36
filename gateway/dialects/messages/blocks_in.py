"""Content blocks of a Messages request, as neutral parts (`ContentBlockParam`)."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Raw

from gateway.dialects.messages import fast_shapes as typed, server_tools
from gateway.dialects.messages.answer import ORIGIN
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
from gateway.neutral.notes import LossReport
from gateway.wire.raw_json import member, present

_IGNORED_BLOCKS = frozenset({"mcp_tool_listing", "fallback"})
"""Blocks that the upstream itself keeps out of the prompt."""


def read_content(
    content: str | Sequence[typed.BlockItem], path: str, notes: LossReport
) -> list[Part]:
    """The parts of a `content` member that is text or a list of blocks; empty text is no part."""
    if isinstance(content, str):
        return [Text(content)] if content else []
    parts: list[Part] = []
    for index, item in enumerate(content):
        parts += read_block(item, f"{path}.{index}", notes)
    return parts


def read_block(item: typed.BlockItem, path: str, notes: LossReport) -> list[Part]:
    """The parts of one block: none for an empty block, an Opaque one for an unknown type."""
    if not isinstance(item, Raw):
        return _SHAPE_READERS[type(item)](item, path, notes)
    raw, tag = item, require_type(item, path)
    if known := _BLOCK_READERS.get(tag):
        shape, reader = known
        return reader(member(raw, shape, path), path, notes)
    if tag in _IGNORED_BLOCKS:
        return []
    if server_tools.is_server_block(tag):
        return [ServerTool(server_tools.render_server_block(tag, raw), tag, raw)]
    notes.drop(path, "unknown_block" if tag != "container_upload" else "unsupported_by_target")
    return [Opaque(tag, raw, ORIGIN)]


def require_type(raw: Raw, path: str) -> str:
    """The `type` of a block. Raises InvalidRequest where it has none."""
    tag = member(raw, Kind, path).type
    if not tag:
        raise InvalidRequest(f"{path}.type: Field required", param=f"{path}.type")
    return tag


def read_cache_mark(control: CacheControl | None) -> CacheMark | None:
    """The cache mark of a `CacheControlEphemeralParam`."""
    return CacheMark(control.ttl) if control is not None else None


def _read_text(block: TextBlock, path: str, notes: LossReport) -> list[Part]:
    if block.citations:
        notes.drop(f"{path}.citations")
    return [Text(block.text, read_cache_mark(block.cache_control))] if block.text else []


def _read_image(block: ImageBlock, path: str, notes: LossReport) -> list[Part]:
    source = block.source
    if present(block.transformations):
        notes.drop(f"{path}.transformations")
    _require_source(source, path)
    cache = read_cache_mark(block.cache_control)
    return [Image(source.media_type, source.data, source.url, source.file_id, cache)]


_REQUIRED_MEMBERS = {
    "base64": "data",
    "text": "data",
    "url": "url",
    "file": "file_id",
    "content": "content",
}


def _require_source(source: ImageSource | DocumentSource, path: str) -> None:
    """Raises InvalidRequest where a source lacks the member that its type requires."""
    member = _REQUIRED_MEMBERS.get(source.type)
    if member is None or (isinstance(source, ImageSource) and source.type in ("text", "content")):
        where = f"{path}.source.type"
        raise InvalidRequest(f"{where}: Input tag '{source.type}' is not known", param=where)
    if source.type == "base64" and source.media_type is None:
        member = "media_type"
    if getattr(source, member) is None:
        where = f"{path}.source.{member}"
        raise InvalidRequest(f"{where}: Field required", param=where)


def _read_document(block: DocumentBlock, path: str, notes: LossReport) -> list[Part]:
    source = block.source
    _require_source(source, path)
    document = Document(
        media_type=source.media_type,
        url=source.url,
        file_id=source.file_id,
        title=block.title,
        context=block.context,
        cited=block.citations is not None and block.citations.enabled is True,
        cache=read_cache_mark(block.cache_control),
    )
    if source.type == "text":
        document.text = source.data
    elif source.type == "content":
        document.parts = read_content(source.content or [], f"{path}.source.content", notes)
    else:
        document.data = source.data
    return [document]


def _read_search_result(block: SearchResultBlock, path: str, notes: LossReport) -> list[Part]:
    if block.citations is not None and block.citations.enabled:
        notes.drop(f"{path}.citations")
    parts = read_content(block.content, f"{path}.content", notes)
    return [SearchResult(block.source, block.title, parts, read_cache_mark(block.cache_control))]


def _read_tool_use(block: ToolUseBlock, path: str, notes: LossReport) -> list[Part]:
    if not bytes(block.input).startswith(b"{"):
        where = f"{path}.input"
        raise InvalidRequest(f"{where}: Input should be an object", param=where)
    cache = read_cache_mark(block.cache_control)
    return [ToolCall(block.id, block.name, bytes(block.input).decode(), cache=cache)]


def _read_tool_result(
    block: ToolResultBlock | typed.ToolResultShape, path: str, notes: LossReport
) -> list[Part]:
    content: str | Sequence[typed.BlockItem] = block.content if block.content is not None else []
    parts = read_content(content, f"{path}.content", notes)
    is_error = block.is_error is True
    return [ToolResult(block.tool_use_id, parts, is_error, read_cache_mark(block.cache_control))]


def _read_tool_reference(block: ToolReference, path: str, notes: LossReport) -> list[Part]:
    return [Text(f"Tool now available: {block.tool_name}")]


def _read_browser_state(raw: Raw, path: str, notes: LossReport) -> list[Part]:
    return [Text(bytes(raw).decode())]


def _read_thinking(block: ThinkingBlock, path: str, notes: LossReport) -> list[Part]:
    return [Thinking(block.thinking, block.signature or None, ORIGIN)]


def _read_redacted(block: RedactedBlock, path: str, notes: LossReport) -> list[Part]:
    return [Redacted(block.data, ORIGIN)]


BlockReader = Callable[[Any, str, LossReport], list[Part]]

_BLOCK_READERS: dict[str, tuple[type, BlockReader]] = {
    "text": (TextBlock, _read_text),
    "image": (ImageBlock, _read_image),
    "document": (DocumentBlock, _read_document),
    "search_result": (SearchResultBlock, _read_search_result),
    "tool_use": (ToolUseBlock, _read_tool_use),
    "tool_result": (ToolResultBlock, _read_tool_result),
    "tool_reference": (ToolReference, _read_tool_reference),
    "browser_state": (Raw, _read_browser_state),
    "thinking": (ThinkingBlock, _read_thinking),
    "redacted_thinking": (RedactedBlock, _read_redacted),
}
_SHAPE_READERS: dict[type, BlockReader] = {
    **dict(_BLOCK_READERS.values()),
    typed.ToolResultShape: _read_tool_result,
}
