"""Items of tools that OpenAI runs itself, as text: other providers do not take such items."""

from typing import Any

import msgspec
from msgspec import Raw

from gateway.wire.raw_json import decode

JsonItem = dict[str, Any]


def render_hosted_tool(raw: Raw, type: str) -> str | None:
    """The item as text, which may be empty; None where the type is not a hosted tool's."""
    render = _RENDERERS.get(type)
    if render is None:
        return None
    try:
        return render(decode(raw, dict[str, Any]))
    except msgspec.ValidationError:
        return ""


def _render_web_search(item: JsonItem) -> str:
    action = item.get("action")
    members = action if isinstance(action, dict) else {}
    for key in ("query", "url", "pattern"):
        if isinstance(members.get(key), str):
            return f"[web_search: {members[key]}]"
    return "[web_search]"


def _render_file_search(item: JsonItem) -> str:
    queries = item.get("queries")
    asked = ", ".join(map(str, queries)) if isinstance(queries, list) else ""
    found = [
        f"{result.get('filename') or 'file'}: {result['text']}"
        for result in _objects_with(item.get("results"), "text")
    ]
    return "\n".join([f"[file_search: {asked}]", *found])


def _render_code_interpreter(item: JsonItem) -> str:
    logs = [output["logs"] for output in _objects_with(item.get("outputs"), "logs")]
    return "\n".join([f"[code_interpreter: {item.get('code') or ''}]", *logs])


def _objects_with(values: object, name: str) -> list[JsonItem]:
    """The objects of a list that have a string of that name."""
    found = values if isinstance(values, list) else []
    return [one for one in found if isinstance(one, dict) and isinstance(one.get(name), str)]


def _render_mcp_call(item: JsonItem) -> str:
    called = f"[mcp {item.get('server_label')}.{item.get('name')}({item.get('arguments') or ''})]"
    output = item.get("output")
    return f"{called}\n{output}" if isinstance(output, str) and output else called


def _render_computer_call(item: JsonItem) -> str:
    action = item.get("action")
    return f"[computer: {action.get('type') if isinstance(action, dict) else 'action'}]"


_RENDERERS = {
    "web_search_call": _render_web_search,
    "file_search_call": _render_file_search,
    "code_interpreter_call": _render_code_interpreter,
    "image_generation_call": lambda item: (
        f"[image_generation: {item.get('revised_prompt') or 'a picture'}]"
    ),
    "mcp_call": _render_mcp_call,
    "mcp_list_tools": lambda item: "",
    "computer_call": _render_computer_call,
}
