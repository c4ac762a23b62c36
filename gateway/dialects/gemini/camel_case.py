"""Names of members in either spelling: Google's servers read `inline_data` as they do `inlineData`.

Only the members of the API itself are renamed. What a client's own schemas and arguments call their
members is the client's.
"""

import re

import msgspec
from msgspec import Raw

from gateway.wire.raw_json import decode

_SNAKE_MEMBER = re.compile(rb'_[a-z]+"[ \t\r\n]*:')
"""A member's name in the other spelling; perhaps one of the client's own."""
_SNAKE_LETTER = re.compile(r"_([a-z])")
_CLIENT_VALUES = frozenset({
    "args", "response", "parameters", "parametersJsonSchema", "responseSchema",
    "responseJsonSchema", "partMetadata", "labels",
})  # fmt: skip
"""Members whose value is the client's own."""


def to_camel_case(name: str) -> str:
    """The name as JSON of the API spells it."""
    return _SNAKE_LETTER.sub(lambda found: found[1].upper(), name) if "_" in name else name


def rename_members(raw: Raw) -> Raw:
    """The value with the names of its members in camelCase; itself where they are already.

    msgspec.ValidationError where it is no JSON.
    """
    if not _SNAKE_MEMBER.search(raw):
        return raw
    first = bytes(raw)[:1]
    if first == b"[":
        return _rename_in_list(raw)
    return _rename_in_object(raw) if first == b"{" else raw


def _rename_in_list(raw: Raw) -> Raw:
    items = decode(raw, list[Raw])
    renamed = [rename_members(item) for item in items]
    changed = any(new is not old for new, old in zip(renamed, items, strict=True))
    return Raw(msgspec.json.encode(renamed)) if changed else raw


def _rename_in_object(raw: Raw) -> Raw:
    members: dict[str, Raw] = {}
    changed = False
    for given, value in decode(raw, dict[str, Raw]).items():
        name = to_camel_case(given)
        if name == given or name not in members:
            members[name] = value if name in _CLIENT_VALUES else rename_members(value)
        changed = changed or name != given or members[name] is not value
    return Raw(msgspec.json.encode(members)) if changed else raw
