"""What a reader may see of the tools that OpenAI runs itself, from the items that tell of them.

Another provider cannot take those items back. What they found is told in words.
"""

from typing import Any

import msgspec
from msgspec import Raw

from gateway.wire.raw_json import decode

JsonItem = dict[str, Any]


def render_hosted_tool(type: str, raw: Raw) -> str | None:
    """The item in words, empty where it has none to say; None for a type that is no such tool's."""
    told = _RENDERERS.get(type)
    if told is None:
        return None
    try:
        return told(decode(raw, dict[str, Any]))
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
    lines = [f"[file_search: {asked}]"]
    results = item.get("results")
    lines += [
        f"{result.get('filename') or 'file'}: {result['text']}"
        for result in (results if isinstance(results, list) else ())
        if isinstance(result, dict) and isinstance(result.get("text"), str)
    ]
    return "\n".join(lines)


def _render_code_interpreter(item: JsonItem) -> str:
    lines = [f"[code_interpreter: {item.get('code') or ''}]"]
    outputs = item.get("outputs")
    lines += [
        output["logs"]
        for output in (outputs if isinstance(outputs, list) else ())
        if isinstance(output, dict) and isinstance(output.get("logs"), str)
    ]
    return "\n".join(lines)


def _render_image_generation(item: JsonItem) -> str:
    return f"[image_generation: {item.get('revised_prompt') or 'a picture'}]"


def _render_mcp_call(item: JsonItem) -> str:
    called = f"[mcp {item.get('server_label')}.{item.get('name')}({item.get('arguments') or ''})]"
    output = item.get("output")
    return f"{called}\n{output}" if isinstance(output, str) and output else called


def _render_computer_call(item: JsonItem) -> str:
    action = item.get("action")
    return f"[computer: {action.get('type') if isinstance(action, dict) else 'action'}]"


def _render_nothing(item: JsonItem) -> str:
    return ""


_RENDERERS = {
    "web_search_call": _render_web_search,
    "file_search_call": _render_file_search,
    "code_interpreter_call": _render_code_interpreter,
    "image_generation_call": _render_image_generation,
    "mcp_call": _render_mcp_call,
    "mcp_list_tools": _render_nothing,
    "computer_call": _render_computer_call,
}
