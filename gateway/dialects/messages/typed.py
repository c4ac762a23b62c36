"""Messages and blocks read in one pass over the body; lists of raw members cost one pass each.

Only the usual types are here. A message that holds another one, or a fault, is read again by way of
raw members: that way names faults as they are named everywhere, and keeps the blocks of tomorrow.
"""

from typing import Union

from msgspec import Raw, Struct

from gateway.dialects.messages import wire
from gateway.dialects.messages.wire import (
    CacheControl,
    DocumentBlock,
    Effort,
    ImageBlock,
    RedactedBlock,
    SearchResultBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
)


class Text(TextBlock, tag="text"):
    """`TextBlock` that says its type."""


class Image(ImageBlock, tag="image"):
    """`ImageBlock` that says its type."""


class Document(DocumentBlock, tag="document"):
    """`DocumentBlock` that says its type."""


class SearchResult(SearchResultBlock, tag="search_result"):
    """`SearchResultBlock` that says its type."""


class ToolUse(ToolUseBlock, tag="tool_use"):
    """`ToolUseBlock` that says its type."""


class Thinking(ThinkingBlock, tag="thinking"):
    """`ThinkingBlock` that says its type."""


class Redacted(RedactedBlock, tag="redacted_thinking"):
    """`RedactedBlock` that says its type."""


class ToolResult(Struct, tag="tool_result"):
    """`ToolResultBlock` that says its type, the blocks in it read as well."""

    tool_use_id: str
    content: Union[str, list["Block"], None] = None  # noqa: UP007  # "|" knows no forward names
    is_error: bool | None = None
    cache_control: CacheControl | None = None


Block = Text | Image | Document | SearchResult | ToolUse | Thinking | Redacted | ToolResult
AnswerBlock = Text | ToolUse | Thinking | Redacted
Item = Block | Raw
"""A block that was read already, or its own bytes."""


class Message(Struct):
    """`MessageParam`, its blocks read as well."""

    role: str
    content: str | list[Block] | None = None
    clear_at: str | None = None
    output_config: Effort | None = None


class Answer(wire.Answer):
    """`Message` of an answer, its blocks read as well."""

    content: list[AnswerBlock]  # type: ignore[assignment]  # what a Raw one is read as
