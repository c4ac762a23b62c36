"""Names of members in either spelling: Google's servers read `inline_data` as they do `inlineData`.

Only the members of the API itself are renamed. What a client's own schemas and arguments call their
members is the client's.
"""

import re

import msgspec
from msgspec import Raw

from gateway.wire import decode

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
    return _renamed(raw) if _SNAKE.search(raw) else raw


def _renamed(raw: Raw) -> Raw:
    first = bytes(raw)[:1]
    if first == b"[":
        return Raw(msgspec.json.encode([_renamed(item) for item in decode(raw, list[Raw])]))
    if first != b"{":
        return raw
    members: dict[str, Raw] = {}
    for given, value in decode(raw, dict[str, Raw]).items():
        name = camel(given)
        if name == given or name not in members:
            members[name] = value if name in _OWN else _renamed(value)
    return Raw(msgspec.json.encode(members))
