"""The conversation of a Gemini request (`Content`).

A stream's answer comes back as one content for each of its pieces: neighbours of the model's are
one turn. A function's response belongs to the call with its id; clients that know no ids leave the
name and the order.
"""

import hashlib

from msgspec import Raw, Struct

from gateway.dialects.gemini.carried import Bundle, Reasoning, carried
from gateway.dialects.gemini.parts_in import read_code, read_media, read_result
from gateway.dialects.gemini.spelling import camelised
from gateway.dialects.gemini.wire import NAME, FunctionCall, FunctionResponse
from gateway.dialects.gemini.wire_in import SentContent, SentPart
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
from gateway.neutral.notes import Notes
from gateway.wire.raw_json import ABSENT, member, present

_USERS = frozenset({"user", "function", "tool"})


def read_system(raw: Raw, prompt: Prompt, notes: Notes) -> None:
    """The system instruction, whatever role it claims; a part for each of its texts."""
    path = "systemInstruction"
    if bytes(raw)[:1] == b'"':
        texts = [member(raw, str, path)]
    else:
        content = member(camelised(raw), SentContent, path)
        texts = []
        for at, part in enumerate(content.parts or ()):
            if part.text is None:
                notes.drop(f"{path}.parts.{at}", "not_text")
            else:
                texts.append(part.text)
    prompt.system += [Text(text) for text in texts if text]


def read_contents(raw: Raw, prompt: Prompt, notes: Notes) -> None:
    """The turns."""
    reading = _Reading(notes)
    for at, content in enumerate(member(camelised(raw), list[SentContent], "contents")):
        reading.add(content, f"contents.{at}", at)
    prompt.turns += reading.turns


class _Open(Struct):
    """A call that waits for its response."""

    id: str
    name: str


class _Reading:
    """The turns so far."""

    def __init__(self, notes: Notes) -> None:
        self.turns: list[Turn] = []
        self._notes = notes
        self._open: list[_Open] = []  # calls without a response, in their order

    def add(self, content: SentContent, path: str, place: int) -> None:
        """One more content; `place` is where it stands among all."""
        parts = content.parts or []
        role = content.role or "user"
        if role == "model":
            self._model(parts, f"{path}.parts", place)
        elif role in _USERS:
            self.turns.append(Turn("user", self._user(parts, f"{path}.parts", place)))
        elif role == "system":
            texts: list[Part] = [Text(part.text) for part in parts if part.text]
            self.turns.append(Turn("system", texts))
        else:
            where = f"{path}.role"
            raise InvalidRequest(
                f"{where}: must be 'user' or 'model', not {role[:50]!r}", param=where
            )

    def _user(self, parts: list[SentPart], path: str, place: int) -> list[Part]:
        results: list[Part] = []
        others: list[Part] = []
        for at, part in enumerate(parts):
            where = f"{path}.{at}"
            if part.function_response is not None:
                where = f"{where}.functionResponse"
                results.append(self._result(part.function_response, where, (place, at)))
            else:
                others += self._part(part, where)
        return results + others

    def _result(self, found: FunctionResponse, path: str, place: tuple[int, int]) -> ToolResult:
        if not found.name and not found.id:
            raise InvalidRequest(f"{path}.name: Field required", param=f"{path}.name")
        call = self._answered(found)
        # What answers no call still has an id of its own, the same in every turn.
        call_id = call.id if call is not None else found.id or _made_id(place, found.name)
        return read_result(found, call_id, path)

    def _answered(self, found: FunctionResponse) -> _Open | None:
        """The call that a response answers, which then waits no longer."""
        likely = [call for call in self._open if found.id and call.id == found.id]
        likely += [call for call in self._open if call.name == found.name]
        if not likely:
            return None
        self._open.remove(likely[0])
        return likely[0]

    def _model(self, parts: list[SentPart], path: str, place: int) -> None:
        going_on = bool(self.turns) and self.turns[-1].role == "assistant"
        turn = self.turns[-1] if going_on else Turn("assistant", [])
        if not going_on:
            self._open.clear()
            self.turns.append(turn)
        joined = going_on  # a text that goes on with the text of the content before
        for at, part in enumerate(parts):
            for said in self._said(part, turn.parts, f"{path}.{at}", (place, at)):
                _append(turn.parts, said, joined=joined)
                joined = False

    def _said(
        self, part: SentPart, before: list[Part], path: str, place: tuple[int, int]
    ) -> list[Part]:
        """What the model said in a part, after the reasoning that its signature carries."""
        signed = carried(part.thought_signature) if part.thought_signature else Bundle()
        if part.thought and part.text is not None:
            return _thought(part.text, signed)
        hidden: list[Part] = (
            [Redacted(signed, NAME)] if isinstance(signed, str) else _restored(signed, before)
        )
        if part.function_call is not None:
            return [*hidden, self._call(part.function_call, f"{path}.functionCall", place)]
        return [*hidden, *self._part(part, path, signed=part.thought_signature is not None)]

    def _call(self, found: FunctionCall, path: str, place: tuple[int, int]) -> ToolCall:
        if not found.name:
            raise InvalidRequest(f"{path}.name: Field required", param=f"{path}.name")
        arguments = ""
        if present(found.args):
            if bytes(found.args)[:1] != b"{":
                raise InvalidRequest(f"{path}.args: must be an object", param=f"{path}.args")
            arguments = bytes(found.args).decode("utf-8", "replace")
        call_id = found.id or _made_id(place, found.name)
        self._open.append(_Open(call_id, found.name))
        return ToolCall(call_id, found.name, arguments)

    def _part(self, part: SentPart, path: str, *, signed: bool = False) -> list[Part]:
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


