"""Writing tools and their choice for the Messages API."""

from typing import Any

import pytest
from msgspec import Raw

from gateway.errors import InvalidRequest
from gateway.neutral.events import (
    CacheMark,
    Prompt,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    WebSearch,
)
from tests.dialects.messages.wires import conversion, written

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


@pytest.mark.parametrize(
    ("schema", "sent"),
    [
        (None, {"type": "object", "properties": {}}),
        (Raw(b"{}"), {"type": "object", "properties": {}}),
        (Raw(b'{"properties":null}'), {"type": "object", "properties": {}}),
    ],
)
def test_a_schema_gets_an_object_root(schema: Raw | None, sent: dict[str, Any]) -> None:
    (tool,) = written(conversion(prompt(tools=[Tool("f", "d", schema)])))["tools"]
    assert tool == {"name": "f", "description": "d", "input_schema": sent}


def test_a_strict_tool_is_closed_where_the_model_takes_strict() -> None:
    crossed = conversion(prompt(tools=[Tool("f", None, SCHEMA, strict=True)]))
    (tool,) = written(crossed)["tools"]
    assert tool["strict"] is True
    assert tool["input_schema"]["additionalProperties"] is False
    loose = conversion(
        prompt(tools=[Tool("f", None, SCHEMA, strict=True)]), capability={"strict_tools": False}
    )
    (tool,) = written(loose)["tools"]
    assert "strict" not in tool
    assert loose.notes.entries == ["tools.0.strict:unsupported_by_target"]


def test_a_custom_tool_takes_one_text() -> None:
    tool = Tool("f", "d", custom=True, grammar=("lark", "start: X"))
    assert written(conversion(prompt(tools=[tool])))["tools"] == [
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
    crossed = conversion(
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
    assert crossed.names.to_client("foo_bar_2") == "foo/bar"


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
    crossed = conversion(prompt(tools=[Tool("f")], tool_choice=choice, parallel_tools=parallel))
    assert written(crossed).get("tool_choice") == sent


def test_no_choice_without_tools() -> None:
    crossed = conversion(prompt(tool_choice=ToolChoice("auto"), parallel_tools=False))
    assert "tool_choice" not in written(crossed)


def test_a_model_that_cannot_be_forced_chooses() -> None:
    members = {"tools": [Tool("f")], "tool_choice": ToolChoice("any")}
    crossed = conversion(prompt(**members), capability={"forced_tool": False})
    assert written(crossed)["tool_choice"] == {"type": "auto"}
    assert crossed.notes.entries == ["tool_choice:forced_tool_use_downgraded"]
    with pytest.raises(InvalidRequest):
        written(conversion(prompt(**members), capability={"forced_tool": False}, strict=True))


def test_web_search() -> None:
    search = WebSearch("high", location={"city": "Oslo"}, blocked_domains=["x.org"])
    crossed = conversion(prompt(web_search=search), capability={"web_search": "web_search_tool"})
    assert written(crossed)["tools"] == [
        {
            "type": "web_search_20250305",
            "name": "web_search",
            "max_uses": 10,
            "user_location": {"type": "approximate", "city": "Oslo"},
            "blocked_domains": ["x.org"],
        }
    ]
    without = conversion(prompt(web_search=search))
    assert "tools" not in written(without)
    assert without.notes.entries == ["web_search:unsupported_by_target"]


def test_only_the_last_four_cache_marks_stay() -> None:
    texts = [Text(word, CacheMark()) for word in "abc"]
    crossed = conversion(
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
    crossed = conversion(prompt(cache_implicit=True, system=[Text(c, CacheMark()) for c in "abcd"]))
    got = written(crossed)
    assert got["cache_control"] == {"type": "ephemeral"}
    assert ["cache_control" in block for block in got["system"]] == [False, True, True, True]


def test_limits_of_the_client_on_web_search() -> None:
    search = WebSearch("low", max_uses=3, allowed_domains=["x.org"])
    crossed = conversion(prompt(web_search=search), capability={"web_search": "web_search_tool"})
    assert written(crossed)["tools"] == [
        {
            "type": "web_search_20250305",
            "name": "web_search",
            "max_uses": 3,
            "allowed_domains": ["x.org"],
        }
    ]
    bare = conversion(prompt(web_search=WebSearch()), capability={"web_search": "web_search_tool"})
    assert written(bare)["tools"] == [{"type": "web_search_20250305", "name": "web_search"}]


def test_examples_stay_examples() -> None:
    tool = Tool("f", None, SCHEMA, examples=[Raw(b'{"a":"x"}')])
    assert written(conversion(prompt(tools=[tool])))["tools"][0]["input_examples"] == [{"a": "x"}]
