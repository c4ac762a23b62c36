"""Whole Chat answers, read and written."""

import msgspec
import pytest
from msgspec import Raw

from gateway.dialect import Crossing
from gateway.dialects.chat import CHAT
from gateway.errors import BadAnswer, Refused as UpstreamRefused
from gateway.events import (
    Citation,
    Ending,
    Message,
    Part,
    Prompt,
    Redacted,
    Refusal,
    ServerTool,
    Text,
    Thinking,
    Tool,
    ToolCall,
    Usage,
    WebSearch,
)
from tests.dialects.chat.crossings import crossing


def answer(message: object, finish: str = "stop", **more: object) -> bytes:
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return msgspec.json.encode({"id": "c1", "model": "m", "choices": [choice]} | more)


def read(message: object, finish: str = "stop", **more: object) -> Message:
    return CHAT.read_message(answer(message, finish, **more), crossing())


def function(id: str | None, name: str, arguments: object) -> object:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


READ: list[tuple[object, str, list[Part], str]] = [
    ({"content": "a"}, "stop", [Text("a")], "end_turn"),
    ({"content": None}, "stop", [], "end_turn"),
    ({"content": ""}, "length", [], "max_tokens"),
    ({"content": "a", "reasoning_content": "t"}, "stop",
     [Thinking("t", origin="chat"), Text("a")], "end_turn"),
    ({"content": "a", "reasoning": "t", "reasoning_details": [
        {"type": "reasoning.text", "text": "t", "signature": "s"},
        {"type": "reasoning.encrypted", "data": "d"}]}, "stop",
     [Thinking("t", "s", "chat"), Redacted("d", "chat"), Text("a")], "end_turn"),
    ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "t"}]},
                  {"type": "text", "text": "a"}]}, "stop",
     [Thinking("t", origin="chat"), Text("a")], "end_turn"),
    ({"refusal": "No."}, "stop", [Refusal("No.")], "refusal"),
    ({"tool_calls": [function("a", "f", '{"x":1.0}')]}, "stop",
     [ToolCall("a", "f", '{"x":1.0}')], "tool_use"),
    ({"tool_calls": [function("a", "f", " ")]}, "tool_calls", [ToolCall("a", "f")], "tool_use"),
    ({"tool_calls": [function("a", "f", {"x": 1})]}, "tool_calls",
     [ToolCall("a", "f", '{"x":1}')], "tool_use"),
    ({"tool_calls": [function("a", "f", '{"x')]}, "tool_calls",
     [ToolCall("a", "f", '{"_raw_arguments":"{\\"x"}')], "tool_use"),
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
    assert CHAT.digest(answer({"content": "a"}, usage=counts)).usage == usage


