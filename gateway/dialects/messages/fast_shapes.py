"""Messages and blocks read in one pass over the body; lists of raw members cost one pass each.

Only the usual types are here. A message that holds another one, or a fault, is read again by way of
raw members: that way names faults as they are named everywhere, and keeps the blocks of tomorrow.
"""

from typing import Union

from msgspec import Raw, Struct

from gateway.dialects.messages.wire import (
    AnswerMessage,
    CacheControl,
    DocumentBlock,
    ImageBlock,
    RedactedBlock,
    SearchResultBlock,
    SystemOutputConfig,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
)


class TextShape(TextBlock, tag="text"):
    """`TextBlock` that says its type."""


class ImageShape(ImageBlock, tag="image"):
    """`ImageBlock` that says its type."""


class DocumentShape(DocumentBlock, tag="document"):
    """`DocumentBlock` that says its type."""


class SearchResultShape(SearchResultBlock, tag="search_result"):
    """`SearchResultBlock` that says its type."""


class ToolUseShape(ToolUseBlock, tag="tool_use"):
    """`ToolUseBlock` that says its type."""


class ThinkingShape(ThinkingBlock, tag="thinking"):
    """`ThinkingBlock` that says its type."""


class RedactedShape(RedactedBlock, tag="redacted_thinking"):
    """`RedactedBlock` that says its type."""


class ToolResultShape(Struct, tag="tool_result"):
    """`ToolResultBlock` that says its type, the blocks in it read as well."""

    tool_use_id: str
    content: Union[str, list["BlockShape"], None] = None  # noqa: UP007  # "|" knows no forward names
    is_error: bool | None = None
    cache_control: CacheControl | None = None


BlockShape = (
    TextShape
    | ImageShape
    | DocumentShape
    | SearchResultShape
    | ToolUseShape
    | ThinkingShape
    | RedactedShape
    | ToolResultShape
)
BlockItem = BlockShape | Raw
"""A block that was read already, or its own bytes."""


class MessageShape(Struct):
    """`MessageParam`, its blocks read as well."""

    role: str
    content: str | list[BlockShape] | None = None
    clear_at: str | None = None
    output_config: SystemOutputConfig | None = None


class TextAnswerShape(AnswerMessage):
    """`Message` of an answer that has texts alone, which are read as well."""

    content: list[TextShape]  # type: ignore[assignment]  # what a Raw one is read as
