"""The conversation of a Messages request (`MessageParam`, `BetaSystemMessageParam`)."""

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Raw

from gateway.dialects.messages import typed
from gateway.dialects.messages.blocks_in import kind, mark, read_block
from gateway.dialects.messages.tools_in import ToolChanges
from gateway.dialects.messages.wire import CompactionBlock, MessageParam, TextBlock
from gateway.errors import InvalidRequest
from gateway.neutral.events import Part, Prompt, Reasoning, Text, ToolResult, Turn
from gateway.neutral.notes import Notes
from gateway.wire.raw_json import RAWS, Shape, decode, member

_BILLING = "x-anthropic-billing-header:"
"""Opens a system block that differs in every request and would defeat any prompt cache."""


_SYSTEM: Shape[str | list[typed.Text]] = Shape(str | list[typed.Text])
_RAW_SYSTEM: Shape[str | list[Raw]] = Shape(str | list[Raw])
_MESSAGES: Shape[list[typed.Message]] = Shape(list[typed.Message])


def read_system(raw: Raw, prompt: Prompt) -> None:
    """The system prompt, a part for each block."""
    content = _system_content(raw)
    if isinstance(content, str):
        if content and not content.startswith(_BILLING):
            prompt.system.append(Text(content))
        return
    texts = [_system_block(block, f"system.{index}") for index, block in enumerate(content)]
    if texts and texts[0].text.startswith(_BILLING):
        texts = texts[1:]
    prompt.system += [text for text in texts if text.text]


def _system_content(raw: Raw) -> str | Sequence[typed.Item]:
    try:
        return decode(raw, _SYSTEM)
    except msgspec.ValidationError:
        return member(raw, _RAW_SYSTEM, "system")


def _system_block(item: typed.Item, path: str) -> Text:
    block: TextBlock
    if isinstance(item, Raw) and kind(item, path) == "text":
        block = member(item, TextBlock, path)
    elif isinstance(item, typed.Text):
        block = item
    else:
        raise InvalidRequest(f"{path}.type: Input should be 'text'", param=f"{path}.type")
    return Text(block.text, mark(block.cache_control))


def read_turns(raw: Raw, prompt: Prompt, notes: Notes) -> None:
    """The turns, after the tools: later system messages may change the tool set."""
    messages = _messages(raw)
    changes: ToolChanges | None = None
    last_user = -1
    for index, message in enumerate(messages):
        match message.role:
            case "user" | "assistant":
                _read_turn(message, message.role, index, prompt, notes)
            case "system":
                if changes is None:
                    changes = ToolChanges(prompt, notes)
                    last_user = _last_user(messages)
                path = f"messages.{index}"
                _read_later_system(message, path, prompt, changes, cleared=index < last_user)
            case role:
                where = f"messages.{index}.role"
                raise InvalidRequest(f"{where}: Input tag '{role}' is not known", param=where)


def _last_user(messages: Sequence[typed.Message | MessageParam]) -> int:
    users = [at for at, one in enumerate(messages) if one.role == "user"]
    return users[-1] if users else -1


def _messages(raw: Raw) -> Sequence[typed.Message | MessageParam]:
    try:
        return decode(raw, _MESSAGES)
    except msgspec.ValidationError:
        items = member(raw, RAWS, "messages")
        return [_message(item, f"messages.{index}") for index, item in enumerate(items)]


def _message(raw: Raw, path: str) -> typed.Message | MessageParam:
    try:
        return decode(raw, typed.Message)
    except msgspec.ValidationError:
        return member(raw, MessageParam, path)


def _read_turn(
    message: typed.Message | MessageParam,
    role: Literal["user", "assistant"],
    at: int,
    prompt: Prompt,
    notes: Notes,
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
        if isinstance(item, Raw) and kind(item, where) == "compaction":
            if _compacted(item, where, prompt, notes):
                parts.clear()
        else:
            parts += read_block(item, where, notes)
    results: list[Part] = [part for part in parts if isinstance(part, ToolResult)]
    if results and len(results) < len(parts):
        parts = results + [part for part in parts if not isinstance(part, ToolResult)]
    prompt.turns.append(Turn(role, parts))


def _compacted(raw: Raw, path: str, prompt: Prompt, notes: Notes) -> bool:
    """Whether the block's summary took the place of all that stands before it."""
    summary = member(raw, CompactionBlock, path).content
    if not summary:
        return False
    if prompt.turns:
        notes.note(path, "earlier_turns_replaced_by_their_summary")
    words = f"Summary of the earlier conversation:\n{summary}"
    prompt.turns[:] = [Turn("user", [Text(words)])]
    return True


def _read_later_system(
    message: typed.Message | MessageParam,
    path: str,
    prompt: Prompt,
    changes: ToolChanges,
    *,
    cleared: bool,
) -> None:
    if message.output_config is not None and message.output_config.effort:
        prompt.reasoning = prompt.reasoning or Reasoning()
        prompt.reasoning.effort = message.output_config.effort
    texts = _system_texts(message, f"{path}.content", changes)
    if not texts or (cleared and message.clear_at == "next_user_message"):
        return
    if prompt.turns:
        prompt.turns.append(Turn("system", [*texts]))
    else:
        prompt.system += texts


def _system_texts(
    message: typed.Message | MessageParam, path: str, changes: ToolChanges
) -> list[Text]:
    content = message.content or []
    if isinstance(content, str):
        return [Text(content)]
    texts: list[Text] = []
    for index, item in enumerate(content):
        where = f"{path}.{index}"
        tag = kind(item, where) if isinstance(item, Raw) else ""
        if isinstance(item, Raw) and tag == "tool_addition":
            changes.add(item, where)
        elif isinstance(item, Raw) and tag == "tool_removal":
            changes.remove(item, where)
        else:
            texts.append(_system_block(item, where))
    return [text for text in texts if text.text]
