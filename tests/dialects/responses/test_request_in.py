"""Reading the top level of a Responses request."""

from typing import Any

import pytest
from msgspec import Raw

from gateway.dialects.responses import RESPONSES
from gateway.errors import InvalidRequest
from gateway.neutral.events import (
    Format,
    Prompt,
    Reasoning,
    Text,
    Tool,
    ToolChoice,
    Turn,
    WebSearch,
)
from gateway.neutral.notes import LossReport
from tests.dialects.responses.wires import fields, prompt_of


def refused(**members: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        prompt_of(**members)
    return caught.value


def test_text_is_one_user_turn() -> None:
    prompt = prompt_of(input="hi")
    assert prompt.turns == [Turn("user", [Text("hi")])]
    assert prompt.model == "m"
    assert prompt.system == []


def test_instructions_come_before_system_items() -> None:
    prompt = prompt_of(
        instructions="First.",
        input=[
            {"role": "developer", "content": "Second."},
            {"role": "user", "content": "hi"},
            {"role": "system", "content": "Later."},
        ],
    )
    assert prompt.system == [Text("First."), Text("Second.")]
    assert [turn.role for turn in prompt.turns] == ["user", "system"]


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 1}, "model"),
        ({"input": None}, "input"),
        ({"input": 1}, "input"),
        ({"input": {"role": "user"}}, "input"),
        ({"input": []}, "input"),
        ({"input": ""}, "input"),
        ({"stream": "yes"}, "stream"),
        ({"tools": {}}, "tools"),
        ({"instructions": []}, "instructions"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"max_output_tokens": 1.5}, "max_output_tokens"),
        ({"text": {"format": {"type": "odd"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
        ({"tools": [{"type": "function"}]}, "tools.0.name"),
        ({"tools": [{"type": "namespace", "tools": []}]}, "tools.0.name"),
        ({"tools": [{"type": "function", "name": "f", "parameters": []}]}, "tools.0.parameters"),
        ({"tool_choice": "odd"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"background": True}, "background"),
        ({"prompt_cache_options": {"prewarm": True}}, "prompt_cache_options.prewarm"),
        (
            {"moderation": {"model": "m", "policy": {"input": {"mode": "block"}}}},
            "moderation.policy.input.mode",
        ),
        ({"input": [{"type": "message", "role": "owner", "content": "x"}]}, "input.0.role"),
        ({"input": [{"content": "x"}]}, "input.0.type"),
        ({"input": [{"role": "user", "content": [{"text": "x"}]}]}, "input.0.content.0.type"),
        ({"input": [{"type": "function_call", "call_id": "c"}]}, "input.0.name"),
        (
            {"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]},
            "input.0.call_id",
        ),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input.0.call_id"),
        ({"input": [{"type": "compaction", "encrypted_content": "x"}]}, "input.0"),
        ({"input": [{"type": "compaction_trigger"}]}, "input.0"),
    ],
)
def test_what_is_wrong_is_named(members: dict[str, Any], param: str) -> None:
    error = refused(**members)
    assert (error.param, error.status) == (param, 400)


def test_an_unknown_answer_to_go_on_from_is_told_as_openai_does() -> None:
    error = refused(previous_response_id="resp_1")
    assert error.message == "Previous response with id 'resp_1' not found."
    assert error.code == "previous_response_not_found"
    assert error.param == "previous_response_id"


def test_a_reference_needs_a_store() -> None:
    error = refused(input=[{"id": "msg_1"}])
    assert (error.status, error.message) == (404, "Item with id 'msg_1' not found.")


@pytest.mark.parametrize("name", ["previous_response_id", "prompt", "conversation"])
def test_input_may_be_left_out_where_another_member_brings_it(name: str) -> None:
    RESPONSES.check(fields(input=None, **{name: "x"}))


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"max_output_tokens": 9}, {"max_tokens": 9}),
        ({"max_output_tokens": 9.0}, {"max_tokens": 9}),
        ({"temperature": 0.2, "top_p": 1}, {"temperature": 0.2, "top_p": 1.0}),
        ({"stream": True}, {"stream": True}),
        ({"parallel_tool_calls": False}, {"parallel_tools": False}),
        ({"reasoning": {"effort": "high"}}, {"reasoning": Reasoning(effort="high")}),
        (
            {"reasoning": {"summary": "auto"}},
            {"reasoning": Reasoning(display="summarized")},
        ),
        ({"reasoning": {"effort": None, "summary": None}}, {"reasoning": None}),
        ({"reasoning": {"mode": "pro"}}, {"reasoning": Reasoning(effort="max")}),
        ({"text": {"verbosity": "low"}}, {"verbosity": "low"}),
        ({"text": {"format": {"type": "text"}}}, {"format": None}),
        ({"text": {"format": {"type": "json_object"}}}, {"format": Format("json_object")}),
        ({"user": "u"}, {"user": "u"}),
        ({"user": "u", "safety_identifier": "s"}, {"user": "s"}),
        ({"safety_identifier": "s", "user": "u"}, {"user": "s"}),
        ({"service_tier": "default"}, {"service_tier": "default"}),
        ({"prompt_cache_key": "k"}, {"session": "k"}),
        (
            {"prompt_cache_options": {"mode": "explicit"}},
            {"cache_explicit": True, "cache_implicit": False},
        ),
        ({"tool_choice": "required"}, {"tool_choice": ToolChoice("any")}),
        ({"tool_choice": "none"}, {"tool_choice": ToolChoice("none")}),
        (
            {"tool_choice": {"type": "function", "name": "f"}},
            {"tool_choice": ToolChoice("tool", "f")},
        ),
        (
            {"tool_choice": {"type": "shell"}, "tools": [{"type": "shell"}]},
            {"tool_choice": ToolChoice("tool", "shell")},
        ),
        (
            {"tools": [{"type": "web_search", "search_context_size": "low",
                        "filters": {"allowed_domains": ["e.org"]},
                        "user_location": {"type": "approximate", "city": "Rome"}}]},
            {"web_search": WebSearch("low", None, {"city": "Rome"}, ["e.org"]), "tools": []},
        ),
    ],
)  # fmt: skip
def test_members_of_the_request(members: dict[str, Any], expected: dict[str, Any]) -> None:
    prompt = prompt_of(**members)
    assert {name: getattr(prompt, name) for name in expected} == expected


