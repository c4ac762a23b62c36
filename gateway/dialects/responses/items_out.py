"""Turns as Responses input items (`ResponseInputItemParam`).

The upstream stores nothing, so items carry no ids but those that reasoning is bound to. Every step
looks only backwards: a longer conversation starts with the same items, and prompt caches hit.
"""

from gateway.dialect import Block, Conversion
from gateway.dialects.common.arguments import write_function_arguments
from gateway.dialects.common.cache_marks import CacheMarks
from gateway.dialects.common.instructions import (
    CONTINUE_PROMPT,
    has_several_users,
    render_reminder,
    without_billing_header,
)
from gateway.dialects.common.names import adapt_tool_id
from gateway.dialects.common.signatures import CALL_SIGNATURE, LONE_SIGNATURE, TEXT_SIGNATURE
from gateway.dialects.common.tool_results import pair_tool_results
from gateway.dialects.responses.parts_out import (
    is_plain_text,
    write_content,
    write_parts,
    write_text,
    write_tool_result,
)
from gateway.dialects.responses.reasoning import write_replayed_reasoning
from gateway.neutral.events import (
    Opaque,
    Part,
    Redacted,
    Refusal,
    ServerTool,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)


def write_turns(conversion: Conversion, hints: list[str]) -> list[Block]:
    """The `input` member; `hints` are instructions of the gateway's own."""
    writing = _TurnsWriter(conversion)
    writing.add_system(conversion.prompt.system, hints)
    turns = pair_tool_results(conversion.prompt.turns, conversion.notes)
    for turn in turns:
        writing.add_turn(turn)
    if turns and turns[-1].role == "assistant":
        writing.append_continue_turn()
    writing.marks.note_unplaced(conversion, "breakpoints")
    writing.marks.keep_last(4 if conversion.prompt.cache_explicit else 3, conversion)
    return writing.items


class _TurnsWriter:
    """The items so far."""

    def __init__(self, conversion: Conversion) -> None:
        self.items: list[Block] = []
        self.marks = CacheMarks()
        self._conversion = conversion
        self._custom_call_ids: set[str] = (
            set()
        )  # ids of the calls with free text, whose outputs differ
        self._shows_user_names = has_several_users(conversion.prompt.turns)

    def add_system(self, texts: list[Text], hints: list[str]) -> None:
        """The first message: the client's instructions, then the gateway's."""
        texts = without_billing_header(texts)
        blocks = write_parts(
            [*texts, *(Text(hint) for hint in hints)], self._conversion, self.marks
        )
        if blocks:
            whole = (
                "\n\n".join(block["text"] for block in blocks) if is_plain_text(blocks) else blocks
            )
            self._append_message(self._choose_system_role(), whole)

    def add_turn(self, turn: Turn) -> None:
        """One more turn."""
        if turn.role == "assistant":
            self._add_assistant_turn(turn.parts)
        elif turn.role == "user":
            self._add_user_turn(turn)
        else:
            self._add_system_turn(turn)

    def append_continue_turn(self) -> None:
        """Make the model go on with its last message: no item can be left open for it."""
        last = self.items[-1] if self.items else {}
        if last.get("role") == "assistant":
            self._conversion.notes.drop("messages.prefill", "asked_for_in_words")
            self._append_message("user", CONTINUE_PROMPT)

    def _choose_system_role(self) -> str:
        return "developer" if self._conversion.capability.developer_role else "system"

    def _append_message(self, role: str, content: object) -> None:
        self.items.append({"type": "message", "role": role, "content": content})

    def _add_system_turn(self, turn: Turn) -> None:
        capability = self._conversion.capability
        text = "\n\n".join(part.text for part in turn.parts if isinstance(part, Text))
        if not text:
            return
        if capability.system_first_only or not capability.mid_system:
            self._append_message("user", render_reminder(text))
        else:
            self._append_message(self._choose_system_role(), text)

    def _add_user_turn(self, turn: Turn) -> None:
        conversion = self._conversion
        rest: list[Part] = []
        for part in turn.parts:
            if isinstance(part, ToolResult):
                self._add_result(part)
            else:
                rest.append(part)
        blocks = write_parts(rest, conversion, self.marks)
        if not blocks:
            return
        if self._shows_user_names and turn.name:
            blocks.insert(0, write_text(f"{turn.name}: "))
        self._append_message("user", write_content(blocks))

    def _add_result(self, result: ToolResult) -> None:
        conversion = self._conversion
        kind = "custom_tool_call" if result.call_id in self._custom_call_ids else "function_call"
        self.items.append({
            "type": f"{kind}_output",
            "call_id": adapt_tool_id(result.call_id, conversion.capability.tool_id),
            "output": write_tool_result(result, conversion, self.marks),
        })  # fmt: skip

    def _add_assistant_turn(self, parts: list[Part]) -> None:
        start = len(self.items)
        for part in parts:
            match part:
                case Text() | Refusal() | ServerTool():
                    self._append_text(part, start)
                case ToolCall():
                    self.items.append(self._write_call(part))
                case Thinking() | Redacted():
                    self._append_reasoning(part)
                case _:
                    kind = part.type if isinstance(part, Opaque) else type(part).__name__.lower()
                    self._conversion.notes.drop(f"messages.{kind}")
        while len(self.items) > start and self.items[-1]["type"] == "reasoning":
            # what it led to is gone, and the API refuses it without
            self._conversion.notes.note("messages.thinking", "without_answer_dropped")
            self.items.pop()

    def _append_text(self, part: Text | Refusal | ServerTool, start: int) -> None:
        """One more part of the last message of this turn, or of a new one."""
        if not part.text:
            return
        if isinstance(part, Text) and part.citations:
            self._conversion.notes.drop("messages.citations")
        block: Block = {"type": "output_text", "text": part.text}
        if isinstance(part, Refusal):
            block = {"type": "refusal", "refusal": part.text}
        if len(self.items) > start and self.items[-1]["type"] == "message":
            self.items[-1]["content"].append(block)
        else:
            self._append_message("assistant", [block])

    def _append_reasoning(self, part: Thinking | Redacted) -> None:
        if isinstance(part, Redacted) and _is_signature_only(part, self._conversion):
            return
        item = write_replayed_reasoning(part, self._conversion)
        if item is not None:
            self.items.append(item)

    def _write_call(self, call: ToolCall) -> Block:
        conversion = self._conversion
        id = adapt_tool_id(call.id, conversion.capability.tool_id)
        name = conversion.names.to_upstream(call.name)
        if call.custom and conversion.capability.custom_tools:
            self._custom_call_ids.add(call.id)
            given = {"name": name, "input": call.arguments}
            return {"type": "custom_tool_call", "call_id": id, **given}
        arguments = write_function_arguments(call)
        return {"type": "function_call", "call_id": id, "name": name, "arguments": arguments}


def _is_signature_only(part: Redacted, conversion: Conversion) -> bool:
    """Whether a part is only the signature of another part, sealed or native."""
    sealed = conversion.seal.unseal(part.data)
    return part.origin == CALL_SIGNATURE or (
        sealed is not None and sealed.kind in (CALL_SIGNATURE, TEXT_SIGNATURE, LONE_SIGNATURE)
    )
