"""What in a Messages body only means something with a beta: it goes where the beta goes."""

import re

import msgspec
from msgspec import Raw

from gateway.dialect import Fields
from gateway.wire.raw_json import decode

BETA_FIELDS = {
    "context-management": "context_management",
    "fast-mode": "speed",
    "fine-grained-tool-streaming": "tools.eager_input_streaming",
    "mcp-client": "mcp_servers",
    "prompt-caching-scope": "cache_control.scope",
    "skills": "container",
    "structured-outputs": "output_format",
    "tool-examples": "tools.input_examples",
}
"""By the beta's name without its date: a member, one of each tool, or one of each cache mark."""

_CACHE_MARK = re.compile(rb'"cache_control"\s*:\s*(\{[^{}]*\})')
"""A cache mark anywhere in JSON: within a string its quotes would be escaped."""
_MARKED_FIELDS = ("system", "messages", "tools")


def drop_beta_field(fields: Fields, beta: str) -> str | None:
    """Takes the beta's half out of the body; its name, where it was there."""
    half = BETA_FIELDS.get(beta.partition("-20")[0])
    if half is None:
        return None
    if half == "cache_control.scope":
        cut = _drop_cache_scopes(fields)
    elif half.startswith("tools."):
        cut = _drop_tool_member(fields, half.removeprefix("tools."))
    else:
        cut = fields.pop(half, None) is not None
    return half if cut else None


def _drop_cache_scopes(fields: Fields) -> bool:
    cut = False
    for name in _MARKED_FIELDS:
        raw = bytes(fields.get(name, b""))
        if b'"scope"' in raw:
            found = _CACHE_MARK.sub(_drop_mark_scope, raw)
            cut = cut or found != raw
            fields[name] = Raw(found)
    own = fields.get("cache_control")
    if own is not None and b'"scope"' in bytes(own):
        fields["cache_control"] = Raw(_strip_scope(bytes(own)))
        cut = True
    return cut


def _drop_mark_scope(found: re.Match[bytes]) -> bytes:
    return b'"cache_control":' + _strip_scope(found[1])


def _strip_scope(mark: bytes) -> bytes:
    try:
        members = decode(mark, dict[str, Raw])
    except msgspec.MsgspecError:
        return mark  # a brace within one of its strings: no mark that anybody knows
    members.pop("scope", None)
    return msgspec.json.encode(members)


def _drop_tool_member(fields: Fields, name: str) -> bool:
    raw = bytes(fields.get("tools", b""))
    if f'"{name}"'.encode() not in raw:
        return False
    try:
        tools = decode(raw, list[dict[str, Raw]])
    except msgspec.MsgspecError:
        return False  # no tools: the host says what is wrong with them
    cut = [tool.pop(name, None) for tool in tools]
    if not any(each is not None for each in cut):
        return False  # it stands deeper, in a schema
    fields["tools"] = Raw(msgspec.json.encode(tools))
    return True
