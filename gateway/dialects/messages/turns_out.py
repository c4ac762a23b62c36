"""The conversation in the order of roles that the Messages API accepts.

As long as the client only appends turns, the messages of one call are a prefix of those of the
next: prompt caches and signed reasoning depend on it.
"""

from gateway.dialect import Block, Conversion
from gateway.dialects.common.instructions import CONTINUE_PROMPT, has_several_users, render_reminder
from gateway.dialects.common.tool_results import pair_tool_results
from gateway.dialects.messages.blocks_out import find_native_signature, write_blocks
from gateway.neutral.events import (
    Part,
    Redacted,
    Refusal,
    ServerTool,
    Text,
    Thinking,
    ToolCall,
    Turn,
)


def write_turns(conversion: Conversion) -> list[Block]:
    """The `messages` member: user first, turns of one role merged, calls answered."""
    prompt, notes = conversion.prompt, conversion.notes
    if bare := _write_bare_turns(prompt.turns):
        return bare
    arranged = _arrange_turns(_prefix_user_names(prompt.turns), conversion)
    turns = pair_tool_results(_adapt_prefill(arranged, conversion), notes)
    messages: list[Block] = []
    for index, turn in enumerate(turns):
        content = write_blocks(turn.parts, f"messages.{index}.content", conversion)
        if not content and turn.role == "user":
            notes.note(f"messages.{index}", "empty_turn_filled")
            content = [{"type": "text", "text": "."}]
        if content:
            _append_message(messages, {"role": turn.role, "content": content})
    if not messages or messages[0]["role"] != "user":
        notes.drop("messages", "first_turn_is_not_the_user's")
        messages.insert(0, {"role": "user", "content": [{"type": "text", "text": "."}]})
    return [_simplify_content(message) for message in messages]


def _write_bare_turns(turns: list[Turn]) -> list[Block]:
    """The messages where every turn is one plain text, in alternation; else an empty list."""
    messages: list[Block] = []
    for turn in turns:
        only = turn.parts[0] if len(turn.parts) == 1 else None
        if not isinstance(only, Text) or only.cache is not None or not only.text.strip():
            return []
        if turn.name or turn.role != ("assistant" if len(messages) % 2 else "user"):
            return []
        messages.append({"role": turn.role, "content": only.text})
    return messages if len(messages) % 2 else []


def _append_message(messages: list[Block], message: Block) -> None:
    """Adds a turn, or its content to the last one where that is of the same role."""
    if messages and messages[-1]["role"] == message["role"]:
        messages[-1]["content"] += message["content"]
    else:
        messages.append(message)


def _simplify_content(message: Block) -> Block:
    """A message of one plain text with that string as its content."""
    content = message["content"]
    if len(content) == 1 and content[0].keys() == {"type", "text"}:
        return {"role": message["role"], "content": content[0]["text"]}
    return message


def _prefix_user_names(turns: list[Turn]) -> list[Turn]:
    """Prefixes texts with the user's name if there are several: Messages turns have no name."""
    if not has_several_users(turns):
        return turns
    return [_prefix_turn(turn) if turn.role == "user" and turn.name else turn for turn in turns]


def _prefix_turn(turn: Turn) -> Turn:
    parts = list(turn.parts)
    for at, part in enumerate(parts):
        if isinstance(part, Text):
            parts[at] = Text(f"{turn.name}: {part.text}", part.cache, part.citations)
            break
    return Turn(turn.role, parts)


def _arrange_turns(turns: list[Turn], conversion: Conversion) -> list[Turn]:
    """User and assistant turns in alternation, system turns where the model takes them."""
    if not conversion.capability.mid_system:
        turns = [_write_reminder(turn) if turn.role == "system" else turn for turn in turns]
        return _merge_same_roles(turns, conversion)
    out: list[Turn] = []
    waiting: list[
        Part
    ] = []  # a system turn stands right after a user turn and before an assistant's
    for turn in turns:
        if turn.role == "system":
            waiting += turn.parts
            continue
        if (
            turn.role == "assistant"
            and waiting
            and any(_has_content(part, conversion) for part in turn.parts)
        ):
            out.append(_place_system_turn(waiting, out, conversion))
            waiting = []
        out.append(turn)
    if waiting:
        out.append(_place_system_turn(waiting, out, conversion))
    return _merge_same_roles(out, conversion)


def _has_content(part: Part, conversion: Conversion) -> bool:
    """Whether the part becomes a block."""
    match part:
        case Text() | Refusal() | ServerTool():
            return bool(part.text.strip())
        case Thinking() | Redacted():
            return find_native_signature(part, conversion) is not None
    return True


def _place_system_turn(parts: list[Part], before: list[Turn], conversion: Conversion) -> Turn:
    """The system turn, or a user turn where the API takes no system turn."""
    said = [
        turn
        for turn in before
        if turn.role != "assistant" or any(_has_content(part, conversion) for part in turn.parts)
    ]
    turn = Turn("system", parts)
    return turn if said and said[-1].role == "user" else _write_reminder(turn)


def _write_reminder(turn: Turn) -> Turn:
    return Turn(
        "user",
        [
            Text(render_reminder(part.text), part.cache)
            for part in turn.parts
            if isinstance(part, Text)
        ],
    )


def _merge_same_roles(turns: list[Turn], conversion: Conversion) -> list[Turn]:
    """Adjacent turns of one role as one; pairing moves tool results to the front."""
    out: list[Turn] = []
    for turn in turns:
        if turn.role == "assistant" and not any(
            _has_content(part, conversion) for part in turn.parts
        ):
            if any(isinstance(part, Thinking | Redacted) for part in turn.parts):
                conversion.notes.note("messages", "foreign_reasoning_dropped")
            continue  # the API refuses an empty turn; the model would imitate a placeholder
        if out and out[-1].role == turn.role:
            out[-1] = Turn(turn.role, out[-1].parts + turn.parts)
        else:
            out.append(Turn(turn.role, list(turn.parts)))
    return out


def _adapt_prefill(turns: list[Turn], conversion: Conversion) -> list[Turn]:
    """Appends a user turn after a prefill that the model does not support."""
    if not turns or turns[-1].role != "assistant" or isinstance(turns[-1].parts[-1], ToolCall):
        return turns
    if conversion.capability.prefill == "native":
        *parts, last = turns[-1].parts
        if isinstance(last, Text):  # the API refuses spaces at the end
            last = Text(last.text.rstrip(), last.cache)
        return [*turns[:-1], Turn("assistant", [*parts, last])]
    conversion.notes.drop("messages", "prefill_not_supported")
    return [*turns, Turn("user", [Text(CONTINUE_PROMPT)])]
