"""Input schemas of the tools that clients run and a Messages upstream knows by name.

`ToolBash20250124Param`, `ToolTextEditor20250728Param`, `MemoryTool20250818Param` and
`BetaToolComputerUse20251124Param` carry no schema on the wire: the models were trained on it.
"""

from typing import Any

import msgspec
from msgspec import Raw

from gateway.dialects.messages.wire import ToolDefinition

Schema = dict[str, Any]

_STRING: Schema = {"type": "string"}
_INTEGER: Schema = {"type": "integer"}
_TWO_INTEGERS: Schema = {"type": "array", "items": _INTEGER, "minItems": 2, "maxItems": 2}
_FOUR_INTEGERS: Schema = {"type": "array", "items": _INTEGER, "minItems": 4, "maxItems": 4}


def _object_schema(required: list[str], **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": required}


def _enum_schema(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


_BASH_SCHEMA = _object_schema(
    [],
    command={"type": "string", "description": "The command to run; required unless restarting"},
    restart={"type": "boolean", "description": "Restart the shell"},
)
_EDIT_COMMANDS = ("view", "create", "str_replace", "insert")
_EDIT_MEMBERS = {
    "view_range": _TWO_INTEGERS,
    "file_text": _STRING,
    "old_str": _STRING,
    "new_str": _STRING,
    "insert_line": _INTEGER,
    "insert_text": _STRING,
}
_MEMORY_SCHEMA = _object_schema(
    ["command"],
    command=_enum_schema(*_EDIT_COMMANDS, "delete", "rename"),
    path=_STRING,
    **_EDIT_MEMBERS,
    old_path=_STRING,
    new_path=_STRING,
)
_COMPUTER_ACTIONS = (
    "key", "type", "mouse_move", "left_click", "left_click_drag", "right_click", "middle_click",
    "double_click", "screenshot", "cursor_position",
)  # fmt: skip
_NEWER_COMPUTER_ACTIONS = (
    "triple_click", "left_mouse_down", "left_mouse_up", "scroll", "hold_key", "wait",
)  # fmt: skip


def _make_editor_schema(type: str) -> Schema:
    undo = ("undo_edit",) if type < "text_editor_20250429" else ()
    return _object_schema(
        ["command", "path"],
        command=_enum_schema(*_EDIT_COMMANDS, *undo),
        path={"type": "string", "description": "Absolute path of a file or folder"},
        **_EDIT_MEMBERS,
    )


def _make_computer_schema(type: str) -> Schema:
    members = {"text": _STRING, "coordinate": _TWO_INTEGERS}
    if type == "computer_20241022":
        return _object_schema(["action"], action=_enum_schema(*_COMPUTER_ACTIONS), **members)
    zoom = ("zoom",) if type >= "computer_20251124" else ()
    return _object_schema(
        ["action"],
        action=_enum_schema(*_COMPUTER_ACTIONS, *_NEWER_COMPUTER_ACTIONS, *zoom),
        **members,
        start_coordinate=_TWO_INTEGERS,
        duration={"type": "number"},
        scroll_direction=_enum_schema("up", "down", "left", "right"),
        scroll_amount=_INTEGER,
        region=_FOUR_INTEGERS,
    )


def find_anthropic_tool(tool: ToolDefinition) -> tuple[str, str, Raw] | None:
    """Name, description and schema of a tool that the client runs; None for any other tool."""
    tag = tool.type or ""
    if tag.startswith("bash_"):
        name, schema = "bash", _BASH_SCHEMA
        words = "Run a command in a bash shell that keeps its state between calls."
    elif tag.startswith("text_editor_"):
        is_older = tag < "text_editor_20250429"
        name = "str_replace_editor" if is_older else "str_replace_based_edit_tool"
        words, schema = "View, create and edit text files.", _make_editor_schema(tag)
    elif tag.startswith("memory_"):
        name, schema = "memory", _MEMORY_SCHEMA
        words = "Keep notes as files under /memories between conversations."
    elif tag.startswith("computer_") and not tag.startswith("computer_toolset"):
        size = f"{tool.display_width_px}x{tool.display_height_px}"
        words = f"Use mouse, keyboard and screenshots of a {size} pixel display."
        name, schema = "computer", _make_computer_schema(tag)
    else:
        return None
    return tool.name or name, words, Raw(msgspec.json.encode(schema))
