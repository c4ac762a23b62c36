"""Schemas of the tools that clients run and a Messages upstream knows by name."""

from typing import Any

import msgspec
import pytest

from gateway.dialects.messages.anthropic_tools import find_anthropic_tool
from gateway.dialects.messages.wire import ToolDefinition
from tests.dialects.messages.wires import prompt_of


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


def test_the_first_computer_knew_fewer_actions() -> None:
    def properties(type_: str) -> set[str]:
        found = find_anthropic_tool(ToolDefinition(type=type_))
        assert found is not None
        return set(msgspec.json.decode(found[2])["properties"])

    assert properties("computer_20241022") == {"action", "text", "coordinate"}
    assert "scroll_amount" in properties("computer_20250124")


@pytest.mark.parametrize("type_", ["custom", "web_search_20250305", "computer_toolset_20260801"])
def test_other_tools_are_not_in_the_catalogue(type_: str) -> None:
    assert find_anthropic_tool(ToolDefinition(type=type_)) is None
