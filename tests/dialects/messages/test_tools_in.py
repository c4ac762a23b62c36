"""Reading tools of a Messages request."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway.dialects.messages import MESSAGES
from gateway.errors import InvalidRequest
from gateway.events import CacheMark, Tool, ToolChoice, WebSearch
from gateway.notes import Notes
from tests.dialects.messages.wires import fields, prompt_of


def test_a_custom_tool_keeps_its_schema_bytes() -> None:
    raw = Raw(
        b'[{"name":"f","type":"custom","description":"d","strict":true,'
        b'"input_schema":{"type":"object", "x": 1.0},"input_examples":[{"a": 1}],'
        b'"cache_control":{"type":"ephemeral"},"defer_loading":true,"eager_input_streaming":true}]'
    )
    got = MESSAGES.read_prompt({**fields(), "tools": raw}, Notes())
    assert got.tools == [
        Tool("f", "d", Raw(b'{"type":"object", "x": 1.0}'), True, [Raw(b'{"a": 1}')], CacheMark())
    ]


@pytest.mark.parametrize(
    ("tool", "name", "property_"),
    [
        ({"type": "bash_20250124", "name": "bash"}, "bash", "restart"),
        (
            {"type": "text_editor_20250124", "name": "str_replace_editor"},
            "str_replace_editor",
            "path",
        ),
        ({"type": "text_editor_20250728"}, "str_replace_based_edit_tool", "view_range"),
        ({"type": "memory_20250818", "name": "memory"}, "memory", "old_path"),
        (
            {
                "type": "computer_20251124",
                "name": "computer",
                "display_width_px": 1024,
                "display_height_px": 768,
            },
            "computer",
            "region",
        ),
    ],
)
def test_tools_that_the_client_runs_get_a_schema(
    tool: dict[str, Any], name: str, property_: str
) -> None:
    (got,) = prompt_of(tools=[tool]).tools
    assert got.name == name
    assert got.schema is not None
    schema = msgspec.json.decode(got.schema)
    assert schema["type"] == "object"
    assert property_ in schema["properties"]


def test_the_editor_undoes_in_its_first_versions_only() -> None:
    def commands(type_: str) -> list[str]:
        (tool,) = prompt_of(tools=[{"type": type_}]).tools
        found: list[str] = msgspec.json.decode(tool.schema or b"")["properties"]["command"]["enum"]
        return found

    assert commands("text_editor_20250124") == [
        "view",
        "create",
        "str_replace",
        "insert",
        "undo_edit",
    ]
    assert commands("text_editor_20250728") == ["view", "create", "str_replace", "insert"]


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
    notes = Notes()
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
