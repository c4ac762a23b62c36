"""Turns as Chat messages (`ChatCompletionMessageParam`).

Every step looks only backwards, so that a longer conversation starts with the same messages and
prompt caches hit.
"""

from gateway.dialect import Block, Conversion
from gateway.dialects.chat.answer import write_reasoning_detail
from gateway.dialects.chat.parts_out import write_parts, write_tool_result
from gateway.dialects.common.arguments import write_function_arguments
from gateway.dialects.common.cache_marks import CacheMarks
from gateway.dialects.common.extra_content import SKIP_SIGNATURE, write_extra_content
from gateway.dialects.common.instructions import (
    CONTINUE_PROMPT,
    has_several_users,
    render_reminder,
    without_billing_header,
)
from gateway.dialects.common.names import adapt_tool_id
from gateway.dialects.common.signatures import CALL_SIGNATURE, LONE_SIGNATURE, TEXT_SIGNATURE
from gateway.dialects.common.tool_results import pair_tool_results
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


def write_turns(conversion: Conversion, hints: list[str]) -> tuple[list[Block], Block]:
    """The `messages` member, and top-level members that make the model go on with the last one."""
    writing = _TurnsWriter(conversion)
    writing.add_system(conversion.prompt.system, hints)
    turns = pair_tool_results(conversion.prompt.turns, conversion.notes)
    for turn in turns:
        writing.add_turn(turn)
    messages = writing.messages
    continued = (
        _write_prefill(messages, conversion) if turns and turns[-1].role == "assistant" else {}
    )
    if conversion.capability.alternate_roles:
        messages = _merge_same_roles(messages)
    writing.marks.note_unplaced(conversion)
    writing.marks.keep_last(4 if conversion.prompt.cache_explicit else 3, conversion)
    return messages, continued


class _TurnsWriter:
    """The messages so far."""

    def __init__(self, conversion: Conversion) -> None:
        self.messages: list[Block] = []
        self.marks = CacheMarks()
        self._conversion = conversion
        turns = conversion.prompt.turns
        self._named = len(turns) > 1 and has_several_users(turns)

    def add_system(self, texts: list[Text], hints: list[str]) -> None:
        """The first message: the client's instructions, then the gateway's."""
        texts = [text for text in without_billing_header(texts) if text.text]
        if hints:
            texts += [Text(hint) for hint in hints]
        if not texts:
            return
        role = "developer" if self._conversion.capability.developer_role else "system"
        content: object = "\n\n".join([text.text for text in texts])
        if self._conversion.capability.cache != "none" and [True for text in texts if text.cache]:
            content = write_parts(list(texts), self._conversion, self.marks)
        self.messages.append({"role": role, "content": content})

    def add_turn(self, turn: Turn) -> None:
        """One more turn."""
        if turn.role == "assistant":
            self._add_assistant_turn(turn.parts)
        elif turn.role == "user":
            self._add_user_turn(turn)
        else:
            self._add_system_turn(turn)

    def _add_system_turn(self, turn: Turn) -> None:
        capability = self._conversion.capability
        text = "\n\n".join(part.text for part in turn.parts if isinstance(part, Text))
        if not text:
            return
        if capability.system_first_only or not capability.mid_system:
            message = {"role": "user", "content": render_reminder(text)}
        else:
            role = "developer" if capability.developer_role else "system"
            message = {"role": role, "content": text}
        self.messages.append(message)

    def _add_user_turn(self, turn: Turn) -> None:
        conversion = self._conversion
        only = turn.parts[0] if len(turn.parts) == 1 else None
        if isinstance(only, Text) and only.text and only.cache is None and not self._named:
            self.messages.append({"role": "user", "content": only.text})
            return  # as below, for what most turns are
        pictures: list[Block] = []
        count = 0
        for result in turn.parts:
            if isinstance(result, ToolResult):
                id = adapt_tool_id(result.call_id, conversion.capability.tool_id)
                content, shown = write_tool_result(result, count, conversion, self.marks)
                count += len(shown)
                if shown:
                    pictures += [{"type": "text", "text": f"Output of tool call {id}:"}, *shown]
                self.messages.append({"role": "tool", "tool_call_id": id, "content": content})
        rest: list[Part] = [part for part in turn.parts if not isinstance(part, ToolResult)]
        parts = pictures + write_parts(rest, conversion, self.marks)
        if not parts:
            return
        if self._named and turn.name:
            parts.insert(0, {"type": "text", "text": f"{turn.name}: "})
        self.messages.append({"role": "user", "content": _simplify_content(parts)})

    def _add_assistant_turn(self, parts: list[Part]) -> None:
        conversion = self._conversion
        calls = _write_calls(parts, conversion)
        parts = [part for part in parts if not _is_signature_only(part, conversion)]
        text = _join_texts(parts, conversion)
        reasoning = _write_replayed_reasoning(parts, bool(calls), conversion)
        if not text and not calls:
            return  # nothing is left of it, and an empty message is refused
        message: Block = {"role": "assistant", "content": text or None}
        message |= reasoning
        if calls:
            message["tool_calls"] = calls
        self.messages.append(message)


def _simplify_content(parts: list[Block]) -> object:
    """One text as a string, which every server takes."""
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        return parts[0]["text"]
    return parts


