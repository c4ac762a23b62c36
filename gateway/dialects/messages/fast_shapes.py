"""Messages and blocks read in one pass over the body; lists of raw members cost one pass each.

Only the usual types are here. A message that holds another one, or a fault, is read again by way of
raw members: that way names faults as they are named everywhere, and keeps unknown blocks.
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


class ToolResultShape(Struct, tag="tool_result"):
    """`ToolResultBlock`, the blocks in it read as well."""

    tool_use_id: str
    content: Union[str, list["BlockShape"], None] = None  # noqa: UP007  # "|" knows no forward names
    is_error: bool | None = None
    cache_control: CacheControl | None = None


BlockShape = (
    TextBlock | ImageBlock | DocumentBlock | SearchResultBlock | ToolUseBlock | ThinkingBlock
    | RedactedBlock | ToolResultShape
)  # fmt: skip
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

    content: list[TextBlock]  # type: ignore[assignment]  # what a Raw one is read as
