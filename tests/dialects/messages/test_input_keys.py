"""Keys of tool inputs that the Messages API refuses: renamed for it, restored in its answer."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway.capability.record import Capability
from gateway.capability.table import capability
from gateway.dialect import Conversion
from gateway.dialects.chat import CHAT
from gateway.dialects.messages import MESSAGES
from gateway.neutral.events import (
    ArgumentsDelta,
    Event,
    Format,
    Prompt,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolResult,
    ToolStart,
    Turn,
)
from gateway.neutral.notes import LossReport
from gateway.wire.sse import Splitter
from tests.dialects.chat.conversions import SEAL, fields, plain
from tests.dialects.messages.wires import events_of, sse

CLAUDE = capability("anthropic", "claude-opus-4-8")
ODD = ["filter[id]", "filter(id)", "filter_id_", "$top", "x" * 70, "ü", "fine.key-1"]
SENT = ["filter_id__2", "filter_id__3", "filter_id_", "_top", "", "_", "fine.key-1"]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {key: {"type": "integer", "const": 1.50} for key in ODD},
    "required": ["$top", "fine.key-1"],
    "dependentRequired": {"$top": ["filter[id]"]},
    "additionalProperties": False,
}


def conversion(*tools: Tool, turns: list[Turn] | None = None, **more: Any) -> Conversion:
    said = turns or [Turn("user", [Text("hi")])]
    prompt = Prompt("m", said, tools=list(tools), **more)
    return Conversion(prompt, "anthropic", "claude", "m", CLAUDE, LossReport(), SEAL)


def tool(schema: Any = SCHEMA, **more: Any) -> Tool:
    return Tool("list", "Lists.", Raw(msgspec.json.encode(schema)), **more)


def written(way: Conversion) -> Any:
    return plain(MESSAGES.write_prompt(way))


def streamed(block: Any, *pieces: str, stop: str = "tool_use") -> bytes:
    """An answer of one tool call, its input in pieces."""
    usage = {"input_tokens": 1, "output_tokens": 1}
    begun = {"id": "msg_1", "role": "assistant", "model": "c", "content": [], "usage": usage}
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return sse(
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": usage},
        {"type": "message_stop"},
    )


def told(way: Conversion, block: Any, *pieces: str, stop: str = "tool_use") -> list[Event]:
    """The events of such an answer."""
    return events_of(MESSAGES.reader(way), [streamed(block, *pieces, stop=stop)])


def arguments(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, ArgumentsDelta)]


BLOCK: dict[str, Any] = {"type": "tool_use", "id": "toolu_1", "name": "list", "input": {}}


def test_keys_are_renamed_one_to_one_wherever_a_schema_names_them() -> None:
    way = conversion(tool(examples=[Raw(b'{"$top":1.0,"fine.key-1":2}'), Raw(b"7")]))
    (made,) = written(way)["tools"]
    schema = made["input_schema"]
    keys = list(schema["properties"])
    long = keys[4]
    assert keys == [*SENT[:4], long, *SENT[5:]]
    assert len(set(keys)) == len(ODD)
    assert (len(long), long[:55]) == (64, "x" * 55)
    assert schema["required"] == ["_top", "fine.key-1"]
    assert schema["dependentRequired"] == {"_top": ["filter_id__2"]}
    assert schema["additionalProperties"] is False
    assert made["input_examples"] == [{"_top": 1.0, "fine.key-1": 2}, 7]
    assert way.notes.entries == ["tools.0.input_schema.properties:keys_renamed"]


def test_a_schema_without_such_keys_keeps_its_bytes() -> None:
    schema = Raw(b'{"type": "object", "properties": {"a": {"const": 1.50}}}')
    way = conversion(Tool("list", "", schema))
    assert bytes(schema) in bytes(MESSAGES.write_prompt(way)["tools"])
    assert way.keys == {}
    assert way.notes.entries == []


def test_a_server_that_takes_any_key_gets_the_clients() -> None:
    way = conversion(tool())
    way.capability = Capability()
    assert list(written(way)["tools"][0]["input_schema"]["properties"]) == ODD


def test_earlier_calls_are_written_with_the_same_keys() -> None:
    call = ToolCall("c1", "list", '{"$top": 1.0, "new": {"$top": 2}}')
    other = ToolCall("c2", "other", '{"$top":1}')
    turns = [
        Turn("user", [Text("hi")]),
        Turn("assistant", [call, other]),
        Turn("user", [ToolResult("c1", [Text("1")]), ToolResult("c2", [Text("2")])]),
    ]
    way = conversion(tool(), Tool("other", ""), turns=turns)
    blocks = written(way)["messages"][1]["content"]
    assert blocks[0]["input"] == {"_top": 1.0, "new": {"$top": 2}}
    assert blocks[1]["input"] == {"$top": 1}


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_streamed_call_has_the_clients_keys(size: int) -> None:
    way = conversion(tool())
    written(way)
    given = '{"_top":1.50,"filter_id__2":{"_top":2},"else":3}'
    pieces = [given[at : at + size] for at in range(0, len(given), size)]
    events = told(way, BLOCK, *pieces)
    assert [each.name for each in events if isinstance(each, ToolStart)] == ["list"]
    assert arguments(events) == ['{"$top":1.50,"filter[id]":{"_top":2},"else":3}']


def test_a_call_whose_input_is_in_its_beginning() -> None:
    way = conversion(tool())
    written(way)
    assert arguments(told(way, BLOCK | {"input": {"_top": 1}})) == ['{"$top":1}']


@pytest.mark.parametrize(
    ("given", "restored"),
    [('{"_top":1}', '{"$top":1}'), ('{"_top":', '{"_top":'), ("{}", "{}"), ("[1]", "[1]")],
)
def test_what_was_cut_short_is_told_as_it_came(given: str, restored: str) -> None:
    way = conversion(tool())
    written(way)
    assert arguments(told(way, BLOCK, given, stop="max_tokens")) == [restored]


def test_a_whole_answer_has_the_clients_keys() -> None:
    way = conversion(tool())
    written(way)
    body = msgspec.json.encode({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "c",
        "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1},
        "content": [{"type": "tool_use", "id": "t", "name": "list", "input": {"_top": 1}}],
    })  # fmt: skip
    message = MESSAGES.read_message(body, way)
    assert message.parts == [ToolCall("t", "list", '{"$top":1}')]


def test_an_answer_through_a_tool_has_them_too() -> None:
    schema = {"type": "object", "properties": {"$top": {"type": "integer"}}, "minProperties": 1}
    shape = Format("json_schema", Raw(msgspec.json.encode(schema)))
    way = conversion(format=shape)
    way.capability = msgspec.structs.replace(CLAUDE, schema="none", forced_tool=True)
    (made,) = written(way)["tools"]
    assert list(made["input_schema"]["properties"]) == ["_top"]
    events = told(way, BLOCK | {"name": made["name"]}, '{"_top"', ":1}")
    assert [each.text for each in events if isinstance(each, TextDelta)] == ['{"$top":1}']


def test_a_chat_client_sees_nothing_of_it() -> None:
    asked = fields(
        model="m", messages=[{"role": "user", "content": "hi"}],
        tools=[{"type": "function", "function": {"name": "list", "parameters": SCHEMA}}],
    )  # fmt: skip
    way = conversion()
    way.prompt = CHAT.read_prompt(asked, way.notes)
    written(way)
    writer = CHAT.writer(way)
    wire = b"".join(map(writer.write, told(way, BLOCK, '{"_top"', ":1}")))
    chunks = [msgspec.json.decode(each.data) for each in Splitter().feed(wire)[:-1]]
    calls = [
        call["function"].get("arguments", "")
        for chunk in chunks
        for choice in chunk["choices"]
        for call in choice["delta"].get("tool_calls", [])
    ]
    assert "".join(calls) == '{"$top":1}'
