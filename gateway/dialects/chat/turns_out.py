"""Turns as Chat messages (`ChatCompletionMessageParam`).

Every step looks only backwards, so that a longer conversation starts with the same messages and
prompt caches hit.
"""

import msgspec

from gateway.dialect import Block, Crossing
from gateway.dialects.chat.answer import detail_block
from gateway.dialects.chat.parts_out import parts_out, result_out
from gateway.dialects.common.cache_marks import Marks
from gateway.dialects.common.extra_content import SKIP, extra_content
from gateway.dialects.common.names import tool_id
from gateway.dialects.common.pairing import BILLING, CONTINUE, paired
from gateway.dialects.common.signatures import ALONE, CALL, SAID
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
from gateway.neutral.seal import PREFIX


def write_turns(crossing: Crossing, hints: list[str]) -> tuple[list[Block], Block]:
    """The `messages` member, and top-level members that make the model go on with the last one."""
    writing = _Writing(crossing)
    writing.system(crossing.prompt.system, hints)
    turns = paired(crossing.prompt.turns, crossing.notes)
    for turn in turns:
        writing.add(turn)
    messages = writing.messages
    continued = _continued(messages, crossing) if turns and turns[-1].role == "assistant" else {}
    if crossing.capability.alternate_roles:
        messages = _alternating(messages)
    writing.marks.tell(crossing)
    writing.marks.keep_last(4 if crossing.prompt.cache_explicit else 3, crossing)
    return messages, continued


class _Writing:
    """The messages so far."""

    def __init__(self, crossing: Crossing) -> None:
        self.messages: list[Block] = []
        self.marks = Marks()
        self._crossing = crossing
        turns = crossing.prompt.turns
        self._named = len(turns) > 1 and _several(turns)

    def system(self, texts: list[Text], hints: list[str]) -> None:
        """The first message: the client's instructions, then the gateway's."""
        if texts and texts[0].text.startswith(BILLING):
            texts = texts[1:]  # it differs in each request, which no prompt cache survives
        texts = [text for text in texts if text.text]
        if hints:
            texts += [Text(hint) for hint in hints]
        if not texts:
            return
        role = "developer" if self._crossing.capability.developer_role else "system"
        content: object = "\n\n".join([text.text for text in texts])
        if self._crossing.capability.cache != "none" and [True for text in texts if text.cache]:
            content = parts_out(list(texts), self._crossing, self.marks)
        self.messages.append({"role": role, "content": content})

    def add(self, turn: Turn) -> None:
        """One more turn."""
        if turn.role == "assistant":
            self._assistant(turn.parts)
        elif turn.role == "user":
            self._user(turn)
        else:
            self._system_turn(turn)

    def _system_turn(self, turn: Turn) -> None:
        capability = self._crossing.capability
        text = "\n\n".join(part.text for part in turn.parts if isinstance(part, Text))
        if not text:
            return
        if capability.system_first_only or not capability.mid_system:
            text = f"<system-reminder>\n{text}\n</system-reminder>"
            message = {"role": "user", "content": text}
        else:
            role = "developer" if capability.developer_role else "system"
            message = {"role": role, "content": text}
        self.messages.append(message)

    def _user(self, turn: Turn) -> None:
        crossing = self._crossing
        only = turn.parts[0] if len(turn.parts) == 1 else None
        if isinstance(only, Text) and only.text and only.cache is None and not self._named:
            self.messages.append({"role": "user", "content": only.text})
            return  # as below, for what most turns are
        pictures: list[Block] = []
        count = 0
        for result in turn.parts:
            if isinstance(result, ToolResult):
                id = tool_id(result.call_id, crossing.capability.tool_id)
                content, shown = result_out(result, count, crossing, self.marks)
                count += len(shown)
                if shown:
                    pictures += [{"type": "text", "text": f"Output of tool call {id}:"}, *shown]
                self.messages.append({"role": "tool", "tool_call_id": id, "content": content})
        rest: list[Part] = [part for part in turn.parts if not isinstance(part, ToolResult)]
        parts = pictures + parts_out(rest, crossing, self.marks)
        if not parts:
            return
        if self._named and turn.name:
            parts.insert(0, {"type": "text", "text": f"{turn.name}: "})
        self.messages.append({"role": "user", "content": _plain(parts)})

    def _assistant(self, parts: list[Part]) -> None:
        crossing = self._crossing
        calls = _calls(parts, crossing)
        parts = [part for part in parts if not _signs(part, crossing)]
        text = _spoken(parts, crossing)
        reasoning = _replayed(parts, bool(calls), crossing)
        if not text and not calls:
            return  # nothing is left of it, and an empty message is refused
        message: Block = {"role": "assistant", "content": text or None}
        message |= reasoning
        if calls:
            message["tool_calls"] = calls
        self.messages.append(message)


def _several(turns: list[Turn]) -> bool:
    """Whether the turns are of more than one user."""
    return len({turn.name for turn in turns if turn.role == "user" and turn.name}) > 1


def _plain(parts: list[Block]) -> object:
    """One text as a string, which every server takes."""
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        return parts[0]["text"]
    return parts


