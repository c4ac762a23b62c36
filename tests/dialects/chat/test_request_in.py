"""A Chat client's request, read."""

import base64
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway.dialects.chat import CHAT
from gateway.errors import InvalidRequest
from gateway.neutral.events import (
    Audio,
    CacheMark,
    Document,
    Format,
    Image,
    Opaque,
    Part,
    Prompt,
    Reasoning,
    Redacted,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    WebSearch,
)
from gateway.neutral.notes import LossReport
from gateway.neutral.seal import PREFIX
from tests.dialects.chat.conversions import fields

HI = [{"role": "user", "content": "hi"}]
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(12)).decode()
PDF = base64.b64encode(b"%PDF-1.7").decode()
SEALED = f"{PREFIX}x"
HIDDEN = f"{PREFIX}y"


def read(messages: object = HI, *, strict: bool = False, **members: object) -> Prompt:
    return CHAT.read_prompt(
        fields(model="m", messages=messages, **members), LossReport(strict=strict)
    )


def noted(**members: object) -> list[str]:
    notes = LossReport()
    CHAT.read_prompt(fields(**({"model": "m", "messages": HI} | members)), notes)
    return notes.entries


def only(content: object, role: str = "user", **more: object) -> list[Part]:
    return read([{"role": role, "content": content} | more]).turns[0].parts


def call(id: str, name: str, arguments: object) -> object:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_turns() -> None:
    prompt = read([
        {"role": "system", "content": "A"},
        {"role": "developer", "content": [{"type": "text", "text": "B"}]},
        {"role": "user", "content": "hi", "name": "ann"},
        {"role": "assistant", "content": "on it", "tool_calls": [call("a", "f", '{"x": 1.0}')]},
        {"role": "tool", "tool_call_id": "a", "content": "r"},
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "s"}]},
        {"role": "user", "content": "next"},
        {"role": "system", "content": "C"},
        {"role": "user", "content": "end"},
    ])  # fmt: skip
    assert prompt.system == [Text("A"), Text("B")]
    assert prompt.turns == [
        Turn("user", [Text("hi")], "ann"),
        Turn("assistant", [Text("on it"), ToolCall("a", "f", '{"x": 1.0}')]),
        Turn("user", [ToolResult("a", [Text("r")]), ToolResult("b", [Text("s")]), Text("next")]),
        Turn("system", [Text("C")]),
        Turn("user", [Text("end")]),
    ]


def test_case_15_no_error_is_guessed_from_a_result() -> None:
    prompt = read([{"role": "tool", "tool_call_id": "a", "content": '{"error":null,"data":1}'}])
    assert prompt.turns[0].parts == [ToolResult("a", [Text('{"error":null,"data":1}')])]


def test_case_16_invalid_arguments_are_kept() -> None:
    notes = LossReport()
    message = {"role": "assistant", "tool_calls": [call("a", "f", '{"a":'), call("b", "f", "")]}
    prompt = CHAT.read_prompt(fields(model="m", messages=[message]), notes)
    assert prompt.turns[0].parts == [
        ToolCall("a", "f", '{"_raw_arguments":"{\\"a\\":"}'), ToolCall("b", "f", "")
    ]  # fmt: skip
    assert notes.entries == ["messages.0.tool_calls.0.function.arguments:invalid_json_kept_as_text"]


def test_legacy_functions() -> None:
    prompt = read([
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "r"},
    ], functions=[{"name": "f", "parameters": {"type": "object"}}],
    function_call={"name": "f"})  # fmt: skip
    asked = prompt.turns[0].parts[0]
    assert isinstance(asked, ToolCall)
    assert (asked.id[:6], len(asked.id), asked.name) == ("toolu_", 30, "f")
    assert prompt.turns[1].parts == [ToolResult(asked.id, [Text("r")])]
    assert prompt.tools == [Tool("f", schema=Raw(b'{"type":"object"}'))]
    assert (prompt.legacy_functions, prompt.tool_choice) == (True, ToolChoice("tool", "f"))


