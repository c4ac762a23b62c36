"""Names of members in either spelling: Google's servers read `inline_data` as they do `inlineData`.

Only the members of the API itself are renamed. What a client's own schemas and arguments call their
members is the client's.
"""

import re

import msgspec
from msgspec import Raw

from gateway.wire.raw_json import decode

_SNAKE = re.compile(rb'_[a-z]+"[ \t\r\n]*:')
"""A member's name in the other spelling; perhaps one of the client's own."""
_WORD = re.compile(r"_([a-z])")
_OWN = frozenset({
    "args", "response", "parameters", "parametersJsonSchema", "responseSchema",
    "responseJsonSchema", "partMetadata", "labels",
})  # fmt: skip
"""Members whose value is the client's own."""


def camel(name: str) -> str:
    """The name as JSON of the API spells it."""
    return _WORD.sub(lambda found: found[1].upper(), name) if "_" in name else name


def camelised(raw: Raw) -> Raw:
    """The value with the names of its members in camelCase; itself where they are already.

    msgspec.ValidationError where it is no JSON.
    """
    if not _SNAKE.search(raw):
        return raw
    first = bytes(raw)[:1]
    if first == b"[":
        return _list(raw)
    return _object(raw) if first == b"{" else raw


def _list(raw: Raw) -> Raw:
    items = decode(raw, list[Raw])
    renamed = [camelised(item) for item in items]
    changed = any(new is not old for new, old in zip(renamed, items, strict=True))
    return Raw(msgspec.json.encode(renamed)) if changed else raw


def _object(raw: Raw) -> Raw:
    members: dict[str, Raw] = {}
    changed = False
    for given, value in decode(raw, dict[str, Raw]).items():
        name = camel(given)
        if name == given or name not in members:
            members[name] = value if name in _OWN else camelised(value)
        changed = changed or name != given or members[name] is not value
    return Raw(msgspec.json.encode(members)) if changed else raw
