"""The messages of a Chat request as turns (`ChatCompletionMessageParam`)."""

import hashlib
from collections.abc import Sequence

import msgspec
from msgspec import Raw

from gateway.dialects.chat import fast_shapes as typed
from gateway.dialects.chat.answer import Delta, ReasoningDetail, ThinkingBlock
from gateway.dialects.chat.parts_in import read_parts
from gateway.dialects.chat.reasoning import read_reasoning
from gateway.dialects.chat.tools_in import read_cache_mark
from gateway.dialects.chat.wire import NAME, MessageParam, ToolCallParam
from gateway.dialects.common.arguments import normalize_arguments
from gateway.dialects.common.extra_content import read_signature
from gateway.errors import InvalidRequest
from gateway.neutral.events import Audio, Part, Redacted, Refusal, Text, ToolCall, ToolResult, Turn
from gateway.neutral.notes import LossReport
from gateway.neutral.seal import PREFIX
from gateway.wire.raw_json import RAWS, Shape, decode, member

_KNOWN_MEMBERS = frozenset(MessageParam.__struct_fields__)
_IGNORED_MEMBERS = frozenset(typed.MessageShape.__struct_fields__) - _KNOWN_MEMBERS
"""Members of a message that say nothing to a model."""
_MESSAGES_SHAPE: Shape[list[typed.MessageShape]] = Shape(list[typed.MessageShape])
_SYSTEM_ROLES = ("system", "developer")


def read_turns(raw: Raw, notes: LossReport) -> tuple[list[Text], list[Turn]]:
    """The leading system messages, and every other message in turns."""
    reading = _TurnsReader(notes)
    try:
        messages: Sequence[typed.MessageShape | Raw] = decode(raw, _MESSAGES_SHAPE)
    except msgspec.ValidationError:
        messages = member(raw, RAWS, "messages")
    for at, message in enumerate(messages):
        reading.add_message(message, at)
    return reading.system, reading.turns


def _read_message(raw: Raw, path: str, notes: LossReport) -> typed.MessageShape | MessageParam:
    try:
        return decode(raw, typed.MessageShape)
    except msgspec.ValidationError:
        for name in member(raw, dict[str, Raw], path).keys() - _KNOWN_MEMBERS - _IGNORED_MEMBERS:
            notes.drop(f"{path}.{name}", "unknown")
        return member(raw, MessageParam, path)


