"""Input schemas of the tools that clients run and a Messages upstream knows by name.

`ToolBash20250124Param`, `ToolTextEditor20250728Param`, `MemoryTool20250818Param` and
`BetaToolComputerUse20251124Param` carry no schema on the wire: the models were trained on it.
"""

from typing import Any

import msgspec
from msgspec import Raw

from gateway.dialects.messages.wire import ToolDefinition

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_LINES: Schema = {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}
_POINT: Schema = {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}


def _object(required: list[str], **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": required}


def _one_of(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


_BASH = _object(
    [],
    command={"type": "string", "description": "The command to run; required unless restarting"},
    restart={"type": "boolean", "description": "Restart the shell"},
)
_EDITS = ("view", "create", "str_replace", "insert")
_MEMORY = _object(
    ["command"],
    command=_one_of("view", "create", "str_replace", "insert", "delete", "rename"),
    path=_TEXT,
    view_range=_LINES,
    file_text=_TEXT,
    old_str=_TEXT,
    new_str=_TEXT,
    insert_line={"type": "integer"},
    insert_text=_TEXT,
    old_path=_TEXT,
    new_path=_TEXT,
)
_ACTIONS = (
    "key", "type", "mouse_move", "left_click", "left_click_drag", "right_click", "middle_click",
    "double_click", "screenshot", "cursor_position",
)  # fmt: skip
_LATER_ACTIONS = (
    "triple_click", "left_mouse_down", "left_mouse_up", "scroll", "hold_key", "wait",
)  # fmt: skip


def _editor(type: str) -> Schema:
    undo = ("undo_edit",) if type in ("text_editor_20241022", "text_editor_20250124") else ()
    return _object(
        ["command", "path"],
        command=_one_of(*_EDITS, *undo),
        path={"type": "string", "description": "Absolute path of a file or folder"},
        view_range=_LINES,
        file_text=_TEXT,
        old_str=_TEXT,
        new_str=_TEXT,
        insert_line={"type": "integer"},
        insert_text=_TEXT,
    )


def _computer(type: str) -> Schema:
    if type == "computer_20241022":
        return _object(["action"], action=_one_of(*_ACTIONS), text=_TEXT, coordinate=_POINT)
    zoom = ("zoom",) if type >= "computer_20251124" else ()
    return _object(
        ["action"],
        action=_one_of(*_ACTIONS, *_LATER_ACTIONS, *zoom),
        text=_TEXT,
        coordinate=_POINT,
        start_coordinate=_POINT,
        duration={"type": "number"},
        scroll_direction=_one_of("up", "down", "left", "right"),
        scroll_amount={"type": "integer"},
        region={"type": "array", "items": {"type": "integer"}, "minItems": 4, "maxItems": 4},
    )


def known(tool: ToolDefinition) -> tuple[str, str, Raw] | None:
    """Fixed name, description and schema of a tool that the client runs, or None."""
    tag = tool.type or ""
    found: tuple[str, str, Schema]
    if tag.startswith("bash_"):
        found = "bash", "Run a command in a bash shell that keeps its state between calls.", _BASH
    elif tag.startswith("text_editor_"):
        name = (
            "str_replace_editor" if tag < "text_editor_20250429" else "str_replace_based_edit_tool"
        )
        found = name, "View, create and edit text files.", _editor(tag)
    elif tag.startswith("memory_"):
        found = "memory", "Keep notes as files under /memories between conversations.", _MEMORY
    elif tag.startswith("computer_") and not tag.startswith("computer_toolset"):
        size = f"{tool.display_width_px}x{tool.display_height_px}"
        words = f"Use mouse, keyboard and screenshots of a {size} pixel display."
        found = "computer", words, _computer(tag)
    else:
        return None
    name, words, schema = found
    return tool.name or name, words, Raw(msgspec.json.encode(schema))