CONTENT: list[tuple[object, list[Part]]] = [
    ("", []),
    ([{"type": "text", "text": ""}], []),
    ([{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
     [Text("a", CacheMark("1h"))]),
    ([{"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}],
     [Text("a", CacheMark())]),
    ([{"type": "text", "text": "a",
       "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}],
     [Text("a", CacheMark("1h"))]),
    ([{"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}}],
     [Image(url="https://x/y.png")]),
    ([{"type": "image_url", "image_url": "https://x/y.png"}], [Image(url="https://x/y.png")]),
    ([{"type": "image_url", "image_url": {"url": "data:image/png;base64," + PNG}}],
     [Image("image/png", PNG)]),
    ([{"type": "image_url", "image_url": {"url": "data:image/jpeg;base64," + PNG}}],
     [Image("image/png", PNG)]),
    ([{"type": "image_url", "image_url": {"url": "data:application/pdf;base64," + PDF}}],
     [Document("application/pdf", PDF)]),
    ([{"type": "file", "file": {"filename": "f", "file_data": PDF}}],
     [Document("application/pdf", PDF, title="f")]),
    ([{"type": "file", "file": {"filename": "t", "file_data": "data:text/plain;base64,aGk="}}],
     [Document("text/plain", text="hi", title="t")]),
    ([{"type": "file", "file": {"file_id": "i"}}], [Document(file_id="i")]),
    ([{"type": "input_audio", "input_audio": {"data": "d", "format": "wav"}}],
     [Audio("d", "wav")]),
    ([{"type": "new", "x": 1.0}], [Opaque("new", Raw(b'{"type":"new","x":1.0}'), "chat")]),
]  # fmt: skip


@pytest.mark.parametrize(("content", "parts"), CONTENT)
def test_content(content: object, parts: list[Part]) -> None:
    assert only(content) == parts


ASSISTANT: list[tuple[dict[str, object], list[Part]]] = [
    ({"reasoning_content": "t"}, [Thinking("t", origin="chat"), Text("a")]),
    ({"reasoning": "t"}, [Thinking("t", origin="chat"), Text("a")]),
    ({"reasoning_content": "t", "reasoning_details": [
        {"type": "reasoning.text", "text": "t", "signature": SEALED, "format": "f", "index": 0},
        {"type": "reasoning.encrypted", "data": HIDDEN, "format": "f", "index": 1}]},
     [Thinking("t", SEALED, "chat"), Redacted(HIDDEN, "chat"), Text("a")]),
    ({"thinking_blocks": [{"type": "thinking", "thinking": "t", "signature": "s"},
                          {"type": "redacted_thinking", "data": "d"}]},
     [Thinking("t", "s", "chat"), Redacted("d", "chat"), Text("a")]),
    ({"refusal": "No."}, [Text("a"), Refusal("No.")]),
    ({"audio": {"id": "x"}}, [Text("a"), Audio(id="x")]),
    ({"tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "p", "input": "{"}}]},
     [Text("a"), ToolCall("a", "p", "{", custom=True)]),
    ({"annotations": [], "parsed": None, "weight": 1}, [Text("a")]),
]  # fmt: skip


@pytest.mark.parametrize(("more", "parts"), ASSISTANT)
def test_assistant(more: dict[str, object], parts: list[Part]) -> None:
    assert only("a", "assistant", **more) == parts


TOP: list[tuple[dict[str, object], dict[str, object]]] = [
    ({"max_tokens": 10, "max_completion_tokens": 20.0}, {"max_tokens": 20}),
    ({"max_completion_tokens": 20, "max_tokens": 10}, {"max_tokens": 20}),
    ({"max_tokens": None}, {}),
    ({"temperature": 1, "top_p": 0.5, "top_k": 3},
     {"temperature": 1.0, "top_p": 0.5, "top_k": 3}),
    ({"seed": 7.0, "frequency_penalty": 1, "presence_penalty": -0.5},
     {"seed": 7, "frequency_penalty": 1.0, "presence_penalty": -0.5}),
    ({"seed": 2**60 + 1}, {"seed": 2**60 + 1}),
    ({"n": 1, "stop": "x", "stream": True, "stream_options": {"include_usage": True}},
     {"stop": ["x"], "stream": True, "include_usage": True}),
    ({"user": "u", "safety_identifier": "s"}, {"user": "s"}),
    ({"safety_identifier": "s", "user": "u"}, {"user": "s"}),
    ({"prompt_cache_key": "k", "metadata": {"a": "b"}}, {"session": "k"}),
    ({"prompt_cache_options": {"mode": "explicit"}}, {"cache_explicit": True}),
    ({"prompt_cache_options": {"mode": "implicit"}}, {"cache_implicit": True}),
    ({"cache_control": {"type": "ephemeral"}}, {"cache_implicit": True}),
    ({"reasoning_effort": "high"}, {"reasoning": Reasoning(effort="high")}),
    ({"reasoning": {"max_tokens": 2000, "exclude": True}},
     {"reasoning": Reasoning("enabled", 2000, None, "omitted")}),
    ({"reasoning": {"enabled": False}}, {"reasoning": Reasoning("disabled")}),
    ({"thinking": {"type": "enabled", "budget_tokens": 2048}},
     {"reasoning": Reasoning("enabled", 2048)}),
    ({"thinking": {"type": "enabled"}}, {"reasoning": Reasoning("adaptive")}),
    ({"service_tier": "auto"}, {"service_tier": "auto"}),
    ({"speed": "fast"}, {"service_tier": "fast"}),
    ({"verbosity": "low", "parallel_tool_calls": False},
     {"verbosity": "low", "parallel_tools": False}),
    ({"response_format": {"type": "text"}}, {}),
    ({"response_format": {"type": "json_object"}}, {"format": Format("json_object")}),
    ({"response_format": {"type": "json_schema", "json_schema": {
        "name": "n", "schema": {"type": "object"}, "strict": True}}},
     {"format": Format("json_schema", Raw(b'{"type":"object"}'), "n", None, True)}),
    ({"web_search_options": {"search_context_size": "low", "user_location": {
        "type": "approximate", "approximate": {"city": "Bern"}}}},
     {"web_search": WebSearch("low", None, {"city": "Bern"})}),
    ({"tools": [{"type": "function", "function": {
        "name": "f", "description": "d", "parameters": {"x": 1.0}, "strict": True}}]},
     {"tools": [Tool("f", "d", Raw(b'{"x":1.0}'), True)]}),
    ({"tools": [{"type": "function", "function": {"name": "f", "parameters": None}}]},
     {"tools": [Tool("f")]}),
    ({"tools": [{"type": "custom", "custom": {"name": "p", "format": {
        "type": "grammar", "grammar": {"syntax": "lark", "definition": "g"}}}}]},
     {"tools": [Tool("p", custom=True, grammar=("lark", "g"))]}),
    ({"tools": [{"name": "f", "input_schema": {}}]}, {"tools": [Tool("f", schema=Raw(b"{}"))]}),
    ({"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 2}]},
     {"web_search": WebSearch(max_uses=2)}),
    ({"tool_choice": "required"}, {"tool_choice": ToolChoice("any")}),
    ({"tool_choice": "none"}, {"tool_choice": ToolChoice("none")}),
    ({"tool_choice": {"type": "function", "function": {"name": "f"}}},
     {"tool_choice": ToolChoice("tool", "f")}),
    ({"tool_choice": {"type": "custom", "custom": {"name": "p"}}},
     {"tool_choice": ToolChoice("tool", "p")}),
    ({"tools": [{"type": "function", "function": {"name": name}} for name in "fgh"],
      "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [
          {"type": "function", "function": {"name": "g"}}]}}},
     {"tools": [Tool("g")], "tool_choice": ToolChoice("any")}),
]  # fmt: skip


@pytest.mark.parametrize(("members", "expected"), TOP)
def test_top_level(members: dict[str, object], expected: dict[str, object]) -> None:
    prompt = read(strict=True, **members)
    assert prompt == msgspec.structs.replace(Prompt("m", [Turn("user", [Text("hi")])]), **expected)


NOTED: list[tuple[dict[str, object], list[str]]] = [
    ({"logit_bias": {"1": 2}}, ["logit_bias:unsupported_by_target"]),
    ({"logit_bias": {}, "logprobs": False, "store": False}, []),
    ({"logprobs": True, "store": True},
     ["logprobs:unsupported_by_target", "store:unsupported_by_target"]),
    ({"service_tier": "flex"}, ["service_tier:unsupported_by_target"]),
    ({"brand_new": 1}, ["brand_new:unknown"]),
    ({"stop": ["", " ", "x"]}, ["stop:blank_entry"]),
    ({"moderation": {"model": "m"}}, ["moderation:unsupported_by_target"]),
    ({"modalities": ["text"], "prompt_cache_retention": "24h", "user": None}, []),
    ({"messages": [{"role": "user", "content": "a", "zzz": 1}]}, ["messages.0.zzz:unknown"]),
]  # fmt: skip


@pytest.mark.parametrize(("members", "entries"), NOTED)
def test_notes(members: dict[str, object], entries: list[str]) -> None:
    assert noted(**members) == entries
    if entries:
        with pytest.raises(InvalidRequest):
            read(**({"strict": True} | members))  # type: ignore[arg-type]


def test_tags_are_told_to_be_gone_which_strict_allows() -> None:
    assert noted(metadata={"topic": "x"}) == ["metadata:not_stored"]
    assert noted(metadata={}) == []
    read(strict=True, metadata={"topic": "x"})


def part(**members: object) -> dict[str, object]:
    return {"messages": [*HI, {"role": "user", "content": [HI_PART, members]}]}


HI_PART = {"type": "text", "text": "hi"}
WRONG: list[tuple[dict[str, object], str]] = [
    ({"model": 1}, "model"), ({"model": ""}, "model"), ({"model": None}, "model"),
    ({"messages": []}, "messages"), ({"messages": {}}, "messages"),
    ({"messages": ["x"]}, "messages.0"), ({"messages": [{}]}, "messages.0.role"),
    ({"messages": [{"role": "x"}]}, "messages.0.role"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.tool_call_id"),
    (part(type="image_url", image_url={"url": 5}), "messages.1.content.1.image_url.url"),
    (part(type="image_url", image_url={}), "messages.1.content.1.image_url.url"),
    (part(type="image_url", image_url={"url": "ftp://x"}), "messages.1.content.1.image_url.url"),
    (part(type="image_url", image_url={"url": "data:image/png,x"}),
     "messages.1.content.1.image_url.url"),
    (part(type="image_url", image_url={"url": "data:text/html;base64,aGk="}),
     "messages.1.content.1.image_url.url"),
    (part(text="x"), "messages.1.content.1.type"), (part(type=5), "messages.1.content.1.type"),
    (part(type="file", file={}), "messages.1.content.1.file.file_data"),
    (part(type="file", file={"file_data": "aGk="}), "messages.1.content.1.file.file_data"),
    ({"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}]},
     "messages.0.tool_calls.0.id"),
    ({"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "function": {}}]}]},
     "messages.0.tool_calls.0.function.name"),
    ({"messages": [{"role": "assistant", "reasoning_details": [{"type": 1}]}]},
     "messages.0.reasoning_details.0.type"),
    ({"stream": "yes"}, "stream"), ({"temperature": "hot"}, "temperature"),
    ({"max_tokens": 0}, "max_tokens"), ({"max_tokens": 1.5}, "max_tokens"), ({"n": 2}, "n"),
    ({"seed": 1.5}, "seed"), ({"presence_penalty": "x"}, "presence_penalty"),
    ({"stop": 5}, "stop"), ({"stop": [5]}, "stop.0"), ({"tools": {}}, "tools"),
    ({"tools": [{"type": "function"}]}, "tools.0.function"),
    ({"tools": [{"type": "function", "function": {}}]}, "tools.0.function.name"),
    ({"tools": [{"type": "function", "function": {"name": "f", "parameters": 5}}]},
     "tools.0.function.parameters"),
    ({"tool_choice": "maybe"}, "tool_choice"),
    ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
    ({"response_format": {"type": "xml"}}, "response_format.type"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ({"modalities": ["audio"]}, "modalities"), ({"audio": {"voice": "x"}}, "audio"),
    ({"thinking": {"type": "x"}}, "thinking.type"),
    ({"moderation": {"policy": {"input": {"mode": "block"}}}}, "moderation.policy.input.mode"),
    ({"stream_options": {"include_usage": 5}}, "stream_options.include_usage"),
]  # fmt: skip


@pytest.mark.parametrize(("members", "path"), WRONG)
def test_what_is_wrong_is_named(members: dict[str, object], path: str) -> None:
    asked = fields(**({"model": "m", "messages": HI} | members))
    with pytest.raises(InvalidRequest) as raised:  # noqa: PT012  # either may say so
        CHAT.check(asked)
        CHAT.read_prompt(asked, LossReport())
    assert raised.value.param == path
    assert raised.value.message.startswith(f"{path}: ")


def test_case_30_a_lone_surrogate_and_deep_nesting() -> None:
    body = {"model": Raw(b'"m"'), "messages": Raw(b'[{"role":"user","content":"a\\ud83d"}]')}
    assert CHAT.read_prompt(body, LossReport()).turns[0].parts == [Text("a\ufffd")]
    body["messages"] = Raw(b'[{"role":"user","content":' + b"[" * 5000 + b"]" * 5000 + b"}]")
    with pytest.raises(InvalidRequest):
        CHAT.read_prompt(body, LossReport())


def test_check_wants_model_and_messages() -> None:
    for body in (fields(messages=HI), fields(model="m")):
        with pytest.raises(InvalidRequest, match="Field required"):
            CHAT.check(body)
    CHAT.check(fields(model="m", messages=HI, stream=None))


def test_calls_without_ids_are_told_apart_and_answered_in_order() -> None:
    def turns(at: int) -> list[object]:
        return [
            {"role": "assistant", "tool_calls": [call("", "f", "{}"), call("", "g", "{}")]},
            {"role": "tool", "tool_call_id": "", "content": f"f {at}"},
            {"role": "tool", "tool_call_id": "", "content": f"g {at}"},
        ]

    prompt = read([*HI, *turns(1), *turns(2)])
    calls = [part for turn in prompt.turns for part in turn.parts if isinstance(part, ToolCall)]
    given = [part for turn in prompt.turns for part in turn.parts if isinstance(part, ToolResult)]
    assert [part.call_id for part in given] == [part.id for part in calls]
    assert len({part.id for part in calls}) == 4
    assert [part.name for part in calls] == ["f", "g"] * 2
    assert read([*HI, *turns(1)]).turns == prompt.turns[:3]


def test_what_gemini_adds_to_a_message_is_no_loss() -> None:
    extra = {"google": {"thought_signature": "s"}}
    signed: Any = call("a", "f", "{}")
    said = {"role": "assistant", "content": "x", "extra_content": extra,
            "tool_calls": [signed | {"extra_content": extra}]}  # fmt: skip
    assert noted(messages=[*HI, said]) == []
