"""Writing a Messages request: limits, sampling, tools, reasoning, formats."""

import hashlib
from typing import Any

import pytest
from msgspec import Raw

from gateway.dialects.messages import MESSAGES
from gateway.errors import InvalidRequest
from gateway.events import (
    CacheMark,
    Format,
    Prompt,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    WebSearch,
)
from tests.dialects.messages.wires import crossing, written

U = Turn("user", [Text("u")])
BUDGET: dict[str, Any] = {"thinking": ("enabled", "disabled")}
ADAPTIVE: dict[str, Any] = {
    "thinking": ("adaptive", "disabled"),
    "effort": ("low", "medium", "high"),
}
SCHEMA = Raw(b'{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}')
OPEN = Raw(b'{"type":"object","additionalProperties":{"type":"string"}}')


def prompt(**members: Any) -> Prompt:
    return Prompt("m", [U], **members)


def test_the_smallest_request() -> None:
    crossed = crossing(prompt())
    assert MESSAGES.write_prompt(crossed) == {
        "model": Raw(b'"upstream-model"'),
        "max_tokens": Raw(b"32000"),
        "messages": Raw(b'[{"role":"user","content":"u"}]'),
    }
    assert crossed.notes.entries == []


def test_a_large_request() -> None:
    crossed = crossing(
        prompt(
            system=[Text("A", CacheMark()), Text(" "), Text("B")],
            max_tokens=5,
            temperature=0.5,
            stop=["x", "", " \n"],
            user="u",
            stream=True,
            service_tier="default",
            parallel_tools=False,
            tools=[Tool("f")],
        )
    )
    assert written(crossed) == {
        "model": "upstream-model",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "u"}],
        "system": [
            {"type": "text", "text": "A", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "B"},
        ],
        "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "stop_sequences": ["x"],
        "temperature": 0.5,
        "metadata": {"user_id": "u"},
        "service_tier": "standard_only",
        "stream": True,
    }
    assert crossed.notes.entries == ["stop:whitespace_refused_by_target"]


@pytest.mark.parametrize(
    ("wanted", "most", "sent", "notes"),
    [
        (None, None, 32000, []),
        (None, 8192, 8192, []),
        (None, 64000, 32000, []),
        (9, 8192, 9, []),
        (9000, 8192, 8192, ["max_tokens:clamped_to_8192"]),
    ],
)
def test_max_tokens(wanted: int | None, most: int | None, sent: int, notes: list[str]) -> None:
    crossed = crossing(prompt(max_tokens=wanted), capability={"max_output": most})
    assert written(crossed)["max_tokens"] == sent
    assert crossed.notes.entries == notes


def test_no_tokens_at_all_are_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        written(crossing(prompt(max_tokens=0)))
    assert caught.value.param == "max_tokens"


@pytest.mark.parametrize(
    ("rule", "members", "sent", "notes"),
    [
        ("all", {"temperature": 0.2, "top_p": 0.9}, {"temperature": 0.2, "top_p": 0.9}, []),
        ("all", {"temperature": 1.5}, {"temperature": 1.0}, ["temperature:clamped_to_1"]),
        ("all", {"top_k": 5}, {}, ["top_k:unsupported_by_model"]),
        (
            "none",
            {"temperature": 1.0, "top_p": 0.9},
            {},
            ["temperature:unsupported_by_model", "top_p:unsupported_by_model"],
        ),
        ("temp1", {"temperature": 1.0}, {"temperature": 1.0}, []),
        ("temp1", {"temperature": 0.5}, {}, ["temperature:unsupported_by_model"]),
        (
            "temp_xor_top_p",
            {"temperature": 0.5, "top_p": 0.9},
            {"temperature": 0.5},
            ["top_p:unsupported_by_model"],
        ),
        ("temp_xor_top_p", {"top_p": 0.9}, {"top_p": 0.9}, []),
    ],
)
def test_sampling(
    rule: str, members: dict[str, Any], sent: dict[str, Any], notes: list[str]
) -> None:
    crossed = crossing(prompt(**members), capability={"sampling": rule})
    got = written(crossed)
    assert {name: got[name] for name in ("temperature", "top_p", "top_k") if name in got} == sent
    assert crossed.notes.entries == notes


def test_top_k_where_the_model_takes_it() -> None:
    assert written(crossing(prompt(top_k=5), capability={"top_k": True}))["top_k"] == 5


def test_no_sampling_with_thinking() -> None:
    crossed = crossing(
        prompt(temperature=0.5, reasoning=Reasoning(effort="low")), capability=BUDGET
    )
    assert "temperature" not in written(crossed)
    assert crossed.notes.entries == ["temperature:not_with_thinking"]