def _thought(text: str, signed: str | Bundle) -> list[Part]:
    """A thought that the client was shown, with its signature; or hidden ones."""
    if isinstance(signed, Bundle):
        shown: list[Part] = [Thinking(text, None, NAME)] if text else []
        return [*shown, *signed.early, *signed.late]
    return [Thinking(text, signed, NAME)]


def _restored(carried: Bundle, before: list[Part]) -> list[Part]:
    """Puts back what a call carries and the client did not keep in parts of its own.

    What came before any text goes there, after the last call; the rest is returned.
    """
    place = 1 + max(
        (at for at, part in enumerate(before) if isinstance(part, ToolCall)), default=-1
    )
    before[place:place] = _lost(carried.early, before)
    return _lost(carried.late, before)


def _lost(pieces: list[Reasoning], before: list[Part]) -> list[Part]:
    lost: list[Part] = []
    for piece in pieces:
        twin = next((part for part in before if _is_same(piece, part)), None)
        if twin is None:
            lost.append(piece)
        elif isinstance(twin, Thinking) and isinstance(piece, Thinking):
            twin.signature = twin.signature or piece.signature
    return lost


def _is_same(piece: Reasoning, part: Part) -> bool:
    if isinstance(piece, Thinking):
        return isinstance(part, Thinking) and part.text == piece.text
    return isinstance(part, Redacted) and part.data == piece.data


def _append(parts: list[Part], part: Part, *, joined: bool) -> None:
    """Adds a part; text and thoughts that a stream cut in pieces are made whole again."""
    last = parts[-1] if parts else None
    if joined and isinstance(part, Text) and isinstance(last, Text):
        last.text += part.text
    elif isinstance(part, Thinking) and isinstance(last, Thinking) and last.signature is None:
        last.text += part.text
        last.signature = part.signature
    else:
        parts.append(part)


def _made_id(place: tuple[int, int], name: str) -> str:
    """An id for a call that has none, the same in each turn."""
    digest = hashlib.sha256(f"{place[0]},{place[1]},{name}".encode("utf-8", "replace"))
    return f"call_{digest.hexdigest()[:24]}"