def _write_calls(parts: list[Part], conversion: Conversion) -> list[Block]:
    """The tool calls of a turn, with the signatures that this upstream gave them."""
    calls: list[Block] = []
    signatures: list[str] = []  # those whose call is still to come
    signed = False
    for part in parts:
        if isinstance(part, Redacted) and (sealed := conversion.unsealed(part.data)):
            signatures += [sealed.data] if sealed.kind == CALL_SIGNATURE else []
        elif isinstance(part, ToolCall):
            signature = signatures.pop(0) if signatures else ""
            signed = signed or bool(signature)
            calls.append(_write_call(part, conversion) | write_extra_content(signature))
    if calls and not signed and conversion.capability.thought_signatures == "required":
        calls[0] |= write_extra_content(SKIP_SIGNATURE)
    return calls


def _is_signature_only(part: Part, conversion: Conversion) -> bool:
    """Whether a part is nothing but the signature of another, whoever gave it."""
    if not isinstance(part, Redacted):
        return False
    sealed = conversion.seal.unseal(part.data)
    return sealed is not None and sealed.kind in (CALL_SIGNATURE, TEXT_SIGNATURE, LONE_SIGNATURE)


def _write_call(call: ToolCall, conversion: Conversion) -> Block:
    id = adapt_tool_id(call.id, conversion.capability.tool_id)
    name = conversion.names.to_upstream(call.name)
    if call.custom and conversion.capability.custom_tools:
        return {"id": id, "type": "custom", "custom": {"name": name, "input": call.arguments}}
    function = {"name": name, "arguments": write_function_arguments(call)}
    return {"id": id, "type": "function", "function": function}


def _join_texts(parts: list[Part], conversion: Conversion) -> str:
    """The text of an assistant turn; what stood between two texts leaves a blank line."""
    joined = ""
    apart = False
    for part in parts:
        if isinstance(part, Text | Refusal):
            if isinstance(part, Text) and part.citations:
                conversion.notes.drop("messages.citations")
            between = "\n\n" if apart and joined and part.text else ""
            joined += between + part.text
            apart = False
        elif isinstance(part, ServerTool):
            joined += ("\n\n" if joined else "") + part.text
            apart = True
        else:
            apart = True
            if not isinstance(part, ToolCall | Thinking | Redacted):
                kind = part.type if isinstance(part, Opaque) else type(part).__name__.lower()
                conversion.notes.drop(f"messages.{kind}")
    return joined


def _write_replayed_reasoning(parts: list[Part], called: bool, conversion: Conversion) -> Block:
    """Earlier reasoning in the upstream's own field."""
    form = conversion.capability.reasoning_out
    thoughts = [part for part in parts if isinstance(part, Thinking | Redacted)]
    if form == "reasoning_details":
        details = [detail for part in thoughts if (detail := _write_detail(part, conversion))]
        return {"reasoning_details": details} if details else {}
    if form == "none" or (form == "required_with_tools" and not called):
        if thoughts and form == "none":
            conversion.notes.note("messages.thinking", "unsupported_by_target")
        return {}
    text = "".join(part.text for part in thoughts if isinstance(part, Thinking))
    if any(isinstance(part, Redacted) for part in thoughts):
        conversion.notes.note("messages.redacted_thinking", "unsupported_by_target")
    # a call without the member is refused even where nothing was thought
    return {"reasoning_content": text} if text or form == "required_with_tools" else {}


def _write_detail(part: Thinking | Redacted, conversion: Conversion) -> Block | None:
    """A detail that this upstream minted, as it gave it."""
    blob = (part.signature if isinstance(part, Thinking) else part.data) or ""
    kind = ""
    if blob.startswith(PREFIX):
        sealed = conversion.unsealed(blob)
        if sealed is not None:
            blob, kind = sealed.data, sealed.kind
    elif part.origin == "chat":
        kind = "signature"
    if not kind:
        conversion.notes.note("messages.thinking", "foreign_reasoning_dropped")
        return None
    if isinstance(part, Redacted):
        return write_reasoning_detail("reasoning.encrypted", blob)
    return write_reasoning_detail("reasoning.text", "" if kind == "text" else blob, part.text)


def _write_prefill(messages: list[Block], conversion: Conversion) -> Block:
    """Make the model go on with the last message, where its server can."""
    if not messages or messages[-1]["role"] != "assistant" or "tool_calls" in messages[-1]:
        return {}
    form = conversion.capability.prefill
    if form == "none":
        conversion.notes.drop("messages.prefill", "asked_for_in_words")
        messages.append({"role": "user", "content": CONTINUE_PROMPT})
    elif form in ("prefix", "partial"):
        messages[-1][form] = True
    elif form == "continue":
        return {"continue_final_message": True, "add_generation_prompt": False}
    return {}


def _merge_same_roles(messages: list[Block]) -> list[Block]:
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
            last["content"] = _join_contents(last["content"], message["content"])
        else:
            out.append(message)
    return out


def _join_contents(first: object, second: object) -> object:
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n\n{second}"
    return [*_content_as_list(first), *_content_as_list(second)]


def _content_as_list(content: object) -> list[Block]:
    return content if isinstance(content, list) else [{"type": "text", "text": content}]
