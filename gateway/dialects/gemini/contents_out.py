"""The conversation as Gemini takes it (`Content`): user and model in turn, results after calls.

What is written for one call is a prefix of what is written for the next, as long as the client only
appends: prompt caches need that. A signature goes back on the part that it came with, and on no
other.
"""

from gateway.dialect import Block, Crossing
from gateway.dialects.common.arguments import arguments
from gateway.dialects.common.extra_content import SKIP
from gateway.dialects.common.pairing import paired
from gateway.dialects.common.signatures import ALONE, CALL, SAID
from gateway.dialects.gemini.parts_out import parts_out, text_part
from gateway.dialects.gemini.results_out import result_out
from gateway.neutral.events import Part, Redacted, Text, Thinking, ToolCall, ToolResult, Turn

_BILLING = "x-anthropic-billing-header:"
_CONTINUE = "Continue exactly from where your last message stopped."


def write_system(crossing: Crossing, hints: list[str]) -> Block | None:
    """`systemInstruction`: the client's instructions, then the gateway's."""
    texts = [part.text for part in crossing.prompt.system]
    if texts and texts[0].startswith(_BILLING):
        texts = texts[1:]  # it differs in each request, which no prompt cache survives
    parts = [{"text": text} for text in [*texts, *hints] if text]
    return {"parts": parts} if parts else None


def write_contents(crossing: Crossing) -> list[Block]:
    """`contents`: user first, turns of one role merged, every call answered."""
    notes = crossing.notes
    writing = _Writing(crossing)
    for turn in paired(crossing.prompt.turns, notes):
        writing.add(turn)
    contents = writing.contents
    if not contents:
        return [{"role": "user", "parts": [{"text": " "}]}]
    if contents[0]["role"] != "user":
        notes.drop("messages", "first_turn_is_not_the_user's")
        contents.insert(0, {"role": "user", "parts": [{"text": "."}]})
    last = contents[-1]
    if last["role"] == "model" and "functionCall" not in last["parts"][-1]:
        _go_on(contents, crossing)
    return contents


def _go_on(contents: list[Block], crossing: Crossing) -> None:
    if crossing.capability.prefill != "native":
        crossing.notes.drop("messages", "prefill_not_supported")
        contents.append({"role": "user", "parts": [{"text": _CONTINUE}]})


class _Writing:
    """The contents so far."""

    def __init__(self, crossing: Crossing) -> None:
        self.contents: list[Block] = []
        self._crossing = crossing
        self._called: dict[str, str] = {}  # the upstream's names of the calls so far, by id
        names = {turn.name for turn in crossing.prompt.turns if turn.role == "user" and turn.name}
        self._named = len(names) > 1

    def add(self, turn: Turn) -> None:
        """One more turn."""
        if turn.role == "assistant":
            self._append("model", self._model(turn.parts))
        elif turn.role == "user":
            self._append("user", self._user(turn))
        else:
            self._append("user", _reminder(turn))

    def _append(self, role: str, parts: list[Block]) -> None:
        if not parts:
            return
        if self.contents and self.contents[-1]["role"] == role:
            self.contents[-1]["parts"] += parts
        else:
            self.contents.append({"role": role, "parts": parts})

    def _user(self, turn: Turn) -> list[Block]:
        responses: list[Block] = []
        shown: list[Block] = []
        for result in turn.parts:
            if isinstance(result, ToolResult):
                name = self._called[result.call_id]  # pairing leaves no other
                response, pictures = result_out(result, name, self._crossing)
                responses.append(response)
                shown += pictures
        rest = parts_out(
            [part for part in turn.parts if not isinstance(part, ToolResult)], self._crossing
        )
        if rest and self._named and turn.name:
            rest.insert(0, {"text": f"{turn.name}: "})
        return [*responses, *shown, *rest]

    def _model(self, parts: list[Part]) -> list[Block]:
        turn = _ModelTurn(self._crossing)
        for part in parts:
            turn.add(part)
            if isinstance(part, ToolCall):
                self._called[part.id] = self._crossing.names.sent(part.name)
        return turn.finished()


def _reminder(turn: Turn) -> list[Block]:
    texts = [part.text for part in turn.parts if isinstance(part, Text) and part.text]
    return [{"text": f"<system-reminder>\n{text}\n</system-reminder>"} for text in texts]


class _ModelTurn:
    """One turn of the model's, its signatures on the parts that they came with."""

    def __init__(self, crossing: Crossing) -> None:
        self._crossing = crossing
        self._parts: list[Block] = []
        self._next = ""  # signature of the next call
        self._first: Block | None = None  # the first call of the turn
        self._signed = False

    def add(self, part: Part) -> None:
        """One more part."""
        match part:
            case ToolCall():
                self._call(part)
            case Thinking():
                self._thought(part)
            case Redacted():
                self._hidden(part)
            case Text():
                if part.citations:
                    self._crossing.notes.note("messages.citations", "unsupported_by_target")
                self._parts += text_part(part.text)
            case _:
                self._parts += parts_out([part], self._crossing)

    def finished(self) -> list[Block]:
        """The turn's parts; where no call is signed and one must be, the check is skipped."""
        needed = self._crossing.capability.thought_signatures == "required"
        if self._first is not None and not self._signed and needed:
            self._first["thoughtSignature"] = SKIP
        return self._parts

    def _call(self, part: ToolCall) -> None:
        crossing = self._crossing
        given = {"input": part.arguments} if part.custom else arguments(part.arguments)
        if isinstance(given, dict) and "_raw_arguments" in given:
            crossing.notes.note("messages.tool_calls.arguments", "invalid_json_kept_as_text")
        call: Block = {"name": crossing.names.sent(part.name), "args": given}
        if crossing.capability.call_ids:
            call["id"] = part.id
        block: Block = {"functionCall": call}
        signature, self._next = self._next, ""
        if not signature and crossing.signed is not None:
            signature = crossing.signed.find(part.id) or ""
        if signature:
            block["thoughtSignature"] = signature
            self._signed = True
        self._first = self._first or block
        self._parts.append(block)

    def _thought(self, part: Thinking) -> None:
        sealed = self._crossing.unsealed(part.signature or "")
        if sealed is None:
            self._crossing.notes.note("messages.thinking", "foreign_reasoning_dropped")
        elif sealed.kind == "signature":
            thought = {"text": part.text, "thought": True, "thoughtSignature": sealed.data}
            self._parts.append(thought)

    def _hidden(self, part: Redacted) -> None:
        sealed = self._crossing.unsealed(part.data)
        if sealed is None:
            self._crossing.notes.note("messages.thinking", "foreign_reasoning_dropped")
        elif sealed.kind == CALL:
            self._next = sealed.data
        elif sealed.kind == SAID and self._parts and self._parts[-1].keys() == {"text"}:
            self._parts[-1]["thoughtSignature"] = sealed.data
        elif sealed.kind in (SAID, ALONE):
            self._parts.append({"text": "", "thoughtSignature": sealed.data})
