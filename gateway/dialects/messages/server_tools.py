"""Calls and results of the tools that a Messages upstream runs itself, as text.

Encrypted members mean nothing to another upstream and are left out. Members of any type are
accepted: a client replays what the upstream wrote and must not be refused for it.
"""

from typing import Any

import msgspec
from msgspec import Raw

from gateway.wire.raw_json import decode

SERVER_TOOL_CALLS = frozenset({"server_tool_use", "mcp_tool_use"})
RESULT_SUFFIX = "_tool_result"
"""Ends the type of every result: `web_search_tool_result`, `mcp_tool_result` and so on."""


def is_server_block(type: str) -> bool:
    """Whether blocks of that type are calls or results of a tool that the upstream ran."""
    return type in SERVER_TOOL_CALLS or type.endswith(RESULT_SUFFIX)


def render_server_block(type: str, raw: Raw) -> str:
    """The call as `[web_search: query]`, the result as its titles, output or text."""
    try:
        block = decode(raw, dict[str, Any])
    except msgspec.ValidationError:
        return ""
    if type == "server_tool_use":
        return _render_call(block)
    if type == "mcp_tool_use":
        name = f"{block.get('server_name')}.{block.get('name')}"
        return f"[mcp {name}({_render_json(block.get('input'))})]"
    return _render_result(block.get("content"))


def _render_call(block: dict[str, Any]) -> str:
    name, given = block.get("name"), block.get("input")
    members = given if isinstance(given, dict) else {}
    for key in ("query", "url", "code", "command"):
        if isinstance(members.get(key), str):
            return f"[{name}: {members[key]}]"
    return f"[{name}: {_render_json(members)}]" if members else f"[{name}]"


def _render_result(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(line for item in content if (line := _render_item(item)))
    return _render_item(content)


def _render_item(item: object) -> str:
    if not isinstance(item, dict):
        return ""
    if isinstance(item.get("text"), str):
        return str(item["text"])
    if "stdout" in item or "stderr" in item:
        streams = "\n".join(
            str(item[key]).rstrip("\n") for key in ("stdout", "stderr") if item.get(key)
        )
        return f"```\n{streams}\n```"
    if isinstance(item.get("error_code"), str):
        return f"[error: {item['error_code']}]"
    if isinstance(item.get("url"), str):
        return f"- {_read_title(item)} ({item['url']})"
    if isinstance(item.get("tool_references"), list):
        names = [
            str(ref.get("tool_name")) for ref in item["tool_references"] if isinstance(ref, dict)
        ]
        return "\n".join(f"Tool now available: {name}" for name in names)
    return str(item["content"]) if isinstance(item.get("content"), str) else ""


def _read_title(item: dict[str, Any]) -> str:
    """The title of a search result, or of the document that was fetched."""
    document = item.get("content")
    title = item.get("title") or (document.get("title") if isinstance(document, dict) else None)
    return str(title or item["url"])


def _render_json(value: object) -> str:
    return msgspec.json.encode(value if value is not None else {}).decode()
