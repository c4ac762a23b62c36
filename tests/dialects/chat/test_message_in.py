"""Whole Chat answers, read."""

import msgspec
import pytest

from gateway.dialects.chat import CHAT, message_in
from gateway.dialects.chat.answer import Chunk
from gateway.errors import BadAnswer, Refused as UpstreamRefused
from gateway.neutral.events import (
    Ending,
    Message,
    Part,
    Prompt,
    Redacted,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    Usage,
    WebSearch,
)
from tests.dialects.chat.conversions import conversion


def answer(message: object, finish: str = "stop", **more: object) -> bytes:
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return msgspec.json.encode({"id": "c1", "model": "m", "choices": [choice]} | more)


def read(message: object, finish: str = "stop", **more: object) -> Message:
    return CHAT.read_message(answer(message, finish, **more), conversion())


def function(id: str | None, name: str, arguments: object) -> object:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


READ: list[tuple[object, str, list[Part], str]] = [
    ({"content": "a"}, "stop", [Text("a")], "end_turn"),
    ({"content": None}, "stop", [], "end_turn"),
    ({"content": ""}, "length", [], "max_tokens"),
    ({"content": "a", "reasoning_content": "t"}, "stop",
     [Thinking("t"), Text("a")], "end_turn"),
    ({"content": "a", "reasoning": "t", "reasoning_details": [
        {"type": "reasoning.text", "text": "t", "signature": "s"},
        {"type": "reasoning.encrypted", "data": "d"}]}, "stop",
     [Thinking("t", "s", "chat"), Redacted("d", "chat"), Text("a")], "end_turn"),
    ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "t"}]},
                  {"type": "text", "text": "a"}]}, "stop",
     [Thinking("t"), Text("a")], "end_turn"),
    ({"refusal": "No."}, "stop", [Refusal("No.")], "refusal"),
    ({"tool_calls": [function("a", "f", '{"x":1.0}')]}, "stop",
     [ToolCall("a", "f", '{"x":1.0}')], "tool_use"),
    ({"tool_calls": [function("a", "f", " ")]}, "tool_calls", [ToolCall("a", "f")], "tool_use"),
    ({"tool_calls": [function("a", "f", {"x": 1})]}, "tool_calls",
     [ToolCall("a", "f", '{"x":1}')], "tool_use"),
    ({"content": "\n\n", "tool_calls": [function("a", "f", "{}")]}, "tool_calls",
     [ToolCall("a", "f", "{}")], "tool_use"),
    ({"content": "I", "refusal": "No."}, "stop", [Text("I"), Refusal("No.")], "refusal"),
    ({"tool_calls": [function("a", "f", "{}"), function("b", "g", '{"x')]}, "length",
     [ToolCall("a", "f", "{}")], "max_tokens"),
    ({"tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "p", "input": "{"}}]},
     "tool_calls", [ToolCall("a", "p", "{", custom=True)], "tool_use"),
    ({"audio": {"id": "x", "transcript": "said"}}, "stop", [Text("said")], "end_turn"),
    ({"content": "a"}, "novel", [Text("a")], "end_turn"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "finish", "parts", "stop"), READ)
def test_read(message: object, finish: str, parts: list[Part], stop: str) -> None:
    found = read(message, finish)
    assert (found.id, found.model, found.parts, found.ending.stop) == ("c1", "m", parts, stop)


@pytest.mark.parametrize("ids", [(None, None), ("a", "a"), ("", "")])
def test_ids_that_are_missing_or_shared_are_made(ids: tuple[str | None, str | None]) -> None:
    found = read({"tool_calls": [function(id, "f", "{}") for id in ids]}).parts
    made = {part.id for part in found if isinstance(part, ToolCall)}
    assert len(made) == 2
    assert "" not in made


@pytest.mark.parametrize("arguments", ['{"x', "[1]", "{}}", "{x}"])
def test_broken_arguments_are_an_error_as_in_a_stream(arguments: str) -> None:
    with pytest.raises(BadAnswer, match=r"^upstream produced invalid tool arguments$"):
        read({"tool_calls": [function("a", "f", arguments)]}, "tool_calls")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"input":"x"}', "x"), ('{"code":"x"}', '{"code":"x"}'), ({"code": "x"}, '{"code":"x"}'),
        ('{"input":{"code":1}}', '{"input":{"code":1}}'), ("print(1)", "print(1)"), ("", ""),
    ],
)  # fmt: skip
def test_all_input_of_a_custom_tool_is_kept(arguments: object, text: str) -> None:
    way = conversion(Prompt("m", [], tools=[Tool("p", custom=True)]))
    body = answer({"tool_calls": [function("a", "p", arguments)]}, "tool_calls")
    assert CHAT.read_message(body, way).parts == [ToolCall("a", "p", text, custom=True)]


