"""The conversation of a Gemini request (`Content`).

Clients send back a streamed answer as one content for each of its events, so adjacent contents of
the model are one turn. A function response belongs to the call with its id; without ids it belongs
to the first pending call of its name.
"""

import hashlib

from msgspec import Raw, Struct

from gateway.dialects.gemini.camel_case import rename_members
from gateway.dialects.gemini.parts_in import read_code, read_media, read_result
from gateway.dialects.gemini.signature_bundle import ReasoningBundle, ReasoningPart, parse_signature
from gateway.dialects.gemini.wire import NAME, FunctionCall, FunctionResponse
from gateway.dialects.gemini.wire_in import RequestContent, RequestPart
from gateway.errors import InvalidRequest
from gateway.neutral.events import (
    Part,
    Prompt,
    Redacted,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)
from gateway.neutral.notes import LossReport
from gateway.wire.raw_json import ABSENT, member, present

_USER_ROLES = frozenset({"user", "function", "tool"})


def read_system(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    """Reads the system instruction, whatever its role; one part for each of its texts."""
    path = "systemInstruction"
    if bytes(raw)[:1] == b'"':
        texts = [member(raw, str, path)]
    else:
        content = member(rename_members(raw), RequestContent, path)
        texts = []
        for at, part in enumerate(content.parts or ()):
            if part.text is None:
                notes.drop(f"{path}.parts.{at}", "not_text")
            else:
                texts.append(part.text)
    prompt.system += [Text(text) for text in texts if text]


def read_turns(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    """Reads the turns."""
    reading = _TurnReader(notes)
    for at, content in enumerate(member(rename_members(raw), list[RequestContent], "contents")):
        reading.add_content(content, f"contents.{at}", at)
    prompt.turns += reading.turns


class _PendingCall(Struct):
    """A call without a response so far."""

    id: str
    name: str


class _TurnReader:
    """The turns so far."""

    def __init__(self, notes: LossReport) -> None:
        self.turns: list[Turn] = []
        self._notes = notes
        self._pending_calls: list[_PendingCall] = []  # calls without a response, in their order

    def add_content(self, content: RequestContent, path: str, place: int) -> None:
        """Adds a content; `place` is its index in `contents`."""
        parts = content.parts or []
        role = content.role or "user"
        if role == "model":
            self._add_model_content(parts, f"{path}.parts", place)
        elif role in _USER_ROLES:
            self.turns.append(Turn("user", self._read_user_parts(parts, f"{path}.parts", place)))
        elif role == "system":
            texts: list[Part] = [Text(part.text) for part in parts if part.text]
            self.turns.append(Turn("system", texts))
        else:
            where = f"{path}.role"
            raise InvalidRequest(
                f"{where}: must be 'user' or 'model', not {role[:50]!r}", param=where
            )

    def _read_user_parts(self, parts: list[RequestPart], path: str, place: int) -> list[Part]:
        results: list[Part] = []
        others: list[Part] = []
        for at, part in enumerate(parts):
            where = f"{path}.{at}"
            if part.function_response is not None:
                where = f"{where}.functionResponse"
                results.append(self._read_result(part.function_response, where, (place, at)))
            else:
                others += self._read_part(part, where)
        return results + others

    def _read_result(
        self, found: FunctionResponse, path: str, place: tuple[int, int]
    ) -> ToolResult:
        if not found.name and not found.id:
            raise InvalidRequest(f"{path}.name: Field required", param=f"{path}.name")
        call = self._pop_pending_call(found)
        # A response without a call gets an id too, the same in every turn.
        call_id = call.id if call is not None else found.id or _make_call_id(place, found.name)
        return read_result(found, call_id, path)

    def _pop_pending_call(self, found: FunctionResponse) -> _PendingCall | None:
        """The call of a response, removed from the pending ones."""
        likely = [call for call in self._pending_calls if found.id and call.id == found.id]
        likely += [call for call in self._pending_calls if call.name == found.name]
        if not likely:
            return None
        self._pending_calls.remove(likely[0])
        return likely[0]

    def _add_model_content(self, parts: list[RequestPart], path: str, place: int) -> None:
        going_on = bool(self.turns) and self.turns[-1].role == "assistant"
        turn = self.turns[-1] if going_on else Turn("assistant", [])
        if not going_on:
            self._pending_calls.clear()
            self.turns.append(turn)
        joined = going_on  # a text that goes on with the text of the content before
        for at, part in enumerate(parts):
            for said in self._read_model_part(part, turn.parts, f"{path}.{at}", (place, at)):
                _append_part(turn.parts, said, joined=joined)
                joined = False

    def _read_model_part(
        self, part: RequestPart, before: list[Part], path: str, place: tuple[int, int]
    ) -> list[Part]:
        """The neutral parts of a model's part: the reasoning in its signature, then the part."""
        signed = (
            parse_signature(part.thought_signature) if part.thought_signature else ReasoningBundle()
        )
        if part.thought and part.text is not None:
            return _read_thought(part.text, signed)
        hidden: list[Part] = (
            [Redacted(signed, NAME)]
            if isinstance(signed, str)
            else _restore_reasoning(signed, before)
        )
        if part.function_call is not None:
            return [*hidden, self._read_call(part.function_call, f"{path}.functionCall", place)]
        return [*hidden, *self._read_part(part, path, signed=part.thought_signature is not None)]

    def _read_call(self, found: FunctionCall, path: str, place: tuple[int, int]) -> ToolCall:
        if not found.name:
            raise InvalidRequest(f"{path}.name: Field required", param=f"{path}.name")
        arguments = ""
        if present(found.args):
            if bytes(found.args)[:1] != b"{":
                raise InvalidRequest(f"{path}.args: must be an object", param=f"{path}.args")
            arguments = bytes(found.args).decode("utf-8", "replace")
        call_id = found.id or _make_call_id(place, found.name)
        self._pending_calls.append(_PendingCall(call_id, found.name))
        return ToolCall(call_id, found.name, arguments)

    def _read_part(self, part: RequestPart, path: str, *, signed: bool = False) -> list[Part]:
        if part.text is not None:
            return [Text(part.text)] if part.text else []
        read = read_media(part, path, self._notes) or read_code(part)
        if read is not None:
            return [read]
        if part.tool_call != ABSENT or part.tool_response != ABSENT:
            self._notes.drop(path, "server_tools_are_not_portable")
        elif not signed:
            self._notes.drop(path, "unknown_part")
        return []


def _read_thought(text: str, signed: str | ReasoningBundle) -> list[Part]:
    """A shown thought with its signature, and the hidden ones that the signature holds."""
    if isinstance(signed, ReasoningBundle):
        shown: list[Part] = [Thinking(text, None, NAME)] if text else []
        return [*shown, *signed.early, *signed.late]
    return [Thinking(text, signed, NAME)]


def _restore_reasoning(carried: ReasoningBundle, before: list[Part]) -> list[Part]:
    """Restores the reasoning that a call carries and that the client dropped as parts.

    Reasoning before any text is inserted after the last call; the rest is returned.
    """
    place = 1 + max(
        (at for at, part in enumerate(before) if isinstance(part, ToolCall)), default=-1
    )
    before[place:place] = _collect_missing(carried.early, before)
    return _collect_missing(carried.late, before)


def _collect_missing(pieces: list[ReasoningPart], before: list[Part]) -> list[Part]:
    lost: list[Part] = []
    for piece in pieces:
        twin = next((part for part in before if _is_same_reasoning(piece, part)), None)
        if twin is None:
            lost.append(piece)
        elif isinstance(twin, Thinking) and isinstance(piece, Thinking):
            twin.signature = twin.signature or piece.signature
    return lost


def _is_same_reasoning(piece: ReasoningPart, part: Part) -> bool:
    if isinstance(piece, Thinking):
        return isinstance(part, Thinking) and part.text == piece.text
    return isinstance(part, Redacted) and part.data == piece.data


def _append_part(parts: list[Part], part: Part, *, joined: bool) -> None:
    """Adds a part; the pieces of a streamed text or thought are joined."""
    last = parts[-1] if parts else None
    if joined and isinstance(part, Text) and isinstance(last, Text):
        last.text += part.text
    elif isinstance(part, Thinking) and isinstance(last, Thinking) and last.signature is None:
        last.text += part.text
        last.signature = part.signature
    else:
        parts.append(part)


def _make_call_id(place: tuple[int, int], name: str) -> str:
    """An id for a call without one, the same in each request of a conversation."""
    digest = hashlib.sha256(f"{place[0]},{place[1]},{name}".encode("utf-8", "replace"))
    return f"call_{digest.hexdigest()[:24]}"