def test_local_stops_and_vllms_word() -> None:
    way = crossing(Prompt("m", [], stop=["END", "Z"]))
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
    way = crossing(Prompt("m", [], web_search=WebSearch()))
    text = CHAT.read_message(body, way).parts[0]
    assert isinstance(text, Text)
    assert [(c.url, c.title, c.cited_text) for c in text.citations] == [("https://x", "X", "bc")]
    assert CHAT.read_message(body, crossing()).parts == [Text("abc")]


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
        CHAT.read_message(body, crossing())
    assert (raised.value.status, raised.value.message) == (status, message)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"1", b'{"choices":[]}', b"{}", b'{"choices":[{"message":{"content":5}}]}',
     b'{"choices":[{"message":{"content":[{"type":5}]}}]}', b'{"a":' * 5000],
)  # fmt: skip
def test_nonsense_is_a_bad_answer(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        CHAT.read_message(body, crossing())


def write(parts: list[Part], way: Crossing | None = None, **ending: object) -> dict[str, object]:
    said = Ending(**({"stop": "end_turn", "usage": Usage(1, 2)} | ending))  # type: ignore[arg-type]
    body = CHAT.write_message(Message("msg_9", "real", parts, said), way or crossing())
    return msgspec.json.decode(body, type=dict[str, object])


def test_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.dialects.chat.message.now", lambda: 7)
    parts: list[Part] = [
        Thinking("t", "sig", "messages"), Text("a"), Text("b"),
        ServerTool("[search]", "server_tool_use", Raw(b"{}")), Text("c"),
        ToolCall("i", "f", '{"x":1}'), ToolCall("j", "g"),
    ]  # fmt: skip
    way = crossing()
    assert write(parts, way, stop="tool_use") == {
        "id": "chatcmpl-9", "object": "chat.completion", "created": 7, "model": "alias",
        "choices": [{
            "index": 0, "finish_reason": "tool_calls", "logprobs": None,
            "message": {
                "role": "assistant", "content": "ab\n\nc", "refusal": None,
                "reasoning_content": "t",
                "reasoning_details": [{
                    "type": "reasoning.text", "text": "t", "index": 0,
                    "signature": way.sealed("signature", "sig"), "format": "anthropic-claude-v1",
                }],
                "tool_calls": [
                    {"id": "i", "type": "function",
                     "function": {"name": "f", "arguments": '{"x":1}'}},
                    {"id": "j", "type": "function", "function": {"name": "g", "arguments": "{}"}},
                ],
            },
        }],
        "usage": {
            "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        },
    }  # fmt: skip


def said(parts: list[Part], way: Crossing | None = None, **ending: object) -> dict[str, object]:
    choices = write(parts, way, **ending)["choices"]
    assert isinstance(choices, list)
    found: dict[str, object] = choices[0]
    return found


def test_written_refusals() -> None:
    found = said([Text("I")], stop="refusal", explanation="bio")
    assert found["message"] == {"role": "assistant", "content": "I", "refusal": "bio"}
    assert found["finish_reason"] == "content_filter"
    found = said([], stop="refusal")
    assert found["message"] == {
        "role": "assistant", "content": None, "refusal": "The model declined to answer."
    }  # fmt: skip


def test_written_legacy_and_answer_tool() -> None:
    legacy = crossing(Prompt("m", [], legacy_functions=True))
    found = said([ToolCall("a", "f", "{}"), ToolCall("b", "g")], legacy, stop="tool_use")
    assert found["message"] == {
        "role": "assistant", "content": None, "refusal": None,
        "function_call": {"name": "f", "arguments": "{}"},
    }  # fmt: skip
    assert found["finish_reason"] == "function_call"
    way = crossing()
    way.answer_tool = "json_output"
    found = said([ToolCall("a", "json_output", '{"x":1}')], way, stop="tool_use")
    assert found["message"] == {"role": "assistant", "content": '{"x":1}', "refusal": None}
    assert found["finish_reason"] == "stop"


def test_written_citations_are_spans_in_code_points() -> None:
    cited = Citation(Raw(b"{}"), "https://x", "X")
    way = crossing()
    found = said([Text("a😀"), Text("bc", citations=[cited, Citation(Raw(b"{}"))])], way)
    place = {"url": "https://x", "title": "X", "start_index": 2, "end_index": 4}
    assert found["message"] == {
        "role": "assistant", "content": "a😀bc", "refusal": None,
        "annotations": [{"type": "url_citation", "url_citation": place}],
    }  # fmt: skip
    assert way.notes.entries == ["citations:without_url_dropped"]


def test_what_a_chat_client_replays_comes_back() -> None:
    way = crossing(Prompt("m", [], tools=[Tool("p", custom=True)]))
    parts: list[Part] = [
        Thinking("t", "s", "chat"), Redacted("d", "chat"), Text("a"),
        ToolCall("i", "f", '{"x":1}'), ToolCall("j", "p", "free", custom=True),
    ]  # fmt: skip
    ending = Ending("tool_use", usage=Usage(1, 2, 3, 4, 5))
    body = CHAT.write_message(Message("chatcmpl-1", "m", parts, ending), way)
    assert CHAT.read_message(body, way) == Message("chatcmpl-1", "alias", parts, ending)
