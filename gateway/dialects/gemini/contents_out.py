"""The conversation as `Content`: user and model alternate, results follow their calls.

As long as the client only appends turns, the contents of one request are a prefix of those of the
next: prompt caches depend on it. A signature is sent on the part that it came with.
"""

from gateway.dialect import Block, Conversion
from gateway.dialects.common.arguments import write_arguments_object
from gateway.dialects.common.extra_content import SKIP_SIGNATURE
from gateway.dialects.common.instructions import (
    CONTINUE_PROMPT,
    has_several_users,
    render_reminder,
    without_billing_header,
)
from gateway.dialects.common.signatures import CALL_SIGNATURE, LONE_SIGNATURE, TEXT_SIGNATURE
from gateway.dialects.common.tool_results import pair_tool_results
from gateway.dialects.gemini.parts_out import write_parts
from gateway.dialects.gemini.results_out import write_result
from gateway.neutral.events import Part, Redacted, Text, Thinking, ToolCall, ToolResult, Turn


def write_system(conversion: Conversion, hints: list[str]) -> Block | None:
    """`systemInstruction`: the client's instructions, then the gateway's `hints`."""
    texts = [part.text for part in without_billing_header(conversion.prompt.system)]
    parts = [{"text": text} for text in [*texts, *hints] if text]
    return {"parts": parts} if parts else None


def write_turns(conversion: Conversion) -> list[Block]:
    """`contents`: user first, turns of one role merged, every call answered."""
    notes = conversion.notes
    writing = _TurnWriter(conversion)
    for turn in pair_tool_results(conversion.prompt.turns, notes):
        writing.add_turn(turn)
    contents = writing.contents
    if not contents:
        return [{"role": "user", "parts": [{"text": " "}]}]
    if contents[0]["role"] != "user":
        notes.drop("messages", "first_turn_is_not_the_user's")
        contents.insert(0, {"role": "user", "parts": [{"text": "."}]})
    last = contents[-1]
    if last["role"] == "model" and "functionCall" not in last["parts"][-1]:
        _append_continue_turn(contents, conversion)
    return contents


def _append_continue_turn(contents: list[Block], conversion: Conversion) -> None:
    if conversion.capability.prefill != "native":
        conversion.notes.drop("messages", "prefill_not_supported")
        contents.append({"role": "user", "parts": [{"text": CONTINUE_PROMPT}]})


class _TurnWriter:
    """Collects the contents."""

    def __init__(self, conversion: Conversion) -> None:
        self.contents: list[Block] = []
        self._conversion = conversion
        self._call_names: dict[str, str] = {}  # the upstream's tool names by call id
        self._shows_user_names = has_several_users(conversion.prompt.turns)

    def add_turn(self, turn: Turn) -> None:
        """Adds a turn."""
        if turn.role == "assistant":
            self._append_parts("model", self._write_model_parts(turn.parts))
        elif turn.role == "user":
            self._append_parts("user", self._write_user_parts(turn))
        else:
            self._append_parts("user", _write_reminder(turn))

    def _append_parts(self, role: str, parts: list[Block]) -> None:
        if not parts:
            return
        if self.contents and self.contents[-1]["role"] == role:
            self.contents[-1]["parts"] += parts
        else:
            self.contents.append({"role": role, "parts": parts})

    def _write_user_parts(self, turn: Turn) -> list[Block]:
        responses: list[Block] = []
        shown: list[Block] = []
        for result in turn.parts:
            if isinstance(result, ToolResult):
                name = self._call_names[result.call_id]  # pair_tool_results leaves no other
                response, pictures = write_result(result, name, self._conversion)
                responses.append(response)
                shown += pictures
        rest = write_parts(
            [part for part in turn.parts if not isinstance(part, ToolResult)], self._conversion
        )
        if rest and self._shows_user_names and turn.name:
            rest.insert(0, {"text": f"{turn.name}: "})
        return [*responses, *shown, *rest]

    def _write_model_parts(self, parts: list[Part]) -> list[Block]:
        turn = _ModelTurn(self._conversion)
        for part in parts:
            turn.add_part(part)
            if isinstance(part, ToolCall):
                self._call_names[part.id] = self._conversion.names.to_upstream(part.name)
        return turn.finish_turn()


def _write_reminder(turn: Turn) -> list[Block]:
    texts = [part.text for part in turn.parts if isinstance(part, Text) and part.text]
    return [{"text": render_reminder(text)} for text in texts]


class _ModelTurn:
    """One turn of the model, with signatures on the parts that they came with."""

    def __init__(self, conversion: Conversion) -> None:
        self._conversion = conversion
        self._parts: list[Block] = []
        self._next_signature = ""  # signature of the next call
        self._first_call: Block | None = None  # the first call of the turn
        self._has_signature = False

    def add_part(self, part: Part) -> None:
        """Adds a part."""
        match part:
            case ToolCall():
                self._write_call(part)
            case Thinking():
                self._write_thought(part)
            case Redacted():
                self._write_redacted(part)
            case _:
                if isinstance(part, Text) and part.citations:
                    self._conversion.notes.note("messages.citations", "unsupported_by_target")
                self._parts += write_parts([part], self._conversion)

    def finish_turn(self) -> list[Block]:
        """The turn's parts; with the placeholder signature if one is required and none is there."""
        needed = self._conversion.capability.thought_signatures == "required"
        if self._first_call is not None and not self._has_signature and needed:
            self._first_call["thoughtSignature"] = SKIP_SIGNATURE
        return self._parts

    def _write_call(self, part: ToolCall) -> None:
        conversion = self._conversion
        given = {"input": part.arguments} if part.custom else write_arguments_object(part.arguments)
        if isinstance(given, dict) and "_raw_arguments" in given:
            conversion.notes.note("messages.tool_calls.arguments", "invalid_json_kept_as_text")
        call: Block = {"name": conversion.names.to_upstream(part.name), "args": given}
        if conversion.capability.call_ids:
            call["id"] = part.id
        block: Block = {"functionCall": call}
        signature, self._next_signature = self._next_signature, ""
        if not signature and conversion.signed is not None:
            signature = conversion.signed.find(part.id) or ""
        if signature:
            block["thoughtSignature"] = signature
            self._has_signature = True
        self._first_call = self._first_call or block
        self._parts.append(block)

    def _write_thought(self, part: Thinking) -> None:
        sealed = self._conversion.unsealed(part.signature or "")
        if sealed is None:
            self._conversion.notes.note("messages.thinking", "foreign_reasoning_dropped")
        elif sealed.kind == "signature":
            thought = {"text": part.text, "thought": True, "thoughtSignature": sealed.data}
            self._parts.append(thought)

    def _write_redacted(self, part: Redacted) -> None:
        sealed = self._conversion.unsealed(part.data)
        if sealed is None:
            self._conversion.notes.note("messages.thinking", "foreign_reasoning_dropped")
        elif sealed.kind == CALL_SIGNATURE:
            self._next_signature = sealed.data
        elif sealed.kind == TEXT_SIGNATURE and self._parts and self._parts[-1].keys() == {"text"}:
            self._parts[-1]["thoughtSignature"] = sealed.data
        elif sealed.kind in (TEXT_SIGNATURE, LONE_SIGNATURE):
            self._parts.append({"text": "", "thoughtSignature": sealed.data})