def test_a_schema_keeps_its_bytes() -> None:
    body = fields()
    schema = b'{"type": "object", "properties": {"n": {"const": 1.0}}}'
    body["text"] = Raw(
        b'{"format":{"type":"json_schema","name":"n","strict":true,"schema":' + schema + b"}}"
    )
    found = RESPONSES.read_prompt(body, LossReport()).format
    assert found == Format("json_schema", Raw(schema), "n", None, strict=True)


def tools_of(*tools: Any, **members: Any) -> Prompt:
    return prompt_of(tools=list(tools), **members)


def test_functions_and_custom_tools() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: A"}
    prompt = tools_of(
        {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"},
         "strict": False},
        {"type": "function", "name": "g", "parameters": None},
        {"type": "custom", "name": "exec", "format": grammar},
        {"type": "custom", "name": "free", "format": {"type": "text"}},
    )  # fmt: skip
    first, second, exec_, free = prompt.tools
    assert first == Tool("f", "d", Raw(b'{"type":"object"}'), strict=False)
    assert (second.schema, second.form) == (None, None)
    assert (exec_.custom, exec_.grammar) == (True, ("lark", "start: A"))
    assert (free.custom, free.grammar) == (True, None)


def test_a_namespace_is_spread_out_and_names_stay_apart() -> None:
    prompt = tools_of(
        {"type": "function", "name": "mcp__go"},
        {"type": "namespace", "name": "mcp", "description": "d",
         "tools": [{"type": "function", "name": "go"}, {"type": "custom", "name": "run"}]},
        {"type": "function", "name": "shell"},
        {"type": "shell"},
    )  # fmt: skip
    assert [tool.name for tool in prompt.tools] == [
        "mcp__go", "mcp__go_2", "mcp__run", "shell", "shell_2",
    ]  # fmt: skip


def test_the_history_uses_the_names_of_the_tools() -> None:
    prompt = tools_of(
        {"type": "function", "name": "mcp__go"},
        {"type": "namespace", "name": "mcp", "description": "d",
         "tools": [{"type": "function", "name": "go"}]},
        input=[
            {"type": "function_call", "call_id": "a", "name": "go", "namespace": "mcp",
             "arguments": "{}"},
            {"type": "function_call", "call_id": "b", "name": "mcp__go", "arguments": "{}"},
        ],
    )  # fmt: skip
    assert [part.name for part in prompt.turns[0].parts] == [  # type: ignore[union-attr]
        "mcp__go_2", "mcp__go",
    ]  # fmt: skip


def test_tools_without_a_schema_get_one() -> None:
    prompt = tools_of({"type": "local_shell"}, {"type": "shell"}, {"type": "apply_patch"})
    assert [tool.name for tool in prompt.tools] == ["local_shell", "shell", "apply_patch"]
    assert all(tool.schema is not None and tool.description for tool in prompt.tools)


