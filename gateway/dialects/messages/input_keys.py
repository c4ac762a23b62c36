"""Renames keys of a tool's input that the upstream's grammar refuses, and restores them.

The API checks the keys at the root of `input_schema.properties`, and one that it refuses costs the
whole request. Each tool gets a bijection of its own for them, under which the schema, its examples
and earlier calls are written; what the model says is restored.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache

import msgspec
from msgspec import Raw, Struct

from gateway.dialect import Conversion, ToolNames
from gateway.dialects.common.names import sanitize_names
from gateway.wire.raw_json import decode

_KEY_LIMIT = 64
_encode = msgspec.json.encode


class _SchemaRoot(Struct):
    """The members of a schema that name keys."""

    properties: dict[str, Raw] = {}
    required: list[str] | None = None
    dependentRequired: dict[str, list[str]] | None = None


def adapt_schema(schema: Raw, tool: str, path: str, conversion: Conversion) -> Raw:
    """The schema with legal keys, unchanged where all are legal; records the tool's bijection."""
    grammar = conversion.capability.input_key
    if not grammar:
        return schema
    try:
        root = decode(schema, _SchemaRoot)
    except msgspec.ValidationError:
        return schema  # the upstream reports what is wrong with it
    fits = _compile_grammar(grammar)
    if all(map(fits, root.properties)):
        return schema
    names = sanitize_names(root.properties, grammar, _KEY_LIMIT)
    conversion.keys = conversion.keys | {tool: names}
    conversion.notes.note(f"{path}.properties", "keys_renamed")
    changed: dict[str, object] = {"properties": _rename_members(root.properties, names)}
    if root.required is not None:
        changed["required"] = [names.to_upstream(key) for key in root.required]
    if root.dependentRequired is not None:
        changed["dependentRequired"] = {
            names.to_upstream(key): [names.to_upstream(each) for each in needed]
            for key, needed in root.dependentRequired.items()
        }
    return Raw(_encode(decode(schema, dict[str, Raw]) | changed))


@cache
def _compile_grammar(pattern: str) -> Callable[[str], object]:
    return re.compile(pattern).fullmatch


def adapt_examples(given: Iterable[Raw], tool: str, conversion: Conversion) -> list[Raw]:
    """Examples of a tool's input, with the renamed keys."""
    names = conversion.keys.get(tool)
    return [_rename_object(each, names) for each in given] if names is not None else list(given)


def adapt_arguments(arguments: Raw, tool: str, conversion: Conversion) -> Raw:
    """The input of an earlier call, with the upstream's keys."""
    names = conversion.keys.get(tool)
    return arguments if names is None else _rename_object(arguments, names)


def restore_arguments(arguments: str, tool: str, conversion: Conversion) -> str:
    """The input that the model wrote, with the client's keys."""
    names = conversion.keys.get(tool)
    if names is None:
        return arguments
    try:
        members = decode(arguments.encode(), dict[str, Raw])
    except (msgspec.ValidationError, UnicodeDecodeError):
        return arguments  # cut short, or no object
    return _encode({names.to_client(key): value for key, value in members.items()}).decode()


def _rename_object(raw: Raw, names: ToolNames) -> Raw:
    try:
        return Raw(_encode(_rename_members(decode(raw, dict[str, Raw]), names)))
    except (msgspec.ValidationError, UnicodeDecodeError):
        return raw


def _rename_members(members: dict[str, Raw], names: ToolNames) -> dict[str, Raw]:
    return {names.to_upstream(key): value for key, value in members.items()}
