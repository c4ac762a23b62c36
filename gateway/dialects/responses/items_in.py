"""Input items of a Responses request as turns (`ResponseInputItem`).

Neighbouring reasoning, message and call items make one assistant turn, as the other dialects need
it. Reasoning belongs to what follows it.
"""

from collections.abc import Callable

from msgspec import Raw

from gateway.dialects.responses.calls_in import ToolCallReader
from gateway.dialects.responses.content_in import read_content
from gateway.dialects.responses.hosted_tools import render_hosted_tool
from gateway.dialects.responses.tools_in import ToolsReader
from gateway.dialects.responses.wire import (
    DIALECT_NAME,
    AdditionalTools,
    CallOutput,
    ConfigurationUpdate,
    Kind,
    MessageItem,
    ReasoningItem,
    TextPart,
)
from gateway.errors import InvalidRequest
from gateway.neutral.events import Part, Redacted, ServerTool, Text, Thinking, Turn
from gateway.neutral.notes import LossReport
from gateway.neutral.seal import PREFIX
from gateway.wire.raw_json import member

_SYSTEM_ROLES = ("system", "developer")


class TurnsReader:
    """The turns so far, and the settings that items change."""

    def __init__(self, tools: ToolsReader, calls: ToolCallReader, notes: LossReport) -> None:
        self.system: list[Text] = []
        self.turns: list[Turn] = []
        self.updates: list[ConfigurationUpdate] = []
        self._tools = tools
        self._calls = calls
        self._notes = notes
        self._pending_reasoning: list[Part] = []  # reasoning that waits for what it led to
        self._results_open = False  # the last turn holds tool results and may take more

    def read_turns(self, items: list[Raw], path: str) -> None:
        """Every item, in order."""
        for at, raw in enumerate(items):
            self._read_item(raw, f"{path}.{at}")
        self._flush_reasoning(path)

    def add_user_text(self, text: str) -> None:
        """One user message."""
        self._add_user_parts([Text(text)])

    def _read_item(self, raw: Raw, path: str) -> None:
        kind = member(raw, Kind, path)
        type = kind.type or ("message" if kind.role else "item_reference" if kind.id else "")
        read = _ITEM_READERS.get(type)
        if read is not None:
            read(self, raw, path)
        elif type.endswith("_call_output"):
            self._read_result(raw, type, path)
        elif type in self._calls.call_types:
            self._add_assistant_parts([self._calls.read_call(raw, type, path)])
        elif (text := render_hosted_tool(raw, type)) is not None:
            if text:
                self._add_assistant_parts([ServerTool(text, type, Raw(bytes(raw)))])
        elif type in _REFUSED_ITEMS:
            self._notes.refuse(path, _REFUSED_ITEMS[type])
        elif not type:
            raise InvalidRequest(f"{path}.type: Field required", param=f"{path}.type")
        else:
            self._notes.drop(path, f"{type}_unsupported_by_target")

    # --- messages and reasoning -------------------------------------------------------------------

    def _read_message(self, raw: Raw, path: str) -> None:
        message = member(raw, MessageItem, path)
        parts = read_content(message.content, f"{path}.content", self._notes)
        if message.role == "assistant":
            self._add_assistant_parts(parts)
        elif message.role == "user":
            self._add_user_parts(parts)
        elif message.role in _SYSTEM_ROLES:
            self._add_system_turn(parts, path)
        else:
            where = f"{path}.role"
            raise InvalidRequest(f"{where}: unknown value {message.role!r}", param=where)

    def _add_user_parts(self, parts: list[Part]) -> None:
        self._flush_reasoning("input")
        if self._results_open:
            self.turns[-1].parts += parts
        elif parts:
            self.turns.append(Turn("user", parts))
        self._results_open = False

    def _add_system_turn(self, parts: list[Part], path: str) -> None:
        if self.turns:
            self._flush_reasoning(path)
            self._results_open = False
            self.turns.append(Turn("system", parts))
            return
        for part in parts:
            if isinstance(part, Text):
                self.system.append(part)
            else:
                self._notes.drop(f"{path}.content", "not_text")

    def _add_assistant_parts(self, parts: list[Part]) -> None:
        if not parts:
            return
        self._results_open = False
        parts = self._pending_reasoning + parts
        self._pending_reasoning = []
        if self.turns and self.turns[-1].role == "assistant":
            self.turns[-1].parts += parts
        else:
            self.turns.append(Turn("assistant", parts))

    def _read_reasoning(self, raw: Raw, path: str) -> None:
        item = member(raw, ReasoningItem, path)
        text = _join_texts(item.content) or _join_texts(item.summary)
        blob = item.encrypted_content
        if text:
            self._pending_reasoning.append(Thinking(text, blob, DIALECT_NAME))
        elif blob:
            if not blob.startswith(PREFIX):
                self._notes.note(path, "foreign_reasoning_dropped")
            else:
                self._pending_reasoning.append(Redacted(blob, DIALECT_NAME))

    def _flush_reasoning(self, path: str) -> None:
        """Ends the assistant turn: reasoning that nothing follows is appended to it.

        Without such a turn it is dropped: no other dialect takes reasoning alone.
        """
        thoughts, self._pending_reasoning = self._pending_reasoning, []
        if not thoughts:
            return
        if self.turns and self.turns[-1].role == "assistant":
            self.turns[-1].parts += thoughts
        else:
            self._notes.note(path, "reasoning_without_answer_dropped")

    # --- tools ------------------------------------------------------------------------------------

    def _read_result(self, raw: Raw, type: str, path: str) -> None:
        found = self._calls.read_result(raw, type, path)
        if found is None:
            return
        self._flush_reasoning(path)
        if self._results_open:
            self.turns[-1].parts.append(found)
        else:
            self.turns.append(Turn("user", [found]))
        self._results_open = True

    def _read_search_output(self, raw: Raw, path: str) -> None:
        """A search's answer also brings the tools that it found."""
        found = member(raw, CallOutput, path)
        self._tools.read_tools(found.tools or [], f"{path}.tools")
        if found.execution != "server":
            self._read_result(raw, "tool_search_output", path)

    def _read_additional_tools(self, raw: Raw, path: str) -> None:
        self._tools.read_tools(member(raw, AdditionalTools, path).tools, f"{path}.tools")

    def _read_configuration(self, raw: Raw, path: str) -> None:
        self.updates.append(member(raw, ConfigurationUpdate, path))

    def _reject_reference(self, raw: Raw, path: str) -> None:
        raise InvalidRequest(
            f"Item with id '{member(raw, Kind, path).id}' not found.",
            status=404,
            kind="not_found_error",
            param=path,
            code="item_not_found",
        )


_ITEM_READERS: dict[str, Callable[[TurnsReader, Raw, str], None]] = {
    "message": TurnsReader._read_message,
    "reasoning": TurnsReader._read_reasoning,
    "tool_search_output": TurnsReader._read_search_output,
    "additional_tools": TurnsReader._read_additional_tools,
    "configuration_update": TurnsReader._read_configuration,
    "item_reference": TurnsReader._reject_reference,
}
_REFUSED_ITEMS = {
    "compaction": "only the provider that compacted a conversation can read it",
    "compaction_trigger": "this provider cannot compact a conversation",
}


def _join_texts(parts: list[TextPart] | None) -> str:
    return "\n\n".join(part.text for part in parts or () if part.text)
