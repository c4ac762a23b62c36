"""Gemini's schemas in JSON Schema's words."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway.dialects.gemini.schema_in import read_schema
from gateway.errors import InvalidRequest


def converted(schema: Any) -> Any:
    return msgspec.json.decode(read_schema(Raw(msgspec.json.encode(schema)), "x"))


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({"type": "STRING"}, {"type": "string"}),
        ({"type": "TYPE_UNSPECIFIED", "title": "t"}, {"title": "t"}),
        ({"type": "STRING", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "STRING", "nullable": False}, {"type": "string"}),
        (
            {"type": "STRING", "format": "enum", "enum": ["a"], "nullable": True},
            {"type": ["string", "null"], "enum": ["a", None]},
        ),
        (
            {"anyOf": [{"type": "STRING"}], "nullable": True},
            {"anyOf": [{"type": "string"}, {"type": "null"}]},
        ),
        (
            {"type": "ARRAY", "items": {"type": "INTEGER", "format": "int32"}, "maxItems": "3"},
            {"type": "array", "items": {"type": "integer"}, "maxItems": 3},
        ),
        ({"type": "STRING", "format": "date-time"}, {"type": "string", "format": "date-time"}),
        ({"example": 1}, {"examples": [1]}),
        (
            {"defs": {"A_b": {"type": "NULL"}}, "ref": "#/defs/A_b", "min_length": "1"},
            {"$defs": {"A_b": {"type": "null"}}, "$ref": "#/$defs/A_b", "minLength": 1},
        ),
        (
            {"properties": {"any_of": {"type": "NUMBER"}, "type": {"type": "BOOLEAN"}}},
            {"properties": {"any_of": {"type": "number"}, "type": {"type": "boolean"}}},
        ),
        ({"additionalProperties": False}, {"additionalProperties": False}),
        ({"type": ["STRING", "NULL"]}, {"type": ["string", "null"]}),
    ],
)
def test_each_word(given: Any, made: Any) -> None:
    assert converted(given) == made


def test_properties_come_in_the_order_asked_for() -> None:
    given = {
        "type": "OBJECT",
        "properties": {"a": {}, "b": {}, "c": {}},
        "propertyOrdering": ["c", "x", "a"],
    }
    made = converted(given)
    assert list(made["properties"]) == ["c", "a", "b"]
    assert "propertyOrdering" not in made


def test_a_json_schema_keeps_its_bytes() -> None:
    raw = b'{"type": "object", "properties": {"a": {"minimum": 1.0}}}'
    assert bytes(read_schema(Raw(raw), "x")) == raw


@pytest.mark.parametrize("raw", [b"[]", b'"x"', b"{" + b'"items":{' * 80 + b"}" * 81])
def test_what_is_no_schema_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidRequest, match="x: is no schema"):
        read_schema(Raw(raw), "x")
