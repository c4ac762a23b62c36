"""Tools and their choice for Gemini."""

from typing import Any

import pytest
from msgspec import Raw

from gateway.neutral.events import Text, Tool, ToolChoice, WebSearch
from tests.dialects.gemini.conversions import NEW, OLD, Json, asked, conversion, tools, written

SCHEMA = Raw(b'{"type":"object","properties":{"a":{"type":"string","minLength":1}}}')


def test_functions_stand_in_one_tool() -> None:
    way = conversion(asked(tools=[
        Tool("f", "does", SCHEMA, examples=[Raw(b'{"a":"x"}')]),
        Tool("g", None, Raw(b"{}")), Tool("h"),
        Tool("i", None, Raw(b'{"type":"object","properties":{},"additionalProperties":false}')),
        Tool("j", None, Raw(b"null")),
        Tool("p", "prints", custom=True, grammar=("lark", "start: x")),
    ]))  # fmt: skip
    free = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
    assert written(way)["tools"] == [{"functionDeclarations": [
        {"name": "f", "description": 'does\n\nExamples:\n{"a":"x"}', "parametersJsonSchema": {
            "type": "object",
            "properties": {"a": {"type": "string", "description": "{minLength: 1}"}}}},
        {"name": "g"}, {"name": "h"}, {"name": "i"}, {"name": "j"},
        {"name": "p", "parametersJsonSchema": free,
         "description": "prints\nInput must match this lark grammar:\nstart: x"},
    ]}]  # fmt: skip
    assert way.notes.entries == ["tools.0.parameters:keywords_moved_to_description"]


CHOICES: list[tuple[Json, Json | None]] = [
    ({}, None),
    ({"tool_choice": ToolChoice("auto")}, {"mode": "AUTO"}),
    ({"tool_choice": ToolChoice("any")}, {"mode": "ANY"}),
    ({"tool_choice": ToolChoice("none")}, {"mode": "NONE"}),
    ({"tool_choice": ToolChoice("tool", "f")}, {"mode": "ANY", "allowedFunctionNames": ["f"]}),
    ({"tools": [Tool("f", strict=True)]}, {"mode": "VALIDATED"}),
    ({"tools": [Tool("f", strict=True)], "tool_choice": ToolChoice("any")}, {"mode": "ANY"}),
    ({"tools": [], "tool_choice": ToolChoice("any")}, None),
]


@pytest.mark.parametrize(("members", "expected"), CHOICES)
def test_choices(members: dict[str, Any], expected: Json | None) -> None:
    got = written(conversion(asked(**({"tools": tools("f")} | members))))
    found = got.get("toolConfig")
    assert found == (None if expected is None else {"functionCallingConfig": expected})


def test_what_the_api_cannot_say_is_told() -> None:
    way = conversion(asked(tools=[Tool("f", strict=True)], parallel_tools=False), OLD)
    written(way)
    assert way.notes.entries == [
        "tools.0.strict:unsupported_by_target",
        "parallel_tool_calls:unsupported_by_target",
    ]


SEARCHES: list[tuple[WebSearch, Json, list[Json] | None, list[str]]] = [
    (WebSearch(), {}, [{"googleSearch": {}}], []),
    (WebSearch("low"), {}, [{"googleSearch": {}}], ["web_search:as_much_as_the_model_likes"]),
    (WebSearch(location={"city": "Bern"}, allowed_domains=["a"]), {}, [{"googleSearch": {}}],
     ["web_search.domains:unsupported_by_target",
      "web_search.user_location:unsupported_by_target"]),
    (WebSearch(), {"web_search": "none"}, None, ["web_search:unsupported_by_target"]),
]  # fmt: skip


@pytest.mark.parametrize(("search", "capability", "expected", "entries"), SEARCHES)
def test_searches(
    search: WebSearch, capability: Json, expected: list[Json] | None, entries: list[str]
) -> None:
    way = conversion(asked(web_search=search), NEW, **capability)
    assert written(way).get("tools") == expected
    assert way.notes.entries == entries


def test_a_search_beside_functions_is_left_out() -> None:
    way = conversion(asked(web_search=WebSearch(), tools=tools("f"), system=[Text("s")]))
    assert written(way)["tools"] == [{"functionDeclarations": [{"name": "f"}]}]
    assert way.notes.entries == ["web_search:not_with_functions"]
