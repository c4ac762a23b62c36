"""Member names in snake_case and camelCase: Google's servers accept both spellings.

Only members of the API are renamed, not those in a client's own schemas and arguments.
"""

import re

import msgspec
from msgspec import Raw

from gateway.wire.raw_json import decode

_SNAKE_MEMBER = re.compile(rb'_[a-z]+"[ \t\r\n]*:')
"""A member name in snake_case; it may be in a client's own schema."""
_SNAKE_LETTER = re.compile(r"_([a-z])")
_CLIENT_VALUES = frozenset({
    "args", "response", "parameters", "parametersJsonSchema", "responseSchema",
    "responseJsonSchema", "partMetadata", "labels",
})  # fmt: skip
"""Members whose values are not renamed."""


def to_camel_case(name: str) -> str:
    """The name in camelCase."""
    return _SNAKE_LETTER.sub(lambda found: found[1].upper(), name) if "_" in name else name


def rename_members(raw: Raw) -> Raw:
    """The value with its member names in camelCase; the same object if they are already.

    msgspec.ValidationError if it is not JSON.
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
