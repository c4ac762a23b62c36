"""A Gemini `Schema`, a subset of OpenAPI 3.0 schemas, as a JSON Schema.

Its types are in capitals, `nullable` is a member, counts may be strings, and `propertyOrdering`
gives the order of properties.
"""

from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw

from gateway.dialects.gemini.camel_case import to_camel_case
from gateway.errors import InvalidRequest
from gateway.wire.raw_json import decode

Schema = dict[str, Any]
_SUBSCHEMAS = frozenset({"items", "additionalProperties", "not"})
_SCHEMA_LISTS = frozenset({"anyOf", "allOf", "oneOf", "prefixItems"})
_SCHEMA_MAPS = {"properties": "properties", "defs": "$defs", "$defs": "$defs"}
_COUNT_KEYWORDS = frozenset({
    "maxItems", "minItems", "maxLength", "minLength", "maxProperties", "minProperties",
})  # fmt: skip
_REDUNDANT_FORMATS = frozenset({"enum", "int32", "int64", "float", "double"})
"""Formats that only repeat the type, and that other servers refuse."""
_MAX_DEPTH = 64


def read_schema(raw: Raw, path: str) -> Raw:
    """The schema as a JSON Schema; InvalidRequest if it is no schema."""
    try:
        return Raw(_convert_json(bytes(raw)))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, _SchemaTooDeep):
        raise InvalidRequest(f"{path}: is no schema", param=path) from None


class _SchemaTooDeep(Exception):
    """The schema is nested deeper than the limit."""


@lru_cache(maxsize=512)
def _convert_json(raw: bytes) -> bytes:
    """The converted schema; cached, as agents send the same schemas with every call."""
    given = decode(raw, dict[str, Any])
    made = _convert_schema(given, 0)
    return raw if made == given else msgspec.json.encode(made)


def _convert_schema(given: Schema, level: int) -> Schema:
    if level > _MAX_DEPTH:
        raise _SchemaTooDeep
    made: Schema = {}
    for word, value in given.items():
        _convert_keyword(made, to_camel_case(word), value, level)
    if _is_true(made.pop("nullable", None)):
        _allow_null(made)
    order = made.pop("propertyOrdering", None)
    if isinstance(order, list) and isinstance(made.get("properties"), dict):
        made["properties"] = _order_properties(made["properties"], order)
    return made


def _convert_keyword(made: Schema, word: str, value: Any, level: int) -> None:
    """Adds one keyword of the schema, as in JSON Schema."""
    if word == "type":
        if (kind := _convert_type(value)) is not None:
            made["type"] = kind
    elif word in _SUBSCHEMAS and isinstance(value, dict):
        made[word] = _convert_schema(value, level + 1)
    elif word in _SCHEMA_LISTS and isinstance(value, list):
        made[word] = [
            _convert_schema(one, level + 1) if isinstance(one, dict) else one for one in value
        ]
    elif word in _SCHEMA_MAPS and isinstance(value, dict):
        made[_SCHEMA_MAPS[word]] = {
            name: _convert_schema(one, level + 1) if isinstance(one, dict) else one
            for name, one in value.items()
        }
    elif word == "ref" and isinstance(value, str):
        made["$ref"] = value.replace("#/defs/", "#/$defs/")
    elif word in _COUNT_KEYWORDS and isinstance(value, str) and value.isascii() and value.isdigit():
        made[word] = int(value)
    elif word == "example":
        made["examples"] = [value]
    elif not (word == "format" and value in _REDUNDANT_FORMATS):
        made[word] = value


def _convert_type(value: Any) -> Any:
    if isinstance(value, list):
        return [_convert_type(one) for one in value]
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


def _order_properties(properties: Schema, order: list[Any]) -> Schema:
    """The properties in the order of `propertyOrdering`."""
    named = [name for name in order if isinstance(name, str) and name in properties]
    return {name: properties[name] for name in dict.fromkeys([*named, *properties])}
