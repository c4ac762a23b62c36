"""The conversation as the Messages API takes it: who may speak after whom.

The passes keep what is written for one call a prefix of what is written for the next, as long as
the client only appends an answer and its next turn: prompt caches and signed reasoning need that.
"""

from gateway.dialect import Block, Crossing
from gateway.dialects.common.pairing import paired
from gateway.dialects.messages.blocks_out import blocks, minted
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

_CONTINUE = "Continue exactly from where your last message stopped."


def write_turns(crossing: Crossing) -> list[Block]:
    """The `messages` member: user first, turns of one role merged, calls answered."""
    prompt, notes = crossing.prompt, crossing.notes
    if bare := _bare(prompt.turns):
        return bare
    arranged = _arranged(_named(prompt.turns), crossing)
    turns = paired(_finished(arranged, crossing), notes)
    messages: list[Block] = []
    for index, turn in enumerate(turns):
        content = blocks(turn.parts, f"messages.{index}.content", crossing)
        if not content and turn.role == "user":
            notes.note(f"messages.{index}", "empty_turn_filled")
            content = [{"type": "text", "text": "."}]
        if content:
            _append(messages, {"role": turn.role, "content": content})
    if not messages or messages[0]["role"] != "user":
        notes.drop("messages", "first_turn_is_not_the_user's")
        messages.insert(0, {"role": "user", "content": [{"type": "text", "text": "."}]})
    return [_plain(message) for message in messages]


def _bare(turns: list[Turn]) -> list[Block]:
    """The messages of turns with one bare text each, as below; none where there is more to do."""
    messages: list[Block] = []
    for turn in turns:
        only = turn.parts[0] if len(turn.parts) == 1 else None
        if not isinstance(only, Text) or only.cache is not None or not only.text.strip():
            return []
        if turn.name or turn.role != ("assistant" if len(messages) % 2 else "user"):
            return []
        messages.append({"role": turn.role, "content": only.text})
    return messages if len(messages) % 2 else []


def _append(messages: list[Block], message: Block) -> None:
    """Adds a turn, or its content to the last one where that is of the same role."""
    if messages and messages[-1]["role"] == message["role"]:
        messages[-1]["content"] += message["content"]
    else:
        messages.append(message)


def _plain(message: Block) -> Block:
    """A turn of one bare text as a string, the shorter of its two spellings."""
    content = message["content"]
    if len(content) == 1 and content[0].keys() == {"type", "text"}:
        return {"role": message["role"], "content": content[0]["text"]}
    return message


def _named(turns: list[Turn]) -> list[Turn]:
    """Where several users speak, each text says whose it is: Messages turns have no name."""
    names = {turn.name for turn in turns if turn.role == "user" and turn.name}
    if len(names) < 2:
        return turns
    return [_prefixed(turn) if turn.role == "user" and turn.name else turn for turn in turns]


def _prefixed(turn: Turn) -> Turn:
    parts = list(turn.parts)
    for at, part in enumerate(parts):
        if isinstance(part, Text):
            parts[at] = Text(f"{turn.name}: {part.text}", part.cache, part.citations)
            break
    return Turn(turn.role, parts)


def _arranged(turns: list[Turn], crossing: Crossing) -> list[Turn]:
    """User and assistant turns in alternation, system turns where the model takes them."""
    if not crossing.capability.mid_system:
        turns = [_reminder(turn) if turn.role == "system" else turn for turn in turns]
        return _merged(turns, crossing)
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
            and any(_says(part, crossing) for part in turn.parts)
        ):
            out.append(_placed(waiting, out, crossing))
            waiting = []
        out.append(turn)
    if waiting:
        out.append(_placed(waiting, out, crossing))
    return _merged(out, crossing)


def _says(part: Part, crossing: Crossing) -> bool:
    """Whether anything of the part reaches the upstream."""
    match part:
        case Text() | Refusal() | ServerTool():
            return bool(part.text.strip())
        case Thinking() | Redacted():
            return minted(part, crossing) is not None
    return True


def _placed(parts: list[Part], before: list[Turn], crossing: Crossing) -> Turn:
    """The system turn, or a user turn where the API takes no system turn."""
    said = [
        turn
        for turn in before
        if turn.role != "assistant" or any(_says(part, crossing) for part in turn.parts)
    ]
    turn = Turn("system", parts)
    return turn if said and said[-1].role == "user" else _reminder(turn)


def _reminder(turn: Turn) -> Turn:
    return Turn(
        "user",
        [
            Text(f"<system-reminder>\n{part.text}\n</system-reminder>", part.cache)
            for part in turn.parts
            if isinstance(part, Text)
        ],
    )


def _merged(turns: list[Turn], crossing: Crossing) -> list[Turn]:
    """Adjacent turns of one role as one; pairing moves tool results to the front."""
    out: list[Turn] = []
    for turn in turns:
        if turn.role == "assistant" and not any(_says(part, crossing) for part in turn.parts):
            if any(isinstance(part, Thinking | Redacted) for part in turn.parts):
                crossing.notes.note("messages", "foreign_reasoning_dropped")
            continue  # the API refuses an empty turn, and invented words would be imitated
        if out and out[-1].role == turn.role:
            out[-1] = Turn(turn.role, out[-1].parts + turn.parts)
        else:
            out.append(Turn(turn.role, list(turn.parts)))
    return out


def _finished(turns: list[Turn], crossing: Crossing) -> list[Turn]:
    """Ends the conversation where the model can go on: prefills are not for every model."""
    if not turns or turns[-1].role != "assistant" or isinstance(turns[-1].parts[-1], ToolCall):
        return turns
    if crossing.capability.prefill == "native":
        *parts, last = turns[-1].parts
        if isinstance(last, Text):  # the API refuses spaces at the end
            last = Text(last.text.rstrip(), last.cache)
        return [*turns[:-1], Turn("assistant", [*parts, last])]
    crossing.notes.drop("messages", "prefill_not_supported")
    return [*turns, Turn("user", [Text(_CONTINUE)])]