def test_a_call_without_a_name_is_noted() -> None:
    way = conversion()
    body = answer({"content": "a", "tool_calls": [function("a", "", "")]}, "stop")
    assert CHAT.read_message(body, way).parts == [Text("a")]
    assert way.notes.entries == ["tool_calls:without_name_dropped"]


def test_a_plain_text_is_read_by_the_short_way_as_by_the_long_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 1}
    message: dict[str, object] = {"content": " a", "refusal": None, "annotations": []}
    body = answer(message, usage=usage, service_tier="priority")
    chunk = msgspec.json.decode(body, type=Chunk)
    assert chunk.choices
    long = message_in.read_choice(chunk, chunk.choices[0], conversion())
    monkeypatch.delattr(message_in, "ChatReader")  # the long way needs it
    assert CHAT.read_message(body, conversion()) == long
    assert long.parts == [Text(" a")]


COUNTS: list[tuple[dict[str, object], Usage]] = [
    # case 3
    ({"prompt_tokens": 1000, "completion_tokens": 10,
      "prompt_tokens_details": {"cached_tokens": 900, "cache_write_tokens": 50}},
     Usage(50, 10, 900, 50)),
    ({"prompt_tokens": 100, "completion_tokens": 1, "prompt_cache_hit_tokens": 60},
     Usage(40, 1, 60)),
    ({"prompt_tokens": 100, "completion_tokens": 1, "cached_tokens": 60}, Usage(40, 1, 60)),
    ({"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 60}},
     Usage(10, 1, 60)),
    ({"prompt_tokens": 100, "completion_tokens": 1, "cache_creation_input_tokens": 30},
     Usage(70, 1, 0, 30)),
    ({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12,
      "completion_tokens_details": {"reasoning_tokens": 3}}, Usage(5, 7, 0, 0, 3)),
    ({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 15,
      "completion_tokens_details": {"reasoning_tokens": 3}}, Usage(5, 10, 0, 0, 3)),
    ({"prompt_tokens": None, "completion_tokens": None}, Usage()),
    ({"prompt_tokens": 5.0, "completion_tokens": 7.0}, Usage(5, 7)),
]  # fmt: skip


@pytest.mark.parametrize(("counts", "usage"), COUNTS)
def test_counts(counts: dict[str, object], usage: Usage) -> None:
    assert read({"content": "a"}, usage=counts).ending.usage == usage
    assert CHAT.summarize(answer({"content": "a"}, usage=counts)).usage == usage


def test_local_stops_and_vllms_word() -> None:
    way = conversion(Prompt("m", [], stop=["END", "Z"]))
    way.local_stops = ("END",)
    body = answer({"content": "x END y", "tool_calls": [function("a", "f", "{}")]}, "tool_calls")
    assert CHAT.read_message(body, way) == Message(
        "c1", "m", [Text("x ")], Ending("stop_sequence", "END")
    )
    named = {"message": {"content": "a"}, "finish_reason": "stop", "stop_reason": "Z"}
    body = msgspec.json.encode({"choices": [named]})
    assert CHAT.read_message(body, way).ending == Ending("stop_sequence", "Z")


def test_annotations_are_kept_for_a_client_that_searched() -> None:
    cited = {"url": "https://x", "title": "X", "start_index": 1, "end_index": 3}
    body = answer({"content": "abc", "annotations": [
        {"type": "url_citation", "url_citation": cited}]})  # fmt: skip
    way = conversion(Prompt("m", [], web_search=WebSearch()))
    text = CHAT.read_message(body, way).parts[0]
    assert isinstance(text, Text)
    assert [(c.url, c.title, c.cited_text) for c in text.citations] == [("https://x", "X", "bc")]
    assert CHAT.read_message(body, conversion()).parts == [Text("abc")]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        # case 22
        (b'{"error":{"code":429,"message":"slow"}}', 429, "slow"),
        (b'[{"error":{"code":503,"message":"gem"}}]', 503, "gem"),
        (b'{"error":"text"}', 502, "text"),
        (b'{"choices":[{"message":{},"finish_reason":"network_error"}]}', 502,
         "upstream ended its answer with finish_reason 'network_error'"),
    ],
)  # fmt: skip
def test_errors_in_a_200(body: bytes, status: int, message: str) -> None:
    with pytest.raises(UpstreamRefused) as raised:
        CHAT.read_message(body, conversion())
    assert (raised.value.status, raised.value.message) == (status, message)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"1", b'{"choices":[]}', b"{}", b'{"choices":[{"message":{"content":5}}]}',
     b'{"choices":[{"message":{"content":[{"type":5}]}}]}', b'{"a":' * 5000],
)  # fmt: skip
def test_nonsense_is_a_bad_answer(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        CHAT.read_message(body, conversion())