def _calls(parts: list[Part], crossing: Crossing) -> list[Block]:
    """The tool calls of a turn, with the signatures that this upstream gave them."""
    calls: list[Block] = []
    signatures: list[str] = []  # those whose call is still to come
    signed = False
    for part in parts:
        if isinstance(part, Redacted) and (sealed := crossing.unsealed(part.data)):
            signatures += [sealed.data] if sealed.kind == CALL else []
        elif isinstance(part, ToolCall):
            signature = signatures.pop(0) if signatures else ""
            signed = signed or bool(signature)
            calls.append(_call(part, crossing) | extra_content(signature))
    if calls and not signed and crossing.capability.thought_signatures == "required":
        calls[0] |= extra_content(SKIP)
    return calls


def _signs(part: Part, crossing: Crossing) -> bool:
    """Whether a part is nothing but the signature of another, whoever gave it."""
    if not isinstance(part, Redacted):
        return False
    sealed = crossing.seal.unseal(part.data)
    return sealed is not None and sealed.kind in (CALL, SAID, ALONE)


def _call(call: ToolCall, crossing: Crossing) -> Block:
    id = tool_id(call.id, crossing.capability.tool_id)
    name = crossing.names.sent(call.name)
    if call.custom and crossing.capability.custom_tools:
        return {"id": id, "type": "custom", "custom": {"name": name, "input": call.arguments}}
    arguments: object = call.arguments.strip() or "{}"
    if call.custom:
        arguments = msgspec.json.encode({"input": call.arguments}).decode()
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _spoken(parts: list[Part], crossing: Crossing) -> str:
    """The text of an assistant turn; what stood between two texts leaves a blank line."""
    said = ""
    apart = False
    for part in parts:
        if isinstance(part, Text | Refusal):
            if isinstance(part, Text) and part.citations:
                crossing.notes.drop("messages.citations")
            between = "\n\n" if apart and said and part.text else ""
            said += between + part.text
            apart = False
        elif isinstance(part, ServerTool):
            said += ("\n\n" if said else "") + part.text
            apart = True
        else:
            apart = True
            if not isinstance(part, ToolCall | Thinking | Redacted):
                kind = part.type if isinstance(part, Opaque) else type(part).__name__.lower()
                crossing.notes.drop(f"messages.{kind}")
    return said


def _replayed(parts: list[Part], called: bool, crossing: Crossing) -> Block:
    """Earlier reasoning in the upstream's own field."""
    form = crossing.capability.reasoning_out
    thoughts = [part for part in parts if isinstance(part, Thinking | Redacted)]
    if form == "reasoning_details":
        details = [detail for part in thoughts if (detail := _detail(part, crossing))]
        return {"reasoning_details": details} if details else {}
    if form == "none" or (form == "required_with_tools" and not called):
        if thoughts and form == "none":
            crossing.notes.note("messages.thinking", "unsupported_by_target")
        return {}
    text = "".join(part.text for part in thoughts if isinstance(part, Thinking))
    if any(isinstance(part, Redacted) for part in thoughts):
        crossing.notes.note("messages.redacted_thinking", "unsupported_by_target")
    # a call without the member is refused even where nothing was thought
    return {"reasoning_content": text} if text or form == "required_with_tools" else {}


def _detail(part: Thinking | Redacted, crossing: Crossing) -> Block | None:
    """A detail that this upstream minted, as it gave it."""
    blob = (part.signature if isinstance(part, Thinking) else part.data) or ""
    kind = ""
    if blob.startswith(PREFIX):
        sealed = crossing.unsealed(blob)
        if sealed is not None:
            blob, kind = sealed.data, sealed.kind
    elif part.origin == "chat":
        kind = "signature"
    if not kind:
        crossing.notes.note("messages.thinking", "foreign_reasoning_dropped")
        return None
    if isinstance(part, Redacted):
        return detail_block("reasoning.encrypted", blob)
    return detail_block("reasoning.text", "" if kind == "text" else blob, part.text)


def _continued(messages: list[Block], crossing: Crossing) -> Block:
    """Make the model go on with the last message, where its server can."""
    if not messages or messages[-1]["role"] != "assistant" or "tool_calls" in messages[-1]:
        return {}
    form = crossing.capability.prefill
    if form == "none":
        crossing.notes.drop("messages.prefill", "asked_for_in_words")
        messages.append({"role": "user", "content": CONTINUE})
    elif form in ("prefix", "partial"):
        messages[-1][form] = True
    elif form == "continue":
        return {"continue_final_message": True, "add_generation_prompt": False}
    return {}


def _alternating(messages: list[Block]) -> list[Block]:
    """Neighbours of one role as one message, for templates that refuse them."""
    out: list[Block] = []
    for message in messages:
        last = out[-1] if out else None
        plain = message.keys() == {"role", "content"} and message["role"] in ("user", "assistant")
        if (
            last is not None
            and plain
            and last.keys() == message.keys()
            and (last["role"] == message["role"])
        ):
            last["content"] = _joined(last["content"], message["content"])
        else:
            out.append(message)
    return out


def _joined(first: object, second: object) -> object:
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n\n{second}"
    return [*_listed(first), *_listed(second)]


def _listed(content: object) -> list[Block]:
    return content if isinstance(content, list) else [{"type": "text", "text": content}]