@pytest.mark.parametrize("user", ["a@b.org", "+47 123 45 678", "x" * 257])
def test_personal_and_long_user_ids_are_hashed(user: str) -> None:
    got = written(crossing(prompt(user=user)))["metadata"]
    assert got == {"user_id": hashlib.sha256(user.encode()).hexdigest()}


@pytest.mark.parametrize(
    ("tier", "fast", "sent", "notes"),
    [
        ("auto", False, {"service_tier": "auto"}, []),
        ("fast", True, {"speed": "fast"}, []),
        ("fast", False, {}, ["service_tier:unsupported_by_target"]),
    ],
)
def test_tiers(tier: str, fast: bool, sent: dict[str, str], notes: list[str]) -> None:
    crossed = crossing(prompt(service_tier=tier), capability={"service_tier": fast})
    got = written(crossed)
    assert {name: got[name] for name in ("service_tier", "speed") if name in got} == sent
    assert crossed.notes.entries == notes


def test_verbosity_is_noted() -> None:
    crossed = crossing(prompt(verbosity="low"))
    written(crossed)
    assert crossed.notes.entries == ["verbosity:unsupported_by_target"]


# --- tools ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "sent"),
    [
        (None, {"type": "object", "properties": {}}),
        (Raw(b"{}"), {"type": "object", "properties": {}}),
        (Raw(b'{"properties":null}'), {"type": "object", "properties": {}}),
    ],
)
def test_a_schema_gets_an_object_root(schema: Raw | None, sent: dict[str, Any]) -> None:
    (tool,) = written(crossing(prompt(tools=[Tool("f", "d", schema)])))["tools"]
    assert tool == {"name": "f", "description": "d", "input_schema": sent}


def test_a_strict_tool_is_closed_where_the_model_takes_strict() -> None:
    crossed = crossing(prompt(tools=[Tool("f", None, SCHEMA, strict=True)]))
    (tool,) = written(crossed)["tools"]
    assert tool["strict"] is True
    assert tool["input_schema"]["additionalProperties"] is False
    loose = crossing(
        prompt(tools=[Tool("f", None, SCHEMA, strict=True)]), capability={"strict_tools": False}
    )
    (tool,) = written(loose)["tools"]
    assert "strict" not in tool
    assert loose.notes.entries == ["tools.0.strict:unsupported_by_target"]


def test_a_custom_tool_takes_one_text() -> None:
    tool = Tool("f", "d", custom=True, grammar=("lark", "start: X"))
    assert written(crossing(prompt(tools=[tool])))["tools"] == [
        {
            "name": "f",
            "description": "d\nInput must match this lark grammar:\nstart: X",
            "input_schema": {
                "type": "object",
                "properties": {"input": {"type": "string"}},
                "required": ["input"],
                "additionalProperties": False,
            },
        }
    ]


def test_names_are_rewritten_in_definition_history_and_choice() -> None:
    turns = [
        U,
        Turn("assistant", [ToolCall("a", "old/name")]),
        Turn("user", [ToolResult("a", [Text("r")])]),
    ]
    crossed = crossing(
        Prompt(
            "m",
            turns,
            tools=[Tool("foo/bar"), Tool("foo_bar")],
            tool_choice=ToolChoice("tool", "foo/bar"),
        )
    )
    got = written(crossed)
    assert [tool["name"] for tool in got["tools"]] == ["foo_bar_2", "foo_bar"]
    assert got["tool_choice"] == {"type": "tool", "name": "foo_bar_2"}
    assert got["messages"][1]["content"][0]["name"] == "old_name"
    assert crossed.names.known("foo_bar_2") == "foo/bar"