def test_tools_that_only_openai_runs_are_dropped_with_a_word() -> None:
    notes = LossReport()
    prompt = prompt_of(
        notes,
        tools=[
            {"type": "file_search", "vector_store_ids": ["v"]},
            {"type": "tool_search"},
            {"type": "mcp", "server_label": "l"},
        ],
        tool_choice={"type": "file_search"},
    )
    assert prompt.tools == []
    assert notes.entries == [
        "tools.0:file_search_unsupported_by_target",
        "tools.1:tool_search_unsupported_by_target",
        "tools.2:mcp_unsupported_by_target",
        "tool_choice:file_search_unsupported_by_target",
    ]


def test_strict_refuses_what_would_be_dropped() -> None:
    with pytest.raises(InvalidRequest) as caught:
        prompt_of(LossReport(strict=True), tools=[{"type": "file_search", "vector_store_ids": []}])
    assert caught.value.param == "tools.0"


def test_a_tool_may_be_chosen_out_of_a_namespace() -> None:
    view = [{"type": "function", "name": "go"}]
    prompt = tools_of(
        {"type": "namespace", "name": "mcp", "description": "d", "tools": view},
        tool_choice={"type": "function", "name": "go"},
    )
    assert prompt.tool_choice == ToolChoice("tool", "mcp__go")


def test_allowed_tools_leave_only_those() -> None:
    prompt = tools_of(
        {"type": "function", "name": "f"},
        {"type": "function", "name": "g"},
        {"type": "web_search"},
        tool_choice={
            "type": "allowed_tools", "mode": "required",
            "tools": [{"type": "function", "name": "g"}],
        },
    )  # fmt: skip
    assert [tool.name for tool in prompt.tools] == ["g"]
    assert prompt.web_search is None
    assert prompt.tool_choice == ToolChoice("any")


@pytest.mark.parametrize(
    ("members", "note"),
    [
        ({"max_tool_calls": 3}, "max_tool_calls:unsupported_by_target"),
        ({"top_logprobs": 2}, "top_logprobs:unsupported_by_target"),
        ({"truncation": "auto"}, "truncation:unsupported_by_target"),
        ({"service_tier": "flex"}, "service_tier:unsupported_by_target"),
        ({"reasoning": {"context": "current_turn"}}, "reasoning.context:unsupported_by_target"),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode:approximated_by_effort"),
        ({"include": ["message.output_text.logprobs"]},
         "include:message.output_text.logprobs_unavailable"),
        ({"moderation": {"model": "m"}}, "moderation:unsupported_by_target"),
        ({"context_management": [{"type": "compaction"}]},
         "context_management:unsupported_by_target"),
        ({"brand_new": 1}, "brand_new:unknown"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_is_noted(members: dict[str, Any], note: str) -> None:
    notes = LossReport()
    prompt_of(notes, **members)
    assert notes.entries == [note]


@pytest.mark.parametrize(
    "members",
    [
        {"store": False},
        {"store": True},
        {"metadata": {"a": "b"}},
        {"client_metadata": {"a": "b"}},
        {"include": ["reasoning.encrypted_content"]},
        {"truncation": "disabled"},
        {"top_logprobs": 0},
        {"stream_options": {"include_obfuscation": False}},
        {"background": False},
        {"tools": None, "tool_choice": None, "previous_response_id": None, "conversation": None},
        {"reasoning": {"context": "auto"}},
        {"reasoning": {"context": "all_turns"}},
    ],
)
def test_what_changes_nothing_is_silent(members: dict[str, Any]) -> None:
    notes = LossReport(strict=True)
    prompt_of(notes, **members)
    assert notes.entries == []


def test_the_last_configuration_wins() -> None:
    prompt = prompt_of(
        reasoning={"effort": "low"},
        input=[
            {"role": "user", "content": "hi"},
            {"type": "configuration_update", "reasoning": {"effort": "high"},
             "text": {"format": {"type": "json_object"}}},
            {"type": "configuration_update", "reasoning": {"effort": "medium"}},
        ],
    )  # fmt: skip
    assert prompt.reasoning == Reasoning(effort="medium")
    assert prompt.format == Format("json_object")


def test_what_the_answer_repeats_is_kept_as_it_was() -> None:
    prompt = prompt_of(metadata={"a": "1.0"}, top_p=1.0, store=True)
    assert set(prompt.echo) == {"metadata", "top_p"}
    assert bytes(prompt.echo["top_p"]) == b"1.0"


def test_what_the_answer_repeats_must_be_utf_8() -> None:
    body = fields(tools=[{"type": "function", "name": "f", "parameters": {"x": "HERE"}}])
    body["tools"] = Raw(bytes(body["tools"]).replace(b"HERE", b"\xff"))
    with pytest.raises(UnicodeDecodeError):
        RESPONSES.read_prompt(body, LossReport())
