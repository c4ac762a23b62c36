"""Turns as Responses input items (`ResponseInputItemParam`).

The upstream stores nothing, so items carry no ids but those that reasoning is bound to. Every step
looks only backwards: a longer conversation starts with the same items, and prompt caches hit.
"""

import msgspec

from gateway.dialect import Block, Crossing
from gateway.dialects.common.cache_marks import Marks
from gateway.dialects.common.names import tool_id
from gateway.dialects.common.pairing import BILLING, CONTINUE, paired
from gateway.dialects.common.signatures import ALONE, CALL, SAID
from gateway.dialects.responses.parts_out import content, output, parts_out, plain, text_block
from gateway.dialects.responses.reasoning import replayed
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


def write_items(crossing: Crossing, hints: list[str]) -> list[Block]:
    """The `input` member; `hints` are instructions of the gateway's own."""
    writing = _Writing(crossing)
    writing.system(crossing.prompt.system, hints)
    turns = paired(crossing.prompt.turns, crossing.notes)
    for turn in turns:
        writing.add(turn)
    if turns and turns[-1].role == "assistant":
        writing.ask_for_more()
    writing.marks.tell(crossing, "breakpoints")
    writing.marks.keep_last(4 if crossing.prompt.cache_explicit else 3, crossing)
    return writing.items


class _Writing:
    """The items so far."""

    def __init__(self, crossing: Crossing) -> None:
        self.items: list[Block] = []
        self.marks = Marks()
        self._crossing = crossing
        self._custom: set[str] = set()  # ids of the calls with free text, whose outputs differ
        names = {turn.name for turn in crossing.prompt.turns if turn.role == "user" and turn.name}
        self._named = len(names) > 1

    def system(self, texts: list[Text], hints: list[str]) -> None:
        """The first message: the client's instructions, then the gateway's."""
        if texts and texts[0].text.startswith(BILLING):
            texts = texts[1:]  # it differs in each request, which no prompt cache survives
        blocks = parts_out([*texts, *(Text(hint) for hint in hints)], self._crossing, self.marks)
        if blocks:
            whole = "\n\n".join(block["text"] for block in blocks) if plain(blocks) else blocks
            self._say(self._instructing(), whole)

    def add(self, turn: Turn) -> None:
        """One more turn."""
        if turn.role == "assistant":
            self._assistant(turn.parts)
        elif turn.role == "user":
            self._user(turn)
        else:
            self._system_turn(turn)

    def ask_for_more(self) -> None:
        """Make the model go on with its last message: no item can be left open for it."""
        last = self.items[-1] if self.items else {}
        if last.get("role") == "assistant":
            self._crossing.notes.drop("messages.prefill", "asked_for_in_words")
            self._say("user", CONTINUE)

    def _instructing(self) -> str:
        return "developer" if self._crossing.capability.developer_role else "system"

    def _say(self, role: str, said: object) -> None:
        self.items.append({"type": "message", "role": role, "content": said})

    def _system_turn(self, turn: Turn) -> None:
        capability = self._crossing.capability
        text = "\n\n".join(part.text for part in turn.parts if isinstance(part, Text))
        if not text:
            return
        if capability.system_first_only or not capability.mid_system:
            self._say("user", f"<system-reminder>\n{text}\n</system-reminder>")
        else:
            self._say(self._instructing(), text)

    def _user(self, turn: Turn) -> None:
        crossing = self._crossing
        rest: list[Part] = []
        for part in turn.parts:
            if isinstance(part, ToolResult):
                self._result(part)
            else:
                rest.append(part)
        blocks = parts_out(rest, crossing, self.marks)
        if not blocks:
            return
        if self._named and turn.name:
            blocks.insert(0, text_block(f"{turn.name}: "))
        self._say("user", content(blocks))

    def _result(self, result: ToolResult) -> None:
        crossing = self._crossing
        kind = "custom_tool_call" if result.call_id in self._custom else "function_call"
        self.items.append({
            "type": f"{kind}_output",
            "call_id": tool_id(result.call_id, crossing.capability.tool_id),
            "output": output(result, crossing, self.marks),
        })  # fmt: skip

    def _assistant(self, parts: list[Part]) -> None:
        start = len(self.items)
        for part in parts:
            match part:
                case Text() | Refusal() | ServerTool():
                    self._spoken(part, start)
                case ToolCall():
                    self.items.append(self._call(part))
                case Thinking() | Redacted():
                    self._thought(part)
                case _:
                    kind = part.type if isinstance(part, Opaque) else type(part).__name__.lower()
                    self._crossing.notes.drop(f"messages.{kind}")
        while len(self.items) > start and self.items[-1]["type"] == "reasoning":
            # what it led to is gone, and the API refuses it without
            self._crossing.notes.note("messages.thinking", "without_answer_dropped")
            self.items.pop()

    def _spoken(self, part: Text | Refusal | ServerTool, start: int) -> None:
        """One more part of the message that is being said, or of a new one."""
        if not part.text:
            return
        if isinstance(part, Text) and part.citations:
            self._crossing.notes.drop("messages.citations")
        block: Block = {"type": "output_text", "text": part.text}
        if isinstance(part, Refusal):
            block = {"type": "refusal", "refusal": part.text}
        if len(self.items) > start and self.items[-1]["type"] == "message":
            self.items[-1]["content"].append(block)
        else:
            self._say("assistant", [block])

    def _thought(self, part: Thinking | Redacted) -> None:
        if isinstance(part, Redacted) and _signs(part, self._crossing):
            return
        item = replayed(part, self._crossing)
        if item is not None:
            self.items.append(item)

    def _call(self, call: ToolCall) -> Block:
        crossing = self._crossing
        id = tool_id(call.id, crossing.capability.tool_id)
        name = crossing.names.sent(call.name)
        if call.custom and crossing.capability.custom_tools:
            self._custom.add(call.id)
            given = {"name": name, "input": call.arguments}
            return {"type": "custom_tool_call", "call_id": id, **given}
        arguments = call.arguments.strip() or "{}"
        if call.custom:
            arguments = msgspec.json.encode({"input": call.arguments}).decode()
        return {"type": "function_call", "call_id": id, "name": name, "arguments": arguments}


def _signs(part: Redacted, crossing: Crossing) -> bool:
    """Whether a part is nothing but the signature of another, whoever gave it."""
    sealed = crossing.seal.unseal(part.data)
    return part.origin == CALL or (sealed is not None and sealed.kind in (CALL, SAID, ALONE))
