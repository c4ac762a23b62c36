"""Whole answers of the Messages API, read and written."""

from typing import Any

import msgspec
import pytest
from anthropic.types import Message as OfficialMessage
from msgspec import Raw

from gateway.dialect import Conversion, ToolNames
from gateway.dialects.messages import MESSAGES
from gateway.errors import BadAnswer, Refused
from gateway.neutral.events import (
    Citation,
    Ending,
    Message,
    Opaque,
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
from gateway.neutral.seal import Sealed
from tests.dialects.messages.wires import conversion

USAGE = {
    "input_tokens": 50,
    "cache_read_input_tokens": 900,
    "cache_creation_input_tokens": None,
    "output_tokens": 10,
    "output_tokens_details": {"thinking_tokens": 4},
    "service_tier": "standard",
}


def read(crossed: Conversion | None = None, **members: Any) -> Message:
    body = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": USAGE,
        **members,
    }
    return MESSAGES.read_message(msgspec.json.encode(body), crossed or conversion())


def test_an_answer_in_full() -> None:
    cited = {
        "type": "web_search_result_location",
        "url": "https://x",
        "title": "T",
        "cited_text": "c",
    }
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}}
    got = read(
        content=[
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            {"type": "redacted_thinking", "data": "d"},
            search,
            {"type": "text", "text": "t", "citations": [cited]},
            {"type": "text", "text": ""},
            {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
        ],
        stop_reason="tool_use",
    )
    assert got == Message(
        "msg_1",
        "claude",
        [
            Thinking("hm", "sig", "messages"),
            Redacted("d", "messages"),
            ServerTool("[web_search: q]", "server_tool_use", Raw(msgspec.json.encode(search))),
            Text("t", citations=[Citation(Raw(msgspec.json.encode(cited)), "https://x", "T", "c")]),
            ToolCall("a", "f", '{"x":1}'),
        ],
        Ending("tool_use", usage=Usage(50, 10, 900, 0, 4), service_tier="default"),
    )


@pytest.mark.parametrize(
    ("members", "ending"),
    [
        ({}, Ending("end_turn")),
        (
            {"stop_reason": "stop_sequence", "stop_sequence": "X"},
            Ending("stop_sequence", stop_sequence="X"),
        ),
        ({"stop_reason": "max_tokens"}, Ending("max_tokens")),
        ({"stop_reason": "pause_turn"}, Ending("pause_turn", native="pause_turn")),
        (
            {"stop_reason": "refusal", "stop_details": {"type": "refusal", "explanation": "bio"}},
            Ending("refusal", explanation="bio"),
        ),
        (
            {"stop_reason": "model_context_window_exceeded"},
            Ending("model_context_window_exceeded", native="model_context_window_exceeded"),
        ),
        ({"stop_reason": "brand_new"}, Ending("end_turn", native="brand_new")),
    ],
)
def test_stop_reasons(members: dict[str, Any], ending: Ending) -> None:
    got = read(usage=None, **members).ending
    assert got == ending


def test_a_call_that_ends_the_turn_is_a_tool_turn() -> None:
    got = read(content=[{"type": "tool_use", "id": "a", "name": "f", "input": {}}])
    assert got.ending.stop == "tool_use"


def test_names_custom_tools_and_the_answer_tool_come_back() -> None:
    crossed = conversion(
        Prompt("m", [], tools=[Tool("foo/bar", custom=True)]),
        names=ToolNames({"foo/bar": "foo_bar"}),
        answer_tool="json_output",
    )
    got = read(
        crossed,
        content=[
            {"type": "tool_use", "id": "a", "name": "foo_bar", "input": {"input": "free"}},
            {"type": "tool_use", "id": "b", "name": "json_output", "input": {"k": 1}},
        ],
        stop_reason="tool_use",
    )
    assert got.parts == [ToolCall("a", "foo/bar", "free", custom=True), Text('{"k":1}')]
    assert got.ending.stop == "end_turn"


def test_input_that_is_no_free_text_is_given_as_it_is() -> None:
    crossed = conversion(Prompt("m", [], tools=[Tool("f", custom=True)]))
    block = {"type": "tool_use", "id": "a", "name": "f", "input": {"other": 1}}
    assert read(crossed, content=[block]).parts == [ToolCall("a", "f", '{"other":1}', custom=True)]


def test_an_input_that_is_no_object_is_an_error_unless_it_was_cut() -> None:
    block = {"type": "tool_use", "id": "a", "name": "f", "input": [1]}
    with pytest.raises(BadAnswer, match="invalid tool arguments"):
        read(content=[block], stop_reason="tool_use")
    assert read(content=[block], stop_reason="max_tokens").parts == [ToolCall("a", "f", "[1]")]


def test_an_unknown_block_is_kept_and_noted() -> None:
    crossed = conversion()
    (part,) = read(crossed, content=[{"type": "brand_new"}]).parts
    assert isinstance(part, Opaque)
    assert crossed.notes.entries == ["content.brand_new:unknown_block"]


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"content":3}', b'{"content":[{"type":"text"}]}']
)
def test_what_is_no_message_is_a_bad_answer(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        MESSAGES.read_message(body, conversion())


def test_an_error_in_a_200_is_raised() -> None:
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}'
    with pytest.raises(Refused) as caught:
        MESSAGES.read_message(body, conversion())
    assert (caught.value.status, caught.value.kind) == (529, "overloaded_error")


