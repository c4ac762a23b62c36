"""Keys of a tool's input that the upstream's grammar refuses, and back.

The API checks the keys at the root of `input_schema.properties`, and one that it refuses costs the
whole request. Each tool gets a bijection of its own for them, under which the schema, its examples
and earlier calls are written; what the model says is restored.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache

import msgspec
from msgspec import Raw, Struct

from gateway.dialect import Crossing, Names
from gateway.dialects.common.names import sanitised
from gateway.wire.raw_json import decode

_LONGEST = 64
_encode = msgspec.json.encode


class _Root(Struct):
    """The members of a schema that name keys."""

    properties: dict[str, Raw] = {}
    required: list[str] | None = None
    dependentRequired: dict[str, list[str]] | None = None


def renamed(schema: Raw, tool: str, path: str, crossing: Crossing) -> Raw:
    """The schema with legal keys, its own bytes where it has them; settles the tool's bijection."""
    grammar = crossing.capability.input_key
    if not grammar:
        return schema
    try:
        root = decode(schema, _Root)
    except msgspec.ValidationError:
        return schema  # the upstream says what is wrong with it
    fits = _grammar(grammar)
    if all(map(fits, root.properties)):
        return schema
    names = sanitised(root.properties, grammar, _LONGEST)
    crossing.keys = crossing.keys | {tool: names}
    crossing.notes.note(f"{path}.properties", "keys_renamed")
    changed: dict[str, object] = {"properties": _sent(root.properties, names)}
    if root.required is not None:
        changed["required"] = [names.sent(key) for key in root.required]
    if root.dependentRequired is not None:
        changed["dependentRequired"] = {
            names.sent(key): [names.sent(each) for each in needed]
            for key, needed in root.dependentRequired.items()
        }
    return Raw(_encode(decode(schema, dict[str, Raw]) | changed))


@cache
def _grammar(pattern: str) -> Callable[[str], object]:
    return re.compile(pattern).fullmatch


def examples(given: Iterable[Raw], tool: str, crossing: Crossing) -> list[Raw]:
    """Examples of a tool's input with the keys that its schema has now."""
    names = crossing.keys.get(tool)
    return [_object(each, names) for each in given] if names is not None else list(given)


def sent(arguments: Raw, tool: str, crossing: Crossing) -> Raw:
    """The input of an earlier call, as the upstream knows its keys."""
    names = crossing.keys.get(tool)
    return arguments if names is None else _object(arguments, names)


def known(arguments: str, tool: str, crossing: Crossing) -> str:
    """The input that the model wrote, as the client knows its keys."""
    names = crossing.keys.get(tool)
    if names is None:
        return arguments
    try:
        members = decode(arguments.encode(), dict[str, Raw])
    except (msgspec.ValidationError, UnicodeDecodeError):
        return arguments  # cut short, or none: nothing in it can be told apart
    return _encode({names.known(key): value for key, value in members.items()}).decode()


def _object(raw: Raw, names: Names) -> Raw:
    try:
        return Raw(_encode(_sent(decode(raw, dict[str, Raw]), names)))
    except (msgspec.ValidationError, UnicodeDecodeError):
        return raw


def _sent(members: dict[str, Raw], names: Names) -> dict[str, Raw]:
    return {names.sent(key): value for key, value in members.items()}