class _TurnsReader:
    """The turns so far."""

    def __init__(self, notes: LossReport) -> None:
        self.system: list[Text] = []
        self.turns: list[Turn] = []
        self._notes = notes
        self._results_open = False  # the last turn holds tool results and may take more
        self._function_id = ""
        self._generated_ids: list[str] = []  # of calls without one that wait for their results

    def add_message(self, item: typed.MessageShape | Raw, at: int) -> None:
        """One more message."""
        message = (
            _read_message(item, f"messages.{at}", self._notes) if isinstance(item, Raw) else item
        )
        results = self._results_open
        self._results_open = False
        if message.role in _SYSTEM_ROLES:
            self._add_system(message, at)
        elif message.role == "user":
            parts = read_parts(message, at, self._notes)
            if results:
                self.turns[-1].parts += parts
                self.turns[-1].name = message.name
            else:
                self.turns.append(Turn("user", parts, message.name))
        elif message.role == "assistant":
            self.turns.append(Turn("assistant", self._read_assistant(message, at), message.name))
        elif message.role in ("tool", "function"):
            self._add_result(message, at, results)
        else:
            where = f"messages.{at}.role"
            raise InvalidRequest(f"{where}: unknown value {message.role!r}", param=where)

    def _add_system(self, message: typed.MessageShape | MessageParam, at: int) -> None:
        parts = read_parts(message, at, self._notes)
        if self.turns:
            self.turns.append(Turn("system", parts))
            return
        for part in parts:
            if isinstance(part, Text):
                self.system.append(part)
            else:
                self._notes.drop(f"messages.{at}.content", "not_text")

    def _add_result(
        self, message: typed.MessageShape | MessageParam, at: int, open_turn: bool
    ) -> None:
        if message.role == "function":
            call_id = self._function_id
        elif message.tool_call_id:
            call_id = message.tool_call_id
        elif message.tool_call_id is not None and self._generated_ids:
            call_id = self._generated_ids.pop(0)
        else:
            where = f"messages.{at}.tool_call_id"
            raise InvalidRequest(f"{where}: Field required", param=where)
        result = ToolResult(
            call_id,
            read_parts(message, at, self._notes),
            cache=read_cache_mark(message.cache_control) if message.content else None,
        )
        if open_turn:
            self.turns[-1].parts.append(result)
        else:
            self.turns.append(Turn("user", [result]))
        self._results_open = True

    def _read_assistant(self, message: typed.MessageShape | MessageParam, at: int) -> list[Part]:
        path = f"messages.{at}"
        parts = _read_message_reasoning(message, path)
        parts += [
            part
            for part in read_parts(message, at, self._notes)
            if not isinstance(part, Text) or part.text
        ]
        parts += _read_sealed_signature(message.extra_content)
        if message.refusal:
            parts.append(Refusal(message.refusal))
        if message.audio is not None:
            parts.append(Audio(id=message.audio.id))
        self._generated_ids.clear()
        for index, call in enumerate(message.tool_calls or ()):
            parts += _read_sealed_signature(call.extra_content)
            parts.append(self._read_call(call, f"{path}.tool_calls.{index}"))
        if message.function_call is not None:
            name = message.function_call.name
            digest = hashlib.sha256(f"{at},{name}".encode("utf-8", "replace")).hexdigest()
            self._function_id = f"toolu_{digest[:24]}"
            arguments = self._read_arguments(
                message.function_call.arguments, f"{path}.function_call.arguments"
            )
            parts.append(ToolCall(self._function_id, name, arguments))
        return parts

    def _read_call(self, call: ToolCallParam, path: str) -> ToolCall:
        if call.id is None:
            raise InvalidRequest(f"{path}.id: Field required", param=f"{path}.id")
        id = call.id or self._make_call_id(path)
        if call.custom is not None:
            return ToolCall(id, call.custom.name, call.custom.input, custom=True)
        if call.function is None:
            raise InvalidRequest(f"{path}.function: Field required", param=f"{path}.function")
        arguments = self._read_arguments(call.function.arguments, f"{path}.function.arguments")
        return ToolCall(id, call.function.name, arguments)

    def _make_call_id(self, path: str) -> str:
        """An id for a call that its server gave none, the same in each turn."""
        id = f"call_{hashlib.sha256(path.encode()).hexdigest()[:24]}"
        self._generated_ids.append(id)
        return id

    def _read_arguments(self, arguments: str | dict[str, Raw] | None, path: str) -> str:
        found = normalize_arguments(arguments)
        if found.repaired:
            self._notes.note(path, "invalid_json_kept_as_text")
        return found.text


def _read_sealed_signature(extra: Raw) -> list[Part]:
    """What this gateway sealed; a bare signature means nothing outside Chat and is dropped."""
    signature = read_signature(extra)
    return [Redacted(signature, NAME)] if signature.startswith(PREFIX) else []


def _read_message_reasoning(message: typed.MessageShape | MessageParam, path: str) -> list[Part]:
    """Earlier reasoning that the client replays, in whichever spelling."""
    for at, raw in enumerate(message.reasoning_details or ()):
        member(raw, ReasoningDetail, f"{path}.reasoning_details.{at}")
    blocks = [
        member(raw, ThinkingBlock, f"{path}.thinking_blocks.{at}")
        for at, raw in enumerate(message.thinking_blocks or ())
    ]
    return read_reasoning(
        Delta(
            reasoning_content=message.reasoning_content,
            reasoning=message.reasoning,
            reasoning_details=message.reasoning_details,
            thinking_blocks=blocks,
        )
    )
