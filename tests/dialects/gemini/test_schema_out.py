"""JSON Schemas in the words that Gemini reads."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway.dialects.gemini.schema_out import narrow_schema
from gateway.errors import InvalidRequest
from gateway.neutral.notes import LossReport

SAME = [
    b'{"type": "object", "properties": {"b": {"type": ["string", "null"]}}, "required": ["b"]}',
    b'{"additionalProperties":false,"type":"object","properties":{"a":{"enum":[1.0]}}}',
    b'{"$defs":{"n":{"items":{"$ref":"#/$defs/n"}}},"anyOf":[{"$ref":"#/$defs/n"}]}',
    b'{"type":"array","items":{"type":"string","format":"date"},"minItems":1,"prefixItems":[]}',
    b'{"type":"object","additionalProperties":{"type":"number","minimum":0.50}}',
]


@pytest.mark.parametrize("schema", SAME)
def test_what_fits_keeps_its_bytes(schema: bytes) -> None:
    notes = LossReport()
    assert bytes(narrow_schema(Raw(schema), "s", notes)) == schema
    assert notes.entries == []


SAID: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"$schema": "x", "type": "string", "examples": ["a"]}, {"type": "string"}, False),
    ({"const": "a"}, {"enum": ["a"]}, False),
    ({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 9},
     {"type": "integer", "minimum": 1, "maximum": 8}, False),
    ({"type": "number", "exclusiveMinimum": 0},
     {"type": "number", "description": "{exclusiveMinimum: 0}"}, True),
    ({"type": "string", "format": "email", "pattern": "^a$", "description": "D"},
     {"type": "string", "description": 'D\n\n{format: "email", pattern: "^a$"}'}, True),
    ({"properties": {"a": {"$ref": "#/definitions/n", "description": "x"}},
      "definitions": {"n": {"type": "string", "maxLength": 3}}},
     {"properties": {"a": {"$ref": "#/$defs/n"}},
      "$defs": {"n": {"type": "string", "description": "{maxLength: 3}"}}}, True),
    ({"allOf": [{"type": "string", "minLength": 1}], "description": "D"},
     {"type": "string", "description": "D\n\n{minLength: 1}"}, True),
    ({"allOf": [{"$ref": "#/$defs/n"}], "$defs": {"n": {"type": "string"}}},
     {"$ref": "#/$defs/n", "$defs": {"n": {"type": "string"}}}, False),
    ({"allOf": [{"type": "object", "properties": {"a": {}}}, {"properties": {"b": {}}}]},
     {"type": "object", "properties": {"a": {}, "b": {}}}, False),
    ({"allOf": [{"type": "string"}, {"type": "number"}]},
     {"description": '{allOf: [{"type":"string"},{"type":"number"}]}'}, True),
    ({"items": [{"type": "string"}]}, {"description": '{items: [{"type":"string"}]}'}, True),
    ({"patternProperties": {"a": {}}, "additionalProperties": True},
     {"additionalProperties": True, "description": '{patternProperties: {"a":{}}}'}, True),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "expected", "reworded"), SAID)
def test_what_does_not_fit_is_said_otherwise(
    schema: dict[str, Any], expected: dict[str, Any], reworded: bool
) -> None:
    notes = LossReport()
    got = narrow_schema(Raw(msgspec.json.encode(schema)), "s", notes)
    assert msgspec.json.decode(got) == expected
    assert notes.entries == (["s:keywords_moved_to_description"] if reworded else [])


@pytest.mark.parametrize(
    "schema", [b"5", b'{"properties":5}', b'{"items":' * 100 + b"{}" + b"}" * 100]
)
def test_what_is_no_schema_is_named(schema: bytes) -> None:
    with pytest.raises(InvalidRequest) as raised:
        narrow_schema(Raw(schema), "tools.0.parameters", LossReport())
    assert raised.value.param == "tools.0.parameters"