# --- written --------------------------------------------------------------------------------------


def write(
    parts: list[Part], ending: Ending | None = None, crossed: Conversion | None = None
) -> dict[str, Any]:
    message = Message("chatcmpl-1", "up", parts, ending or Ending("end_turn"))
    body = MESSAGES.write_message(message, crossed or conversion())
    OfficialMessage.model_validate_json(body)  # raises where the official type is not met
    got: dict[str, Any] = msgspec.json.decode(body)
    return got


def test_a_written_answer_in_full() -> None:
    ending = Ending("tool_use", usage=Usage(50, 10, 900, 50), service_tier="priority")
    got = write([Text("t"), ToolCall("call_1", "f", '{"a":1}')], ending)
    assert got == {
        "id": got["id"],
        "type": "message",
        "role": "assistant",
        "model": "alias",
        "content": [
            {"type": "text", "text": "t"},
            {"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 50,
            "cache_creation_input_tokens": 50,
            "cache_read_input_tokens": 900,
            "output_tokens": 10,
            "service_tier": "priority",
        },
    }
    assert got["id"].startswith("msg_")
    assert len(got["id"]) == 28


def test_usage_is_numbers_even_where_unknown() -> None:
    assert write([])["usage"] == {
        "input_tokens": 0,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 0,
    }


def test_every_thinking_block_has_a_signature() -> None:
    crossed = conversion()
    got = write(
        [
            Thinking("own", "sig", "messages"),
            Thinking("signed", "sig", "chat"),
            Thinking("bare"),
            Thinking(""),
            Redacted("d", "messages"),
            Redacted("e", "chat"),
        ],
        crossed=crossed,
    )["content"]
    assert [block["type"] for block in got] == ["thinking"] * 3 + ["redacted_thinking"] * 2
    assert got[0]["signature"] == "sig"
    assert crossed.unsealed(got[1]["signature"]) == Sealed(
        "p", "upstream-model", "signature", "sig"
    )
    bare = crossed.unsealed(got[2]["signature"])
    assert bare is not None
    assert bare.kind == "text"
    assert got[3]["data"] == "d"
    assert crossed.unsealed(got[4]["data"]) == Sealed("p", "upstream-model", "redacted", "e")


def test_a_refusal() -> None:
    got = write([Refusal("no")], Ending("end_turn", explanation="why"))
    assert got["content"] == [{"type": "text", "text": "no"}]
    assert got["stop_reason"] == "refusal"
    assert got["stop_details"] == {"type": "refusal", "category": None, "explanation": "why"}


def test_broken_arguments_are_kept_unless_the_answer_was_cut() -> None:
    crossed = conversion()
    whole = write([ToolCall("a", "f", '{"a":')], Ending("tool_use"), crossed)
    assert whole["content"][0]["input"] == {"_raw_arguments": '{"a":'}
    assert crossed.notes.entries == ["content.tool_use:invalid_json_kept_as_text"]
    cut = conversion()
    assert write([ToolCall("a", "f", '{"a":')], Ending("max_tokens"), cut)["content"] == []
    assert cut.notes.entries == ["content.tool_use:cut_call_left_out"]


def test_missing_and_repeated_ids_are_made_up() -> None:
    calls: list[Part] = [ToolCall("", "f"), ToolCall("a", "f"), ToolCall("a", "f")]
    ids = [block["id"] for block in write(calls, Ending("tool_use"))["content"]]
    assert ids[1] == "a"
    assert ids[0].startswith("toolu_")
    assert ids[2].startswith("toolu_")
    assert len(set(ids)) == 3


@pytest.mark.parametrize(("asked", "kept"), [(True, True), (False, False)])
def test_citations_are_for_clients_that_search(*, asked: bool, kept: bool) -> None:
    crossed = conversion(Prompt("m", [], web_search=WebSearch() if asked else None))
    text = Text("t", citations=[Citation(Raw(b"{}"), "https://x", "T", "c"), Citation(Raw(b"{}"))])
    (block,) = write([text], crossed=crossed)["content"]
    cited = {
        "type": "web_search_result_location",
        "url": "https://x",
        "title": "T",
        "cited_text": "c",
        "encrypted_index": "",
    }
    assert block.get("citations") == ([cited] if kept else None)
    assert crossed.notes.entries == ["citations:unsupported_by_client"]


def test_parts_without_a_block_are_noted() -> None:
    crossed = conversion()
    assert write([Text("")], crossed=crossed)["content"] == []
    assert write([Opaque("x", Raw(b"{}"), "chat")], crossed=crossed)["content"] == []
    assert crossed.notes.entries == ["content.opaque:unsupported_by_client"]
