"""The tokens of a prompt: what is said, and what the upstream puts around it."""

from math import ceil

import msgspec

from gateway.counting import pictures
from gateway.counting.families import Family
from gateway.counting.texts import Length
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

AROUND_TOOL = 8
"""Tokens that stand around a tool's definition, a call and a result."""
_LETTERS_PER_HIDDEN_TOKEN = 4
_AUDIO_LETTERS_PER_TOKEN = 2000


def estimate(prompt: Prompt, family: Family, length: Length) -> int:
    """The tokens of a prompt to a model of that family, before anything was learned of it."""
    return ceil(_Sum(family, length).prompt(prompt))


class _Sum:
    """One estimate under way."""

    def __init__(self, family: Family, length: Length) -> None:
        self._family = family
        self._length = length

    def prompt(self, prompt: Prompt) -> float:
        family = self._family
        total: float = family.base + family.turn * len(prompt.turns)
        if prompt.system:
            total += family.system + sum(self.text(part.text) for part in prompt.system)
        tools = [_definition(tool) for tool in prompt.tools]
        if prompt.web_search is not None:
            tools.append('{"name":"web_search"}')
        if tools:
            total += family.tools + sum(AROUND_TOOL + self.text(tool) for tool in tools)
        if prompt.format is not None and prompt.format.schema is not None:
            total += self.text(_decoded(prompt.format.schema))
        asked = _last_question(prompt.turns)
        for index, turn in enumerate(prompt.turns):
            total += self.parts(turn.parts, thought=index > asked)
        return total

    def text(self, text: str | None) -> float:
        return self._family.factor * self._length(text) if text else 0.0

    def parts(self, parts: list[Part], *, thought: bool = True) -> float:
        """The tokens of parts; upstreams drop what was thought before the last question."""
        return sum(
            self.part(part)
            for part in parts
            if thought or not isinstance(part, Thinking | Redacted)
        )

    def part(self, part: Part) -> float:
        match part:
            case Text() | Thinking() | ServerTool() | Refusal():
                return self.text(part.text)
            case ToolCall():
                return AROUND_TOOL + self.text(part.name) + self.text(part.arguments)
            case ToolResult():
                return AROUND_TOOL + self.parts(part.parts)
            case Image():
                return pictures.picture(part.data, self._family.images)
            case Document():
                return self._document(part)
            case SearchResult():
                return self.text(part.source) + self.text(part.title) + self.parts(part.parts)
            case Redacted():
                return len(part.data) / _LETTERS_PER_HIDDEN_TOKEN
            case Audio():
                return ceil(len(part.data or "") / _AUDIO_LETTERS_PER_TOKEN)
            case Opaque():
                return self.text(_decoded(part.raw))

    def _document(self, part: Document) -> float:
        about = self.text(part.title) + self.text(part.context)
        if part.text is not None:
            return about + self.text(part.text)
        if part.parts is not None:
            return about + self.parts(part.parts)
        return about + pictures.document(part.data)


def _definition(tool: Tool) -> str:
    """A tool's definition as compact JSON; what the client spelled with spaces loses them."""
    members = {"name": tool.name, "description": tool.description, "input_schema": tool.schema}
    if tool.grammar is not None:
        members["grammar"] = tool.grammar[1]
    given = {name: value for name, value in members.items() if value is not None}
    return msgspec.json.format(msgspec.json.encode(given), indent=-1).decode("utf-8", "replace")


def _decoded(raw: msgspec.Raw) -> str:
    return bytes(raw).decode("utf-8", "replace")


def _last_question(turns: list[Turn]) -> int:
    """The place of the last user turn that says more than what tools answered; -1 without one."""
    for index in range(len(turns) - 1, -1, -1):
        turn = turns[index]
        if turn.role == "user" and any(not isinstance(part, ToolResult) for part in turn.parts):
            return index
    return -1
