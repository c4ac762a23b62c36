"""Reading tools of a Messages request."""

from typing import Any

import pytest
from msgspec import Raw

from gateway.dialects.messages import MESSAGES
from gateway.errors import InvalidRequest
from gateway.neutral.events import CacheMark, Tool, ToolChoice, WebSearch
from gateway.neutral.notes import LossReport
from tests.dialects.messages.wires import fields, prompt_of


def test_a_custom_tool_keeps_its_schema_bytes() -> None:
    raw = Raw(
        b'[{"name":"f","type":"custom","description":"d","strict":true,'
        b'"input_schema":{"type":"object", "x": 1.0},"input_examples":[{"a": 1}],'
        b'"cache_control":{"type":"ephemeral"},"defer_loading":true,"eager_input_streaming":true}]'
    )
    got = MESSAGES.read_prompt({**fields(), "tools": raw}, LossReport())
    assert got.tools == [
        Tool("f", "d", Raw(b'{"type":"object", "x": 1.0}'), True, [Raw(b'{"a": 1}')], CacheMark())
    ]


def test_web_search_is_the_upstreams_own() -> None:
    got = prompt_of(
        tools=[
            {
                "type": "web_search_20250305",
                "name": "web_search",
                "max_uses": 3,
                "user_location": {"type": "approximate", "city": "Oslo", "region": None},
                "allowed_domains": ["x.org"],
            }
        ]
    )
    assert got.tools == []
    assert got.web_search == WebSearch(
        max_uses=3, location={"city": "Oslo"}, allowed_domains=["x.org"]
    )


@pytest.mark.parametrize(
    "type_",
    ["web_fetch_20250910", "code_execution_20250825", "computer_toolset_20260801", "mcp_toolset"],
)
def test_other_tools_of_the_upstream_are_refused(type_: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        prompt_of(tools=[{"name": "f"}, {"type": type_}])
    assert caught.value.param == "tools.1"


def test_tools_that_the_model_may_not_call_are_noted() -> None:
    notes = LossReport()
    got = prompt_of(
        notes,
        tools=[
            {"name": "f", "allowed_callers": ["code_execution_20250825"]},
            {"name": "g", "allowed_callers": ["direct"]},
            {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"},
        ],
    )
    assert [tool.name for tool in got.tools] == ["g"]
    assert notes.entries == [
        "tools.0:not_callable_by_the_model",
        "tools.2:all_tools_are_loaded_at_once",
    ]


@pytest.mark.parametrize(
    ("choice", "mode", "parallel"),
    [
        ({"type": "auto"}, ToolChoice("auto"), None),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice("any"), False),
        ({"type": "tool", "name": "f"}, ToolChoice("tool", "f"), None),
        ({"type": "none", "disable_parallel_tool_use": False}, ToolChoice("none"), None),
    ],
)
def test_choice(choice: dict[str, Any], mode: ToolChoice, parallel: bool | None) -> None:
    got = prompt_of(tools=[{"name": "f"}], tool_choice=choice)
    assert (got.tool_choice, got.parallel_tools) == (mode, parallel)
