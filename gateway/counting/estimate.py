"""The tokens of a prompt: what is said, and what the upstream puts around it."""

from math import ceil

import msgspec

from gateway.counting import pictures
from gateway.counting.families import ModelFamily
from gateway.counting.texts import TextCounter
from gateway.neutral.events import (
    Audio,
    Document,
    Image,
    Opaque,
    Part,
    Prompt,
    Redacted,
    Refusal,
    SearchResult,
    ServerTool,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
)

TOOL_OVERHEAD = 8
"""Tokens that stand around a tool's definition, a call and a result."""
_LETTERS_PER_HIDDEN_TOKEN = 4
_AUDIO_LETTERS_PER_TOKEN = 2000


def estimate_tokens(prompt: Prompt, family: ModelFamily, length: TextCounter) -> int:
    """The tokens of a prompt to a model of that family, before anything was learned of it."""
    return ceil(_Estimate(family, length).count_prompt(prompt))


class _Estimate:
    """One estimate under way."""

    def __init__(self, family: ModelFamily, length: TextCounter) -> None:
        self._family = family
        self._count_tokens = length

    def count_prompt(self, prompt: Prompt) -> float:
        family = self._family
        total: float = family.base + family.turn * len(prompt.turns)
        if prompt.system:
            total += family.system + sum(self.count_text(part.text) for part in prompt.system)
        tools = [_render_definition(tool) for tool in prompt.tools]
        if prompt.web_search is not None:
            tools.append('{"name":"web_search"}')
        if tools:
            total += family.tools + sum(TOOL_OVERHEAD + self.count_text(tool) for tool in tools)
        if prompt.format is not None and prompt.format.schema is not None:
            total += self.count_text(_decode_raw(prompt.format.schema))
        asked = _last_question_index(prompt.turns)
        for index, turn in enumerate(prompt.turns):
            total += self.count_parts(turn.parts, thought=index > asked)
        return total

    def count_text(self, text: str | None) -> float:
        return self._family.factor * self._count_tokens(text) if text else 0.0

    def count_parts(self, parts: list[Part], *, thought: bool = True) -> float:
        """The tokens of parts; upstreams drop what was thought before the last question."""
        return sum(
            self.count_part(part)
            for part in parts
            if thought or not isinstance(part, Thinking | Redacted)
        )

    def count_part(self, part: Part) -> float:
        match part:
            case Text() | Thinking() | ServerTool() | Refusal():
                return self.count_text(part.text)
            case ToolCall():
                return TOOL_OVERHEAD + self.count_text(part.name) + self.count_text(part.arguments)
            case ToolResult():
                return TOOL_OVERHEAD + self.count_parts(part.parts)
            case Image():
                return pictures.count_image(part.data, self._family.images)
            case Document():
                return self._count_document(part)
            case SearchResult():
                return (
                    self.count_text(part.source)
                    + self.count_text(part.title)
                    + self.count_parts(part.parts)
                )
            case Redacted():
                return len(part.data) / _LETTERS_PER_HIDDEN_TOKEN
            case Audio():
                return ceil(len(part.data or "") / _AUDIO_LETTERS_PER_TOKEN)
            case Opaque():
                return self.count_text(_decode_raw(part.raw))

    def _count_document(self, part: Document) -> float:
        about = self.count_text(part.title) + self.count_text(part.context)
        if part.text is not None:
            return about + self.count_text(part.text)
        if part.parts is not None:
            return about + self.count_parts(part.parts)
        return about + pictures.count_document(part.data)


def _render_definition(tool: Tool) -> str:
    """A tool's definition as compact JSON; what the client spelled with spaces loses them."""
    members = {"name": tool.name, "description": tool.description, "input_schema": tool.schema}
    if tool.grammar is not None:
        members["grammar"] = tool.grammar[1]
    given = {name: value for name, value in members.items() if value is not None}
    return msgspec.json.format(msgspec.json.encode(given), indent=-1).decode("utf-8", "replace")


def _decode_raw(raw: msgspec.Raw) -> str:
    return bytes(raw).decode("utf-8", "replace")


def _last_question_index(turns: list[Turn]) -> int:
    """The place of the last user turn that says more than what tools answered; -1 without one."""
    for index in range(len(turns) - 1, -1, -1):
        turn = turns[index]
        if turn.role == "user" and any(not isinstance(part, ToolResult) for part in turn.parts):
            return index
    return -1
