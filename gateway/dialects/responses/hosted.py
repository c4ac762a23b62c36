"""What a reader may see of the tools that OpenAI runs itself, from the items that tell of them.

Another provider cannot take those items back. What they found is told in words.
"""

from typing import Any

import msgspec
from msgspec import Raw

from gateway.wire.raw_json import decode

Item = dict[str, Any]


def readable(type: str, raw: Raw) -> str | None:
    """The item in words, empty where it has none to say; None for a type that is no such tool's."""
    told = _TOLD.get(type)
    if told is None:
        return None
    try:
        return told(decode(raw, dict[str, Any]))
    except msgspec.ValidationError:
        return ""


def _search(item: Item) -> str:
    action = item.get("action")
    members = action if isinstance(action, dict) else {}
    for key in ("query", "url", "pattern"):
        if isinstance(members.get(key), str):
            return f"[web_search: {members[key]}]"
    return "[web_search]"


def _files(item: Item) -> str:
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


def _code(item: Item) -> str:
    lines = [f"[code_interpreter: {item.get('code') or ''}]"]
    outputs = item.get("outputs")
    lines += [
        output["logs"]
        for output in (outputs if isinstance(outputs, list) else ())
        if isinstance(output, dict) and isinstance(output.get("logs"), str)
    ]
    return "\n".join(lines)


def _picture(item: Item) -> str:
    return f"[image_generation: {item.get('revised_prompt') or 'a picture'}]"


def _mcp(item: Item) -> str:
    called = f"[mcp {item.get('server_label')}.{item.get('name')}({item.get('arguments') or ''})]"
    output = item.get("output")
    return f"{called}\n{output}" if isinstance(output, str) and output else called


def _computer(item: Item) -> str:
    action = item.get("action")
    return f"[computer: {action.get('type') if isinstance(action, dict) else 'action'}]"


def _nothing(item: Item) -> str:
    return ""


_TOLD = {
    "web_search_call": _search,
    "file_search_call": _files,
    "code_interpreter_call": _code,
    "image_generation_call": _picture,
    "mcp_call": _mcp,
    "mcp_list_tools": _nothing,
    "computer_call": _computer,
}
