"""Input items of a Responses request as turns (`ResponseInputItem`).

What the model said in one go is several items: neighbouring reasoning, messages and calls make one
assistant turn, as the other dialects need it. Reasoning belongs to what follows it.
"""

from collections.abc import Callable

from msgspec import Raw

from gateway.dialects.responses.calls_in import CallReading
from gateway.dialects.responses.content_in import read_content
from gateway.dialects.responses.hosted import readable
from gateway.dialects.responses.tools_in import ToolReading
from gateway.dialects.responses.wire import (
    NAME,
    AdditionalTools,
    CallOutput,
    Configuration,
    Kind,
    MessageItem,
    ReasoningItem,
    TextPart,
)
from gateway.errors import InvalidRequest
from gateway.neutral.events import (
    Part,
    Redacted,
    ServerTool,
    Text,
    Thinking,
    Turn,
)
from gateway.neutral.notes import Notes
from gateway.neutral.seal import PREFIX
from gateway.wire.raw_json import member

_SYSTEM = ("system", "developer")


class Reading:
    """The turns so far, and what items say of the rest of the request."""

    def __init__(self, tools: ToolReading, calls: CallReading, notes: Notes) -> None:
        self.system: list[Text] = []
        self.turns: list[Turn] = []
        self.updates: list[Configuration] = []
        self._tools = tools
        self._calls = calls
        self._notes = notes
        self._thoughts: list[Part] = []  # reasoning that waits for what it led to
        self._answering = False  # the last turn holds tool results and may take more

    def add_all(self, items: list[Raw], path: str) -> None:
        """Every item, in order."""
        for at, raw in enumerate(items):
            self._add(raw, f"{path}.{at}")
        self._forget(path)

    def say(self, text: str) -> None:
        """One user message."""
        self._user([Text(text)])

    def _add(self, raw: Raw, path: str) -> None:
        kind = member(raw, Kind, path)
        type = kind.type or ("message" if kind.role else "item_reference" if kind.id else "")
        read = _ITEMS.get(type)
        if read is not None:
            read(self, raw, path)
        elif type.endswith("_call_output"):
            self._result(raw, type, path)
        elif type in self._calls.kinds:
            self._assistant([self._calls.call(raw, type, path)])
        elif (text := readable(type, raw)) is not None:
            if text:
                self._assistant([ServerTool(text, type, Raw(bytes(raw)))])
        elif not type:
            raise InvalidRequest(f"{path}.type: Field required", param=f"{path}.type")
        else:
            self._notes.drop(path, f"{type}_unsupported_by_target")

    # --- messages and reasoning -------------------------------------------------------------------

    def _message(self, raw: Raw, path: str) -> None:
        message = member(raw, MessageItem, path)
        parts = read_content(message.content, f"{path}.content", self._notes)
        if message.role == "assistant":
            self._assistant(parts)
        elif message.role == "user":
            self._user(parts)
        elif message.role in _SYSTEM:
            self._system_turn(parts, path)
        else:
            where = f"{path}.role"
            raise InvalidRequest(f"{where}: unknown value {message.role!r}", param=where)

    def _user(self, parts: list[Part]) -> None:
        self._forget("input")
        if self._answering:
            self.turns[-1].parts += parts
        elif parts:
            self.turns.append(Turn("user", parts))
        self._answering = False

    def _system_turn(self, parts: list[Part], path: str) -> None:
        if self.turns:
            self._forget(path)
            self._answering = False
            self.turns.append(Turn("system", parts))
            return
        for part in parts:
            if isinstance(part, Text):
                self.system.append(part)
            else:
                self._notes.drop(f"{path}.content", "not_text")

    def _assistant(self, parts: list[Part]) -> None:
        if not parts:
            return
        self._answering = False
        parts = self._thoughts + parts
        self._thoughts = []
        if self.turns and self.turns[-1].role == "assistant":
            self.turns[-1].parts += parts
        else:
            self.turns.append(Turn("assistant", parts))

    def _reasoning(self, raw: Raw, path: str) -> None:
        item = member(raw, ReasoningItem, path)
        text = _joined(item.content) or _joined(item.summary)
        blob = item.encrypted_content
        if text:
            self._thoughts.append(Thinking(text, blob, NAME))
        elif blob:
            if not blob.startswith(PREFIX):
                self._notes.note(path, "foreign_reasoning_dropped")
            else:
                self._thoughts.append(Redacted(blob, NAME))

    def _forget(self, path: str) -> None:
        """Ends the model's turn: reasoning that led to nothing goes with what came before it.

        Without anything before it, it is dropped: no other dialect has it stand alone.
        """
        thoughts, self._thoughts = self._thoughts, []
        if not thoughts:
            return
        if self.turns and self.turns[-1].role == "assistant":
            self.turns[-1].parts += thoughts
        else:
            self._notes.note(path, "reasoning_without_answer_dropped")

    # --- tools ------------------------------------------------------------------------------------

    def _result(self, raw: Raw, type: str, path: str) -> None:
        found = self._calls.result(raw, type, path)
        if found is None:
            return
        self._forget(path)
        if self._answering:
            self.turns[-1].parts.append(found)
        else:
            self.turns.append(Turn("user", [found]))
        self._answering = True

    def _searched(self, raw: Raw, path: str) -> None:
        """A search's answer also brings the tools that it found."""
        found = member(raw, CallOutput, path)
        self._tools.add_all(found.tools or [], f"{path}.tools")
        if found.execution != "server":
            self._result(raw, "tool_search_output", path)

    def _more_tools(self, raw: Raw, path: str) -> None:
        self._tools.add_all(member(raw, AdditionalTools, path).tools, f"{path}.tools")

    def _configuration(self, raw: Raw, path: str) -> None:
        self.updates.append(member(raw, Configuration, path))

    # --- what cannot be carried -------------------------------------------------------------------

    def _compaction(self, raw: Raw, path: str) -> None:
        self._notes.refuse(path, "only the provider that compacted a conversation can read it")

    def _compact_now(self, raw: Raw, path: str) -> None:
        self._notes.refuse(path, "this provider cannot compact a conversation")

    def _reference(self, raw: Raw, path: str) -> None:
        raise InvalidRequest(
            f"Item with id '{member(raw, Kind, path).id}' not found.",
            status=404,
            kind="not_found_error",
            param=path,
            code="item_not_found",
        )


_ITEMS: dict[str, Callable[[Reading, Raw, str], None]] = {
    "message": Reading._message,
    "reasoning": Reading._reasoning,
    "tool_search_output": Reading._searched,
    "additional_tools": Reading._more_tools,
    "configuration_update": Reading._configuration,
    "compaction": Reading._compaction,
    "compaction_trigger": Reading._compact_now,
    "item_reference": Reading._reference,
}


def _joined(parts: list[TextPart] | None) -> str:
    return "\n\n".join(part.text for part in parts or () if part.text)
