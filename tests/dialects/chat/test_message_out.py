"""Whole Chat answers, written."""

import msgspec
import pytest
from msgspec import Raw

from gateway.dialect import Conversion
from gateway.dialects.chat import CHAT
from gateway.neutral.events import (
    Citation,
    Ending,
    Message,
    Part,
    Prompt,
    Redacted,
    ServerTool,
    Text,
    Thinking,
    Tool,
    ToolCall,
    Usage,
)
from tests.dialects.chat.conversions import conversion


def write(parts: list[Part], way: Conversion | None = None, **ending: object) -> dict[str, object]:
    said = Ending(**({"stop": "end_turn", "usage": Usage(1, 2)} | ending))  # type: ignore[arg-type]
    body = CHAT.write_message(Message("msg_9", "real", parts, said), way or conversion())
    return msgspec.json.decode(body, type=dict[str, object])


def test_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.dialects.chat.message_out.unix_time", lambda: 7)
    parts: list[Part] = [
        Thinking("t", "sig", "messages"), Text("a"), Text("b"),
        ServerTool("[search]", "server_tool_use", Raw(b"{}")), Text("c"),
        ToolCall("i", "f", '{"x":1}'), ToolCall("j", "g"),
    ]  # fmt: skip
    way = conversion()
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


def said(parts: list[Part], way: Conversion | None = None, **ending: object) -> dict[str, object]:
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
    legacy = conversion(Prompt("m", [], legacy_functions=True))
    found = said([ToolCall("a", "f", "{}"), ToolCall("b", "g")], legacy, stop="tool_use")
    assert found["message"] == {
        "role": "assistant", "content": None, "refusal": None,
        "function_call": {"name": "f", "arguments": "{}"},
    }  # fmt: skip
    assert found["finish_reason"] == "function_call"
    way = conversion()
    way.answer_tool = "json_output"
    found = said([ToolCall("a", "json_output", '{"x":1}')], way, stop="tool_use")
    assert found["message"] == {"role": "assistant", "content": '{"x":1}', "refusal": None}
    assert found["finish_reason"] == "stop"


def test_written_citations_are_spans_in_code_points() -> None:
    cited = Citation(Raw(b"{}"), "https://x", "X")
    way = conversion()
    found = said([Text("a😀"), Text("bc", citations=[cited, Citation(Raw(b"{}"))])], way)
    place = {"url": "https://x", "title": "X", "start_index": 2, "end_index": 4}
    assert found["message"] == {
        "role": "assistant", "content": "a😀bc", "refusal": None,
        "annotations": [{"type": "url_citation", "url_citation": place}],
    }  # fmt: skip
    assert way.notes.entries == ["citations:without_url_dropped"]


def test_what_a_chat_client_replays_comes_back() -> None:
    way = conversion(Prompt("m", [], tools=[Tool("p", custom=True)]))
    parts: list[Part] = [
        Thinking("t", "s", "chat"), Redacted("d", "chat"), Text("a"),
        ToolCall("i", "f", '{"x":1}'), ToolCall("j", "p", "free", custom=True),
    ]  # fmt: skip
    ending = Ending("tool_use", usage=Usage(1, 2, 3, 4, 5))
    body = CHAT.write_message(Message("chatcmpl-1", "m", parts, ending), way)
    assert CHAT.read_message(body, way) == Message("chatcmpl-1", "alias", parts, ending)
