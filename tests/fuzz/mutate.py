"""Valid wire values made wrong, a little at a time: JSON by its nodes, streams by their events."""

from typing import Any

import msgspec

from tests.fuzz.dice import Dice

WORDS = (
    "text", "type", "content", "role", "user", "assistant", "system", "tool", "developer", "id",
    "name", "index", "delta", "choices", "message", "messages", "tool_calls", "function",
    "arguments", "input", "output", "tool_use", "tool_result", "tool_use_id", "tool_call_id",
    "thinking", "signature", "redacted_thinking", "data", "image", "image_url", "url", "source",
    "base64", "media_type", "document", "file", "stop", "length", "end_turn", "stop_reason",
    "finish_reason", "usage", "input_tokens", "prompt_tokens", "error", "code", "tools",
    "tool_choice", "auto", "any", "none", "required", "cache_control", "ephemeral", "refusal",
    "reasoning_content", "reasoning_details", "reasoning", "response_format", "json_schema",
    "schema", "strict", "max_tokens", "stop_sequences", "stream_options", "n", "metadata",
    "input_text", "output_text", "function_call", "function_call_output", "call_id", "item",
    "item_id", "output_index", "sequence_number", "response", "status", "parts", "functionCall",
    "functionResponse", "args", "candidates", "finishReason", "thoughtSignature", "inlineData",
)  # fmt: skip
LEAVES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 1.5, 1e308, "", " ", "\n", "\x00",
    "x" * 3000, "\u2028", "\ufffd", "😀", "a\"b\\c", "{", "{}", "[]", '{"a":', "null", "data: x",
    "\n\ndata: {}\n\n", "call_1", "call_2", [], {}, [[]], [None], [{}], {"": ""}, {"type": "text"},
    {"type": "brand_new", "x": 1.0}, {"type": ["text"]}, {"error": {"message": "boom"}},
    {"error": "boom"}, {"$ref": "#"}, {"a": {"a": {"a": {"a": {}}}}},
)  # fmt: skip
RAW = (b"", b"\xff", b"\xed\xa0\xbd", rb'"\ud83d"', b"NaN", b"1e999", b"9" * 40, b"{", b"\x00")
"""What no encoder would write in the place of a value."""


def mutated(value: Any, dice: Dice) -> Any:
    """The value with something in it changed, somewhere."""
    if isinstance(value, dict) and value and not dice.one_in(8):
        return _object(dict(value), dice)
    if isinstance(value, list) and value and not dice.one_in(8):
        return _array(list(value), dice)
    if isinstance(value, str) and value and dice.one_in(2):
        cut = dice.roll(len(value))
        return value[:cut] if dice.one_in(2) else value[cut:] + str(dice.pick(LEAVES))
    return dice.pick(WORDS) if dice.one_in(4) else dice.pick(LEAVES)


def _object(value: dict[str, Any], dice: Dice) -> dict[str, Any]:
    name = dice.pick(list(value))
    match dice.roll(5):
        case 0 | 1:
            value[name] = mutated(value[name], dice)
        case 2:
            del value[name]
        case 3:
            value[dice.pick(WORDS)] = value[name]
        case _:
            value[dice.pick(WORDS)] = dice.pick(LEAVES)
    return value


def _array(value: list[Any], dice: Dice) -> list[Any]:
    at = dice.roll(len(value))
    match dice.roll(5):
        case 0 | 1:
            value[at] = mutated(value[at], dice)
        case 2:
            del value[at]
        case 3:
            value.insert(dice.roll(len(value) + 1), value[at])
        case _:
            value.insert(at, dice.pick(LEAVES))
    return value


def encoded(value: Any, dice: Dice) -> bytes:
    """Its JSON; at times with bytes in it that are none."""
    data = msgspec.json.encode(value)
    if not dice.one_in(12):
        return data
    at = dice.roll(len(data) + 1)
    if dice.one_in(2):  # in the place of a value
        at = data.find(b":", at) + 1 or at
        ends = [end for mark in (b",", b"}") if (end := data.find(mark, at)) >= 0]
        return data[:at] + dice.pick(RAW) + data[min(ends, default=at) :]
    return data[:at] + dice.pick(RAW) + data[at + dice.roll(4) :]


def worsened(frames: list[bytes], dice: Dice) -> list[bytes]:
    """A stream with some of its events changed, left out, told twice, told too early."""
    frames = list(frames)
    for _ in range(dice.roll(5)):
        if not frames:
            break
        at = dice.roll(len(frames))
        match dice.roll(7):
            case 0 | 1 | 2:
                frames[at] = _frame(frames[at], dice)
            case 3:
                del frames[at]
            case 4:
                frames.insert(at, frames[dice.roll(len(frames))])
            case 5:
                frames.insert(dice.roll(len(frames)), frames.pop(at))
            case _:
                frames.insert(at, dice.pick((b": ping\n\n", b"\n", b"data:\n\n", b"event: x\n\n")))
    return frames


def _frame(frame: bytes, dice: Dice) -> bytes:
    head, mark, data = frame.partition(b"data: ")
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):  # [DONE], or what another change left
        return frame[: dice.roll(len(frame) + 1)]
    for _ in range(1 + dice.roll(3)):
        value = mutated(value, dice)
    return head + mark + encoded(value, dice) + b"\n\n"


def cut(whole: bytes, dice: Dice) -> list[bytes]:
    """The bytes in chunks of any size."""
    match dice.roll(4):
        case 0:
            return [whole]
        case 1 if len(whole) < 4000:
            return [whole[at : at + 1] for at in range(len(whole))]
        case _:
            size = 1 + dice.roll(500)
            return [whole[at : at + size] for at in range(0, len(whole), size)]
