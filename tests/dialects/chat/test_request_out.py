"""The neutral prompt as a Chat upstream's request."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway.capability.record import Capability
from gateway.dialect import Conversion
from gateway.dialects.chat import CHAT
from gateway.errors import InvalidRequest
from gateway.neutral.events import (
    CacheMark,
    Document,
    Format,
    Image,
    Part,
    Prompt,
    Reasoning,
    Redacted,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    WebSearch,
)
from gateway.neutral.seal import PREFIX
from tests.dialects.chat.conversions import conversion, plain

OPENAI = Capability(token_param="max_completion_tokens", developer_role=True, obfuscation_off=True)
CALL = Turn("assistant", [ToolCall("a", "f", '{"x": 1.0}')])


def ask(text: str = "hi") -> Turn:
    return Turn("user", [Text(text)])


def write(way: Conversion) -> dict[str, Any]:
    return plain(CHAT.write_prompt(way))


def messages(*turns: Turn, capability: Capability | None = None, **more: Any) -> list[Any]:
    found: list[Any] = write(conversion(Prompt("m", list(turns), **more), capability))["messages"]
    return found


def top(capability: Capability | None = None, **members: Any) -> dict[str, Any]:
    """The members beside the model and the messages."""
    found = write(conversion(Prompt("m", [ask()], **members), capability))
    assert found.pop("model") == "real"
    del found["messages"]
    return found


def test_bytes_of_a_small_request() -> None:
    way = conversion(Prompt("m", [ask("hé")], [Text("A"), Text("B")], max_tokens=5))
    assert msgspec.json.encode(CHAT.write_prompt(way)).decode() == (
        '{"model":"real","messages":[{"role":"system","content":"A\\n\\nB"},'
        '{"role":"user","content":"hé"}],"max_tokens":5}'
    )
    assert way.input_estimate == 18


def test_the_billing_line_goes() -> None:
    system = [Text("x-anthropic-billing-header: cch=1"), Text("B")]
    found = messages(ask(), system=system, capability=OPENAI)
    assert found[0] == {"role": "developer", "content": "B"}


def test_case_4_pictures_follow_the_tool_messages() -> None:
    calls = Turn("assistant", [ToolCall("a", "f"), ToolCall("b", "g")])
    results: list[Part] = [
        ToolResult("a", [Text("ok"), Image("image/png", "AAA")]), ToolResult("b", [Text("x")])
    ]  # fmt: skip
    found = messages(ask(), calls, Turn("user", results))
    assert found[2:] == [
        {"role": "tool", "tool_call_id": "a",
         "content": "ok\n[image 1 attached in the next user message]"},
        {"role": "tool", "tool_call_id": "b", "content": "x"},
        {"role": "user", "content": [
            {"type": "text", "text": "Output of tool call a:"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAA"}}]},
    ]  # fmt: skip


def test_case_5_and_6_reasoning_is_replayed_to_who_minted_it() -> None:
    deepseek = Capability(reasoning_out="required_with_tools")
    way = conversion(capability=deepseek)
    sealed = way.sealed("text", "x")
    turn = Turn("assistant", [Thinking("t", sealed, "messages"), *CALL.parts])
    result = Turn("user", [ToolResult("a", [Text("r")])])
    assert messages(ask(), turn, result, capability=deepseek)[1]["reasoning_content"] == "t"
    assert messages(ask(), CALL, result, capability=deepseek)[1]["reasoning_content"] == ""
    assert "reasoning_content" not in messages(ask(), turn, result)[1]


def test_reasoning_details_are_replayed_only_as_minted() -> None:
    router = Capability(reasoning_out="reasoning_details")
    way = conversion(capability=router)
    blob = '{"type":"reasoning.encrypted","data":"d","format":"f","id":"i"}'
    turn = Turn("assistant", [
        Thinking("t", way.sealed("signature", "s"), "messages"),
        Redacted(way.sealed("redacted", blob), "messages"),
        Thinking("u", "native", "messages"), Redacted(f"{PREFIX}AAAA", "messages"), Text("x"),
    ])  # fmt: skip
    way.prompt = Prompt("m", [ask(), turn, ask()])
    assert write(way)["messages"][1] == {
        "role": "assistant", "content": "x", "reasoning_details": [
            {"type": "reasoning.text", "text": "t", "signature": "s"},
            {"type": "reasoning.encrypted", "data": "d", "format": "f", "id": "i"}],
    }  # fmt: skip
    assert way.notes.entries == ["messages.thinking:foreign_reasoning_dropped"]
    way.model = "other"
    assert "reasoning_details" not in write(way)["messages"][1]


ERRORS = [("ENOENT", "Error: ENOENT"), ("error: x", "error: x"), ("", "Error")]


@pytest.mark.parametrize(("text", "content"), ERRORS)
def test_case_15_a_failed_call_says_so(text: str, content: str) -> None:
    parts: list[Part] = [Text(text)] if text else []
    result = Turn("user", [ToolResult("a", parts, is_error=True)])
    assert messages(ask(), CALL, result)[2]["content"] == content


def test_empty_results() -> None:
    result = Turn("user", [ToolResult("a")])
    assert messages(ask(), CALL, result)[2]["content"] == ""
    strict = Capability(empty_tool_content=False)
    assert messages(ask(), CALL, result, capability=strict)[2]["content"] == "(no output)"


def test_case_25_names_are_one_to_one() -> None:
    long = "mcp__" + "x" * 75
    tools = [Tool(name) for name in (long, "foo/bar", "foo_bar")]
    turns = [ask(), Turn("assistant", [ToolCall("a", "foo/bar")])]
    way = conversion(Prompt("m", turns, tools=tools, tool_choice=ToolChoice("tool", "foo/bar")))
    found = write(way)
    names = [tool["function"]["name"] for tool in found["tools"]]
    assert (len(names[0]), names[0][:55], names[1:]) == (64, long[:55], ["foo_bar_2", "foo_bar"])
    assert found["tool_choice"]["function"]["name"] == "foo_bar_2"
    assert found["messages"][1]["tool_calls"][0]["function"]["name"] == "foo_bar_2"
    assert [way.names.to_client(name) for name in names] == [long, "foo/bar", "foo_bar"]


def test_case_27_mistral_ids_are_the_same_on_call_and_result() -> None:
    result = Turn("user", [ToolResult("a", [Text("r")])])
    found = messages(ask(), CALL, result, capability=Capability(tool_id="mistral"))
    assert found[1]["tool_calls"][0]["id"] == found[2]["tool_call_id"]
    assert len(found[2]["tool_call_id"]) == 9


def test_case_32_four_stop_sequences_go_up_and_the_rest_stay() -> None:
    way = conversion(Prompt("m", [ask()], stop=["A", "B", "C", "D", "END"]))
    assert (write(way)["stop"], way.local_stops) == (["A", "B", "C", "D"], ("END",))
    way = conversion(Prompt("m", [ask()], stop=["A"]), Capability(stop_max=0))
    assert ("stop" in write(way), way.local_stops) == (False, ("A",))


def test_case_33_results_before_text() -> None:
    turn = Turn("user", [Text("hi"), ToolResult("a", [Text("r")])])
    assert [m["role"] for m in messages(ask(), CALL, turn)] == ["user", "assistant", "tool", "user"]


def test_case_34_a_missing_result_is_filled_in() -> None:
    calls = Turn("assistant", [ToolCall("a", "f"), ToolCall("b", "g")])
    found = messages(ask(), calls, Turn("user", [ToolResult("a", [Text("r")]), Text("on")]))
    assert found[3] == {
        "role": "tool", "tool_call_id": "b",
        "content": "Error: No result was provided for this call.",
    }  # fmt: skip


def test_assistant_texts_and_arguments() -> None:
    turn = Turn("assistant", [
        Text("a"), Text("b"), ToolCall("c", "f", '{"x": 1.0}'), Text("d"), ToolCall("e", "g")
    ])  # fmt: skip
    found = messages(ask(), turn)[1]
    assert found["content"] == "ab\n\nd"
    assert [call["function"]["arguments"] for call in found["tool_calls"]] == ['{"x": 1.0}', "{}"]
    assert messages(ask(), CALL)[1]["content"] is None


def test_system_turns_keep_their_place_and_part_no_call_from_its_result() -> None:
    system = Turn("system", [Text("S")])
    result = Turn("user", [ToolResult("a", [Text("r")]), Text("on")])
    assert messages(ask(), system, ask())[1] == {"role": "system", "content": "S"}
    roles = [m["role"] for m in messages(ask(), CALL, system, result)]
    assert roles == ["user", "assistant", "tool", "system", "user"]
    first_only = Capability(system_first_only=True)
    assert messages(ask(), system, capability=first_only)[1] == {
        "role": "user", "content": "<system-reminder>\nS\n</system-reminder>"
    }  # fmt: skip


PREFILLS: list[tuple[Capability, dict[str, Any], dict[str, Any]]] = [
    (Capability(prefill="native"), {"role": "assistant", "content": "p"}, {}),
    (Capability(prefill="prefix"), {"role": "assistant", "content": "p", "prefix": True}, {}),
    (Capability(prefill="partial"), {"role": "assistant", "content": "p", "partial": True}, {}),
    (Capability(prefill="continue"), {"role": "assistant", "content": "p"},
     {"continue_final_message": True, "add_generation_prompt": False}),
    (Capability(), {"role": "user",
                    "content": "Continue exactly from where your last message stopped."}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("capability", "last", "more"), PREFILLS)
def test_prefill(capability: Capability, last: dict[str, Any], more: dict[str, Any]) -> None:
    found = write(conversion(Prompt("m", [ask(), Turn("assistant", [Text("p")])]), capability))
    assert found["messages"][-1] == last
    assert {name: found[name] for name in found if name not in ("model", "messages")} == more


def test_cache_marks() -> None:
    turn = Turn("user", [Text("a", CacheMark("1h")), *(Text(t, CacheMark()) for t in "bcde")])
    assert messages(turn)[0]["content"] == [{"type": "text", "text": t} for t in "abcde"]
    marked = messages(turn, capability=Capability(cache="cache_control"))[0]["content"]
    assert ["cache_control" in part for part in marked] == [False, True, True, True, True]
    points = messages(turn, capability=Capability(cache="breakpoints"))[0]["content"]
    assert [part.get("prompt_cache_breakpoint") for part in points] == [
        None, None, *[{"mode": "explicit"}] * 3
    ]  # fmt: skip


def test_documents() -> None:
    turn = Turn("user", [
        Document("application/pdf", "AAA", title="t.pdf"), Document(text="x", title="T"),
        Document(parts=[Text("in")], context="C"),
    ])  # fmt: skip
    assert messages(turn)[0]["content"] == [
        {"type": "file",
         "file": {"filename": "t.pdf", "file_data": "data:application/pdf;base64,AAA"}},
        {"type": "text", "text": '<document title="T">\nx\n</document>'},
        {"type": "text", "text": '<document context="C">'}, {"type": "text", "text": "in"},
        {"type": "text", "text": "</document>"},
    ]  # fmt: skip
    with pytest.raises(InvalidRequest):
        messages(Turn("user", [Document(url="https://x")]))


TOP: list[tuple[dict[str, Any], Capability, dict[str, Any]]] = [
    ({"max_tokens": 9}, OPENAI, {"max_completion_tokens": 9}),
    ({"max_tokens": 9}, Capability(max_output=5), {"max_tokens": 5}),
    ({"stream": True}, OPENAI, {"stream": True, "stream_options": {
        "include_usage": True, "include_obfuscation": False}}),
    ({"stream": True}, Capability(stream_usage=False), {"stream": True}),
    ({"temperature": 0.2, "top_p": 0.9}, Capability(), {"temperature": 0.2, "top_p": 0.9}),
    ({"temperature": 0.2, "top_p": 0.9}, Capability(sampling="none"), {}),
    ({"temperature": 1.0, "top_p": 0.9}, Capability(sampling="temp1"), {"temperature": 1.0}),
    ({"temperature": 0.5}, Capability(sampling="temp1"), {}),
    ({"temperature": 0.5, "top_p": 0.9}, Capability(sampling="temp_xor_top_p"),
     {"temperature": 0.5}),
    ({"top_p": 0.9}, Capability(sampling="temp_xor_top_p"), {"top_p": 0.9}),
    ({"seed": 0, "frequency_penalty": 0.5, "presence_penalty": 0.0}, Capability(),
     {"seed": 0, "frequency_penalty": 0.5, "presence_penalty": 0.0}),
    ({"seed": 7}, Capability(seed="random_seed"), {"random_seed": 7}),
    ({"seed": 7, "presence_penalty": 1.0}, Capability(seed="none", sampling="none"), {}),
    ({"top_k": 3}, Capability(), {}), ({"top_k": 3}, Capability(top_k=True), {"top_k": 3}),
    ({"user": "u"}, Capability(), {"user": "u"}),
    ({"user": "u"}, Capability(user_field="safety_identifier"), {"safety_identifier": "u"}),
    ({"user": "u"}, Capability(user_field="none"), {}),
    ({"session": "s"}, Capability(prompt_cache_key=True), {"prompt_cache_key": "s"}),
    ({"verbosity": "low"}, Capability(verbosity=True), {"verbosity": "low"}),
    ({"service_tier": "auto"}, Capability(service_tier=True), {"service_tier": "auto"}),
    ({"tool_choice": ToolChoice("any"), "parallel_tools": False}, Capability(), {}),
    ({"web_search": WebSearch(max_uses=5, location={"city": "Bern"})},
     Capability(web_search="web_search_options"), {"web_search_options": {
         "search_context_size": "medium",
         "user_location": {"type": "approximate", "approximate": {"city": "Bern"}}}}),
    ({"format": Format("json_object")}, Capability(),
     {"response_format": {"type": "json_object"}}),
    ({"format": Format("json_schema", Raw(b'{"type":"object"}'))}, Capability(),
     {"response_format": {"type": "json_schema", "json_schema": {
         "name": "output", "schema": {"type": "object"}, "strict": False}}}),
    ({"format": Format("json_schema", Raw(b'{"type":"object"}'))}, Capability(schema="none"), {}),
]  # fmt: skip


@pytest.mark.parametrize(("members", "capability", "expected"), TOP)
def test_top_level(
    members: dict[str, Any], capability: Capability, expected: dict[str, Any]
) -> None:
    assert top(capability, **members) == expected


EFFORTS = ("minimal", "low", "medium", "high")
ALL = Capability(effort=("none", *EFFORTS, "xhigh"))
REASONING: list[tuple[Reasoning, Capability, dict[str, Any]]] = [
    (Reasoning("disabled"), ALL, {"reasoning_effort": "none"}),
    (Reasoning("disabled"), Capability(effort=EFFORTS), {"reasoning_effort": "minimal"}),
    (Reasoning("adaptive"), ALL, {}),
    (Reasoning("adaptive", effort="max"), ALL, {"reasoning_effort": "xhigh"}),
    (Reasoning(effort="minimal"), Capability(effort=("low", "high")), {"reasoning_effort": "low"}),
    (Reasoning(effort="medium"), Capability(effort=("low", "high")), {"reasoning_effort": "low"}),
    (Reasoning("enabled", 2047), ALL, {"reasoning_effort": "low"}),
    (Reasoning("enabled", 2048), ALL, {"reasoning_effort": "medium"}),
    (Reasoning("enabled", 8192), ALL, {"reasoning_effort": "high"}),
    (Reasoning("enabled", 24576), ALL, {"reasoning_effort": "xhigh"}),
    (Reasoning("disabled"), Capability(thinking_switch="thinking"),
     {"thinking": {"type": "disabled"}}),
    (Reasoning("adaptive"), Capability(thinking_switch="thinking"),
     {"thinking": {"type": "enabled"}}),
    (Reasoning("enabled", 3000), Capability(thinking_switch="enable_thinking"),
     {"chat_template_kwargs": {"enable_thinking": True, "thinking_budget": 3000}}),
    (Reasoning("enabled", 3000, None, "omitted"), Capability(effort_form="openrouter"),
     {"reasoning": {"max_tokens": 3000, "exclude": True}}),
    (Reasoning("adaptive", effort="high"), Capability(effort_form="openrouter"),
     {"reasoning": {"effort": "high"}}),
    (Reasoning("disabled"), Capability(effort_form="openrouter"),
     {"reasoning": {"enabled": False}}),
    (Reasoning("enabled", 3000), Capability(), {}),
]  # fmt: skip


@pytest.mark.parametrize(("reasoning", "capability", "expected"), REASONING)
def test_reasoning(reasoning: Reasoning, capability: Capability, expected: dict[str, Any]) -> None:
    assert top(capability, reasoning=reasoning) == expected


CLOSED = Raw(b'{"type":"object","properties":{},"required":[],"additionalProperties":false}')
CHOICES: list[tuple[ToolChoice, Capability, object]] = [
    (ToolChoice("auto"), Capability(), "auto"), (ToolChoice("none"), Capability(), "none"),
    (ToolChoice("any"), Capability(), "required"),
    (ToolChoice("any"), Capability(tool_choice_required=False), "auto"),
    (ToolChoice("tool", "f"), Capability(), {"type": "function", "function": {"name": "f"}}),
    (ToolChoice("tool", "f"), Capability(forced_tool=False), "auto"),
]  # fmt: skip


@pytest.mark.parametrize(("choice", "capability", "sent"), CHOICES)
def test_tool_choice(choice: ToolChoice, capability: Capability, sent: object) -> None:
    found = top(capability, tools=[Tool("f")], tool_choice=choice, parallel_tools=False)
    assert (found["tool_choice"], found["parallel_tool_calls"]) == (sent, False)


def test_tools() -> None:
    tools = [
        Tool("f", "d", CLOSED, strict=True), Tool("g", None, Raw(b'{"type":"object"}'), True),
        Tool("h", "d", examples=[Raw(b'{"x":1.0}')]),
    ]  # fmt: skip
    way = conversion(Prompt("m", [ask()], tools=tools))
    assert [tool["function"] for tool in write(way)["tools"]] == [
        {"name": "f", "description": "d", "parameters": msgspec.json.decode(CLOSED),
         "strict": True},
        {"name": "g", "parameters": {"type": "object"}},
        {"name": "h", "description": 'd\n\nExamples:\n{"x":1.0}',
         "parameters": {"type": "object", "properties": {}}},
    ]  # fmt: skip
    assert way.notes.entries == ["tools.1.strict:schema_or_target_not_strict"]


def test_custom_tools_become_functions_where_they_must() -> None:
    prompt = Prompt("m", [ask(), Turn("assistant", [ToolCall("a", "p", "x", custom=True)])],
                    tools=[Tool("p", "d", custom=True, grammar=("lark", "g"))])  # fmt: skip
    found = write(conversion(prompt))
    function = found["tools"][0]["function"]
    assert function["description"] == "d\nInput must match this lark grammar:\ng"
    assert function["parameters"]["required"] == ["input"]
    call = found["messages"][1]["tool_calls"][0]["function"]
    assert call == {"name": "p", "arguments": '{"input":"x"}'}
    native = write(conversion(prompt, Capability(custom_tools=True)))
    assert native["tools"][0]["custom"]["format"] == {
        "type": "grammar", "grammar": {"syntax": "lark", "definition": "g"}
    }  # fmt: skip
    call = native["messages"][1]["tool_calls"][0]
    assert call == {"id": "a", "type": "custom", "custom": {"name": "p", "input": "x"}}


def test_max_tokens_zero_is_refused_and_strict_refuses_losses() -> None:
    with pytest.raises(InvalidRequest):
        top(max_tokens=0)
    with pytest.raises(InvalidRequest):
        write(conversion(Prompt("m", [ask()], top_k=3), strict=True))


def test_a_longer_conversation_starts_with_the_same_messages() -> None:
    turns = [
        ask(), CALL, Turn("user", [ToolResult("a", [Text("r"), Image("image/png", "A")])]),
        Turn("system", [Text("S")]), ask("on"), Turn("assistant", [Text("x")]), ask("end"),
    ]  # fmt: skip
    whole = messages(*turns)
    for length in (1, 3, 5):
        part = messages(*turns[:length])
        assert whole[: len(part)] == part
