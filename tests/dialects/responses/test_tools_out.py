"""Tools and their choice."""

from typing import Any

import pytest
from msgspec import Raw

from gateway.capability.record import Capability
from gateway.dialects.responses import RESPONSES
from gateway.neutral.events import Prompt, Text, Tool, ToolCall, ToolChoice, Turn, WebSearch
from tests.dialects.chat.conversions import conversion, plain

ASK = Turn("user", [Text("hi")])
CLOSED = Raw(
    b'{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],'
    b'"additionalProperties":false}'
)
OPEN = Raw(b'{"type":"object","properties":{"a":{"type":"string"}}}')
EMPTY = {"type": "object", "properties": {}}
FREE = {
    "type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"],
    "additionalProperties": False,
}  # fmt: skip


def sent(capability: Capability | None = None, **members: Any) -> tuple[dict[str, Any], list[str]]:
    way = conversion(Prompt("m", [ASK], **members), capability)
    return plain(RESPONSES.write_prompt(way)), way.notes.entries


def tools(*tools: Tool, capability: Capability | None = None) -> tuple[Any, list[str]]:
    found, notes = sent(capability, tools=list(tools))
    return found["tools"], notes


@pytest.mark.parametrize(
    ("tool", "capability", "function", "notes"),
    [
        (Tool("f", "d"), None, {"description": "d", "parameters": EMPTY, "strict": False}, []),
        (Tool("f", schema=Raw(b"{}")), None, {"parameters": EMPTY, "strict": False}, []),
        (Tool("f", schema=CLOSED, strict=True), None, {"strict": True}, []),
        (Tool("f", schema=CLOSED), None, {"strict": False}, []),
        (Tool("f", schema=CLOSED, strict=False), None, {"strict": False}, []),
        (Tool("f", schema=OPEN, strict=True), None, {"strict": False},
         ["tools.0.strict:schema_or_target_not_strict"]),
        (Tool("f", schema=CLOSED, strict=True), Capability(strict_tools=False), {"strict": False},
         ["tools.0.strict:schema_or_target_not_strict"]),
        (Tool("f", "d", examples=[Raw(b'{"a":1}')]), None,
         {"description": 'd\n\nExamples:\n{"a":1}'}, []),
        (Tool("f", "d", custom=True, grammar=("lark", "start: A")), None,
         {"description": "d\nInput must match this lark grammar:\nstart: A", "parameters": FREE,
          "strict": False}, []),
    ],
)  # fmt: skip
def test_functions_say_whether_they_are_strict(
    tool: Tool, capability: Capability | None, function: dict[str, Any], notes: list[str]
) -> None:
    (found,), told = tools(tool, capability=capability)
    assert (found["type"], found["name"]) == ("function", "f")
    assert found | function == found
    assert told == notes


def test_a_schema_goes_as_it_came() -> None:
    way = conversion(Prompt("m", [ASK], tools=[Tool("f", schema=Raw(b'{"n":1e3, "a":1.0}'))]))
    assert b'"parameters":{"n":1e3, "a":1.0}' in bytes(RESPONSES.write_prompt(way)["tools"])


def test_tools_of_free_text() -> None:
    one = Tool("p", "d", custom=True, grammar=("regex", "a+"))
    found, notes = tools(one, Tool("q", custom=True), capability=Capability(custom_tools=True))
    assert found == [
        {"type": "custom", "name": "p", "description": "d",
         "format": {"type": "grammar", "syntax": "regex", "definition": "a+"}},
        {"type": "custom", "name": "q"},
    ]  # fmt: skip
    assert notes == []


@pytest.mark.parametrize(
    ("choice", "custom", "said"),
    [
        (ToolChoice("auto"), True, "auto"),
        (ToolChoice("none"), True, "none"),
        (ToolChoice("any"), True, "required"),
        (ToolChoice("tool", "f"), True, {"type": "function", "name": "f"}),
        (ToolChoice("tool", "p"), True, {"type": "custom", "name": "p"}),
        (ToolChoice("tool", "p"), False, {"type": "function", "name": "p"}),
    ],
)
def test_choices(choice: ToolChoice, custom: bool, said: object) -> None:
    found, _ = sent(
        Capability(custom_tools=custom), tools=[Tool("f"), Tool("p", custom=True)],
        tool_choice=choice, parallel_tools=False,
    )  # fmt: skip
    assert found["tool_choice"] == said
    assert found["parallel_tool_calls"] is False


def test_without_tools_there_is_no_choice() -> None:
    found, _ = sent(tool_choice=ToolChoice("any"), parallel_tools=False)
    assert not found.keys() & {"tools", "tool_choice", "parallel_tool_calls"}


def test_a_choice_that_the_server_has_no_word_for_is_said_in_words() -> None:
    found, notes = sent(
        Capability(tool_choice_required=False), tools=[Tool("f")], tool_choice=ToolChoice("any")
    )
    assert found["tool_choice"] == "auto"
    assert found["input"][0]["content"] == "You must call one of the tools."
    assert notes == ["tool_choice:as_instruction"]


def test_names_are_rewritten_alike_in_tools_choice_and_history() -> None:
    called = Turn("assistant", [ToolCall("a", "foo/bar")])
    prompt = Prompt(
        "m", [ASK, called], tools=[Tool("foo/bar"), Tool("foo_bar")],
        tool_choice=ToolChoice("tool", "foo/bar"),
    )  # fmt: skip
    way = conversion(prompt)
    found: Any = plain(RESPONSES.write_prompt(way))
    assert [tool["name"] for tool in found["tools"]] == ["foo_bar_2", "foo_bar"]
    assert found["tool_choice"]["name"] == found["input"][1]["name"] == "foo_bar_2"
    assert way.names.to_client("foo_bar_2") == "foo/bar"


SEARCHES = Capability(web_search="web_search_tool")


@pytest.mark.parametrize(
    ("search", "tool", "notes"),
    [
        (WebSearch(), {}, []),
        (WebSearch("low", location={"city": "Bern"}, allowed_domains=["a.b"]),
         {"search_context_size": "low", "filters": {"allowed_domains": ["a.b"]},
          "user_location": {"type": "approximate", "city": "Bern"}}, []),
        (WebSearch(max_uses=3, blocked_domains=["x.y"]), {"search_context_size": "medium"},
         ["web_search.max_uses:approximated_by_search_context_size",
          "web_search.blocked_domains:unsupported_by_target"]),
    ],
)  # fmt: skip
def test_the_upstreams_own_search(
    search: WebSearch, tool: dict[str, Any], notes: list[str]
) -> None:
    found, told = sent(SEARCHES, web_search=search)
    assert found["tools"] == [{"type": "web_search"} | tool]
    assert told == notes


def test_a_search_that_it_has_not_is_told() -> None:
    found, notes = sent(web_search=WebSearch())
    assert "tools" not in found
    assert notes == ["web_search:unsupported_by_target"]
