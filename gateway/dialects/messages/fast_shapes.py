"""Messages and blocks read in one pass over the body; lists of raw members cost one pass each.

Only the usual types are here. A message with another type, or with an error, is read again through
raw members, which gives the usual error messages and keeps unknown blocks.
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
    """`ToolResultBlock` with its blocks decoded."""

    tool_use_id: str
    content: Union[str, list["BlockShape"], None] = None  # noqa: UP007  # "|" knows no forward names
    is_error: bool | None = None
    cache_control: CacheControl | None = None


BlockShape = (
    TextBlock | ImageBlock | DocumentBlock | SearchResultBlock | ToolUseBlock | ThinkingBlock
    | RedactedBlock | ToolResultShape
)  # fmt: skip
BlockItem = BlockShape | Raw
"""A decoded block, or its bytes."""


class MessageShape(Struct):
    """`MessageParam` with its blocks decoded."""

    role: str
    content: str | list[BlockShape] | None = None
    clear_at: str | None = None
    output_config: SystemOutputConfig | None = None


class TextAnswerShape(AnswerMessage):
    """`Message` of an answer that has text blocks only, decoded."""

    content: list[TextBlock]  # type: ignore[assignment]  # narrower than list[Raw]
