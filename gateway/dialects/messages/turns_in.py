"""The conversation of a Messages request (`MessageParam`, `BetaSystemMessageParam`)."""

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Raw

from gateway.dialects.common.instructions import without_billing_header
from gateway.dialects.messages import fast_shapes as typed
from gateway.dialects.messages.blocks_in import read_block, read_cache_mark, require_type
from gateway.dialects.messages.tools_in import ToolChanges
from gateway.dialects.messages.wire import CompactionBlock, MessageParam, TextBlock
from gateway.errors import InvalidRequest
from gateway.neutral.events import Part, Prompt, Reasoning, Text, ToolResult, Turn
from gateway.neutral.notes import LossReport
from gateway.wire.raw_json import RAWS, Shape, decode, member

_SYSTEM_SHAPE: Shape[str | list[TextBlock]] = Shape(str | list[TextBlock])
_RAW_SYSTEM_SHAPE: Shape[str | list[Raw]] = Shape(str | list[Raw])
_MESSAGES_SHAPE: Shape[list[typed.MessageShape]] = Shape(list[typed.MessageShape])


def read_system(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    """Reads the system prompt, one part for each block."""
    content = _parse_system(raw)
    if isinstance(content, str):
        texts = [Text(content)]
    else:
        texts = [_read_system_block(block, f"system.{at}") for at, block in enumerate(content)]
    prompt.system += [text for text in without_billing_header(texts) if text.text]


def _parse_system(raw: Raw) -> str | Sequence[typed.BlockItem]:
    try:
        return decode(raw, _SYSTEM_SHAPE)
    except msgspec.ValidationError:
        return member(raw, _RAW_SYSTEM_SHAPE, "system")


def _read_system_block(item: typed.BlockItem, path: str) -> Text:
    block: TextBlock
    if isinstance(item, Raw) and require_type(item, path) == "text":
        block = member(item, TextBlock, path)
    elif isinstance(item, TextBlock):
        block = item
    else:
        raise InvalidRequest(f"{path}.type: Input should be 'text'", param=f"{path}.type")
    return Text(block.text, read_cache_mark(block.cache_control))


def read_turns(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    """Reads the turns. The tools have to be read before: system messages may change them."""
    messages = _parse_messages(raw)
    changes: ToolChanges | None = None
    last_user = -1
    for index, message in enumerate(messages):
        match message.role:
            case "user" | "assistant":
                _read_turn(message, message.role, index, prompt, notes)
            case "system":
                if changes is None:
                    changes = ToolChanges(prompt, notes)
                    last_user = _find_last_user(messages)
                path = f"messages.{index}"
                _read_later_system(message, path, prompt, changes, cleared=index < last_user)
            case role:
                where = f"messages.{index}.role"
                raise InvalidRequest(f"{where}: Input tag '{role}' is not known", param=where)


def _find_last_user(messages: Sequence[typed.MessageShape | MessageParam]) -> int:
    users = [at for at, one in enumerate(messages) if one.role == "user"]
    return users[-1] if users else -1


def _parse_messages(raw: Raw) -> Sequence[typed.MessageShape | MessageParam]:
    try:
        return decode(raw, _MESSAGES_SHAPE)
    except msgspec.ValidationError:
        items = member(raw, RAWS, "messages")
        return [_parse_message(item, f"messages.{index}") for index, item in enumerate(items)]


def _parse_message(raw: Raw, path: str) -> typed.MessageShape | MessageParam:
    try:
        return decode(raw, typed.MessageShape)
    except msgspec.ValidationError:
        return member(raw, MessageParam, path)


def _read_turn(
    message: typed.MessageShape | MessageParam,
    role: Literal["user", "assistant"],
    at: int,
    prompt: Prompt,
    notes: LossReport,
) -> None:
    content = message.content
    if isinstance(content, str):
        prompt.turns.append(Turn(role, [Text(content)] if content else []))
        return
    path = f"messages.{at}.content"
    if content is None:
        raise InvalidRequest(f"{path}: Field required", param=path)
    parts: list[Part] = []
    for index, item in enumerate(content):
        where = f"{path}.{index}"
        if isinstance(item, Raw) and require_type(item, where) == "compaction":
            if _read_compaction(item, where, prompt, notes):
                parts.clear()
        else:
            parts += read_block(item, where, notes)
    results: list[Part] = [part for part in parts if isinstance(part, ToolResult)]
    if results and len(results) < len(parts):
        parts = results + [part for part in parts if not isinstance(part, ToolResult)]
    prompt.turns.append(Turn(role, parts))


def _read_compaction(raw: Raw, path: str, prompt: Prompt, notes: LossReport) -> bool:
    """Replaces all earlier turns by the block's summary; False where it has none."""
    summary = member(raw, CompactionBlock, path).content
    if not summary:
        return False
    if prompt.turns:
        notes.note(path, "earlier_turns_replaced_by_their_summary")
    words = f"Summary of the earlier conversation:\n{summary}"
    prompt.turns[:] = [Turn("user", [Text(words)])]
    return True


def _read_later_system(
    message: typed.MessageShape | MessageParam,
    path: str,
    prompt: Prompt,
    changes: ToolChanges,
    *,
    cleared: bool,
) -> None:
    if message.output_config is not None and message.output_config.effort:
        prompt.reasoning = prompt.reasoning or Reasoning()
        prompt.reasoning.effort = message.output_config.effort
    texts = _read_system_texts(message, f"{path}.content", changes)
    if not texts or (cleared and message.clear_at == "next_user_message"):
        return
    if prompt.turns:
        prompt.turns.append(Turn("system", [*texts]))
    else:
        prompt.system += texts


def _read_system_texts(
    message: typed.MessageShape | MessageParam, path: str, changes: ToolChanges
) -> list[Text]:
    content = message.content or []
    if isinstance(content, str):
        return [Text(content)]
    texts: list[Text] = []
    for index, item in enumerate(content):
        where = f"{path}.{index}"
        tag = require_type(item, where) if isinstance(item, Raw) else ""
        if isinstance(item, Raw) and tag == "tool_addition":
            changes.add_tool(item, where)
        elif isinstance(item, Raw) and tag == "tool_removal":
            changes.remove_tool(item, where)
        else:
            texts.append(_read_system_block(item, where))
    return [text for text in texts if text.text]
