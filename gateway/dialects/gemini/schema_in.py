"""A Gemini `Schema`, which is OpenAPI's kind of schema, as a JSON Schema.

Types are in capitals there, `nullable` stands beside the type, counts may be strings, and the order
of properties is told apart from them.
"""

from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw

from gateway.dialects.gemini.spelling import camel
from gateway.errors import InvalidRequest
from gateway.wire.raw_json import decode

Schema = dict[str, Any]
_NESTED = frozenset({"items", "additionalProperties", "not"})
_LISTS = frozenset({"anyOf", "allOf", "oneOf", "prefixItems"})
_TABLES = {"properties": "properties", "defs": "$defs", "$defs": "$defs"}
_COUNTS = frozenset({
    "maxItems", "minItems", "maxLength", "minLength", "maxProperties", "minProperties",
})  # fmt: skip
_FORMATS = frozenset({"enum", "int32", "int64", "float", "double"})
"""Formats that say no more than the type does, and that other servers refuse."""
_LEVELS = 64


def json_schema(raw: Raw, path: str) -> Raw:
    """The schema in JSON Schema's words. InvalidRequest where it is none."""
    try:
        return Raw(_converted(bytes(raw)))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, _TooDeep):
        raise InvalidRequest(f"{path}: is no schema", param=path) from None


class _TooDeep(Exception):
    """The schema is nested deeper than anyone means it."""


@lru_cache(maxsize=512)
def _converted(raw: bytes) -> bytes:
    """The conversion; an agent sends the same schemas with every call."""
    given = decode(raw, dict[str, Any])
    made = _schema(given, 0)
    return raw if made == given else msgspec.json.encode(made)


def _schema(given: Schema, level: int) -> Schema:
    if level > _LEVELS:
        raise _TooDeep
    made: Schema = {}
    for word, value in given.items():
        _put(made, camel(word), value, level)
    if _is_true(made.pop("nullable", None)):
        _allow_null(made)
    order = made.pop("propertyOrdering", None)
    if isinstance(order, list) and isinstance(made.get("properties"), dict):
        made["properties"] = _ordered(made["properties"], order)
    return made


def _put(made: Schema, word: str, value: Any, level: int) -> None:
    """One word of the schema, as JSON Schema says it."""
    if word == "type":
        if (kind := _type(value)) is not None:
            made["type"] = kind
    elif word in _NESTED and isinstance(value, dict):
        made[word] = _schema(value, level + 1)
    elif word in _LISTS and isinstance(value, list):
        made[word] = [_schema(one, level + 1) if isinstance(one, dict) else one for one in value]
    elif word in _TABLES and isinstance(value, dict):
        made[_TABLES[word]] = {
            name: _schema(one, level + 1) if isinstance(one, dict) else one
            for name, one in value.items()
        }
    elif word == "ref" and isinstance(value, str):
        made["$ref"] = value.replace("#/defs/", "#/$defs/")
    elif word in _COUNTS and isinstance(value, str) and value.isascii() and value.isdigit():
        made[word] = int(value)
    elif word == "example":
        made["examples"] = [value]
    elif not (word == "format" and value in _FORMATS):
        made[word] = value


def _type(value: Any) -> Any:
    if isinstance(value, list):
        return [_type(one) for one in value]
    if not isinstance(value, str):
        return value
    return None if value == "TYPE_UNSPECIFIED" else value.lower()


def _is_true(value: Any) -> bool:
    return value is True or value == "true"


def _allow_null(schema: Schema) -> None:
    kind = schema.get("type")
    if isinstance(kind, str) and kind != "null":
        schema["type"] = [kind, "null"]
    if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    if isinstance(schema.get("anyOf"), list) and "type" not in schema:
        schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]


def _ordered(properties: Schema, order: list[Any]) -> Schema:
    """The properties in the order that the client wants them answered in."""
    named = [name for name in order if isinstance(name, str) and name in properties]
    return {name: properties[name] for name in dict.fromkeys([*named, *properties])}