@pytest.mark.parametrize(
    ("choice", "parallel", "sent"),
    [
        (ToolChoice("auto"), None, {"type": "auto"}),
        (ToolChoice("any"), True, {"type": "any"}),
        (
            ToolChoice("tool", "f"),
            False,
            {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        ),
        (ToolChoice("none"), False, {"type": "none"}),
        (None, None, None),
    ],
)
def test_tool_choice(
    choice: ToolChoice | None, parallel: bool | None, sent: dict[str, Any] | None
) -> None:
    crossed = crossing(prompt(tools=[Tool("f")], tool_choice=choice, parallel_tools=parallel))
    assert written(crossed).get("tool_choice") == sent


def test_no_choice_without_tools() -> None:
    crossed = crossing(prompt(tool_choice=ToolChoice("auto"), parallel_tools=False))
    assert "tool_choice" not in written(crossed)


def test_a_model_that_cannot_be_forced_chooses() -> None:
    members = {"tools": [Tool("f")], "tool_choice": ToolChoice("any")}
    crossed = crossing(prompt(**members), capability={"forced_tool": False})
    assert written(crossed)["tool_choice"] == {"type": "auto"}
    assert crossed.notes.entries == ["tool_choice:forced_tool_use_downgraded"]
    with pytest.raises(InvalidRequest):
        written(crossing(prompt(**members), capability={"forced_tool": False}, strict=True))


def test_web_search() -> None:
    search = WebSearch("high", location={"city": "Oslo"}, blocked_domains=["x.org"])
    crossed = crossing(prompt(web_search=search), capability={"web_search": "web_search_tool"})
    assert written(crossed)["tools"] == [
        {
            "type": "web_search_20250305",
            "name": "web_search",
            "max_uses": 10,
            "user_location": {"type": "approximate", "city": "Oslo"},
            "blocked_domains": ["x.org"],
        }
    ]
    without = crossing(prompt(web_search=search))
    assert "tools" not in written(without)
    assert without.notes.entries == ["web_search:unsupported_by_target"]


def test_only_the_last_four_cache_marks_stay() -> None:
    texts = [Text(word, CacheMark()) for word in "abc"]
    crossed = crossing(
        Prompt(
            "m",
            [Turn("user", [Text("d", CacheMark())])],
            system=texts,
            tools=[Tool("f", cache=CacheMark())],
        )
    )
    got = written(crossed)
    assert "cache_control" not in got["tools"][0]
    assert all("cache_control" in block for block in got["system"])
    assert "cache_control" in got["messages"][0]["content"][0]
    assert crossed.notes.entries == ["cache_control:only_the_last_4_kept"]


def test_the_upstream_may_place_the_mark() -> None:
    crossed = crossing(prompt(cache_implicit=True, system=[Text(c, CacheMark()) for c in "abcd"]))
    got = written(crossed)
    assert got["cache_control"] == {"type": "ephemeral"}
    assert ["cache_control" in block for block in got["system"]] == [False, True, True, True]


# --- reasoning ------------------------------------------------------------------------------------

SHOWN = {"type": "adaptive", "display": "summarized"}


@pytest.mark.parametrize(
    ("reasoning", "capability", "thinking", "effort", "notes"),
    [
        (None, ADAPTIVE, None, None, []),
        (Reasoning(effort="low"), ADAPTIVE, SHOWN, "low", []),
        (Reasoning(effort="minimal"), ADAPTIVE, SHOWN, "low", []),
        (Reasoning(effort="xhigh"), ADAPTIVE, SHOWN, "high", ["reasoning_effort:sent_as_high"]),
        (Reasoning(effort="none"), ADAPTIVE, {"type": "disabled"}, None, []),
        (
            Reasoning(effort="none"),
            {"thinking": ("adaptive",), "effort": ("low", "high")},
            None,
            "low",
            ["reasoning_effort:sent_as_low"],
        ),
        (
            Reasoning("disabled"),
            {"thinking": ("adaptive",), "effort": ("low", "high")},
            None,
            "low",
            ["reasoning_effort:sent_as_low"],
        ),
        (Reasoning(effort="low"), BUDGET, {"type": "enabled", "budget_tokens": 1024}, None, []),
        (Reasoning(effort="medium"), BUDGET, {"type": "enabled", "budget_tokens": 4096}, None, []),
        (Reasoning(effort="high"), BUDGET, {"type": "enabled", "budget_tokens": 16384}, None, []),
        (Reasoning(effort="xhigh"), BUDGET, {"type": "enabled", "budget_tokens": 31999}, None, []),
        (Reasoning(effort="max"), BUDGET, {"type": "enabled", "budget_tokens": 31999}, None, []),
        (Reasoning("enabled", 3000), BUDGET, {"type": "enabled", "budget_tokens": 3000}, None, []),
        (
            Reasoning("enabled", 3000),
            ADAPTIVE,
            SHOWN,
            "medium",
            ["thinking.budget_tokens:approximated_by_effort"],
        ),
        (
            Reasoning("adaptive", None, "high", "omitted"),
            ADAPTIVE,
            {"type": "adaptive", "display": "omitted"},
            "high",
            [],
        ),
        (Reasoning(effort="low"), {}, None, None, ["reasoning_effort:unsupported_by_model"]),
        (Reasoning(effort="none"), {}, None, None, []),
        (Reasoning(effort="high"), {"effort": ("low", "high")}, None, "high", []),
    ],
)
def test_reasoning(
    reasoning: Reasoning | None,
    capability: dict[str, Any],
    thinking: dict[str, Any] | None,
    effort: str | None,
    notes: list[str],
) -> None:
    crossed = crossing(prompt(reasoning=reasoning), capability=capability)
    got = written(crossed)
    assert got.get("thinking") == thinking
    assert got.get("output_config") == ({"effort": effort} if effort else None)
    assert crossed.notes.entries == notes


def test_the_budget_stays_below_max_tokens() -> None:
    crossed = crossing(
        prompt(max_tokens=2000, reasoning=Reasoning("enabled", 9000)), capability=BUDGET
    )
    assert written(crossed)["thinking"]["budget_tokens"] == 1999
    assert crossed.notes.entries == ["thinking.budget_tokens:clamped"]
    small = crossing(prompt(max_tokens=1024, reasoning=Reasoning(effort="low")), capability=BUDGET)
    assert "thinking" not in written(small)
    assert small.notes.entries == ["reasoning_effort:max_tokens_too_small_for_thinking"]


def test_a_forced_tool_turns_thinking_off() -> None:
    members = {
        "tools": [Tool("f")],
        "tool_choice": ToolChoice("any"),
        "reasoning": Reasoning(effort="high"),
    }
    crossed = crossing(prompt(**members), capability=BUDGET)
    got = written(crossed)
    assert (got["thinking"], got["tool_choice"]) == ({"type": "disabled"}, {"type": "any"})
    always = crossing(prompt(**members), capability={**ADAPTIVE, "thinking": ("adaptive",)})
    got = written(always)
    assert (got["thinking"], got["tool_choice"]) == (SHOWN, {"type": "auto"})
    assert always.notes.entries == ["tool_choice:forced_tool_use_downgraded"]
    unforced = crossing(prompt(**members), capability={**ADAPTIVE, "forced_tool": False})
    got = written(unforced)
    assert (got["thinking"], got["tool_choice"]) == (SHOWN, {"type": "auto"})


@pytest.mark.parametrize("kept", [True, False])
def test_no_budget_after_a_tool_turn_without_thinking(*, kept: bool) -> None:
    thought = [Thinking("t", "s", "messages" if kept else "chat")]
    turns = [
        U,
        Turn("assistant", [*thought, ToolCall("a", "f")]),
        Turn("user", [ToolResult("a", [Text("r")])]),
    ]
    crossed = crossing(Prompt("m", turns, reasoning=Reasoning(effort="low")), capability=BUDGET)
    assert ("thinking" in written(crossed)) == kept
    noted = "reasoning:omitted_after_a_turn_without_thinking" in crossed.notes.entries
    assert noted != kept


# --- formats --------------------------------------------------------------------------------------


def test_a_schema_that_can_be_closed_is_enforced() -> None:
    crossed = crossing(prompt(format=Format("json_schema", SCHEMA, "n")))
    got = written(crossed)["output_config"]["format"]
    assert got["type"] == "json_schema"
    assert got["schema"]["additionalProperties"] is False
    assert crossed.answer_tool is None


def test_an_open_schema_is_answered_through_a_tool() -> None:
    crossed = crossing(prompt(format=Format("json_schema", OPEN)))
    got = written(crossed)
    assert crossed.answer_tool == "json_output"
    assert got["tool_choice"] == {"type": "tool", "name": "json_output"}
    assert [tool["name"] for tool in got["tools"]] == ["json_output"]
    assert "response_format:answered_through_a_tool" in crossed.notes.entries


@pytest.mark.parametrize(
    ("members", "capability"),
    [
        ({"tools": [Tool("f")]}, {}),
        ({}, {"forced_tool": False}),
        ({"reasoning": Reasoning(effort="low")}, BUDGET),
    ],
)
def test_an_open_schema_is_asked_for_where_no_tool_may_be_forced(
    members: dict[str, Any], capability: dict[str, Any]
) -> None:
    crossed = crossing(prompt(format=Format("json_schema", OPEN), **members), capability=capability)
    got = written(crossed)
    assert crossed.answer_tool is None
    assert got["system"][-1]["text"].endswith(bytes(OPEN).decode())
    assert "response_format:schema_asked_for_in_the_system_prompt" in crossed.notes.entries


def test_a_json_object_is_asked_for() -> None:
    got = written(crossing(prompt(format=Format("json_object"), system=[Text("A")])))
    assert got["system"] == [
        {"type": "text", "text": "A"},
        {"type": "text", "text": "Respond with one JSON object and nothing else."},
    ]
