"""A JSON Schema opened level by level."""

import pytest
from msgspec import Raw, ValidationError

from gateway.dialects.common.schema_merge import (
    SchemaMerger,
    UnsupportedSchema,
    is_closed,
    parse_schema,
    parse_types,
)


def branches(schema: bytes) -> SchemaMerger:
    return SchemaMerger(parse_schema(Raw(schema)))


@pytest.mark.parametrize(
    ("reference", "target"),
    [
        ("#/$defs/a", b"1e3"),
        ("#/$defs/b~1c/1", b"3"),
        ("#/$defs/d%20e", b"4"),
        ("#/$defs/f~0g", b"5"),
        ("#", b'{"$defs":{"a":1e3,"b/c":[2,3],"d e":4,"f~g":5}}'),
    ],
)
def test_a_pointer_finds_its_bytes(reference: str, target: bytes) -> None:
    found = branches(b'{"$defs":{"a":1e3,"b/c":[2,3],"d e":4,"f~g":5}}').resolve_reference(
        reference
    )
    assert bytes(found) == target


@pytest.mark.parametrize("reference", ["#/a/2", "#/b", "", "x#/a", "#/a/x", "#" + "/a" * 100])
def test_a_pointer_to_nothing_is_unfit(reference: str) -> None:
    with pytest.raises(UnsupportedSchema):
        branches(b'{"a":[{},{}]}').resolve_reference(reference)


def test_types() -> None:
    assert parse_types(parse_schema(Raw(b'{"type":"object"}'))) == ["object"]
    assert parse_types(parse_schema(Raw(b'{"type":["a","b"]}'))) == ["a", "b"]
    assert parse_types(parse_schema(Raw(b'{"type":null}'))) == []
    assert parse_types({}) == []


def test_only_a_plain_false_shuts() -> None:
    assert is_closed(parse_schema(Raw(b'{"additionalProperties": false}')))
    assert not is_closed(parse_schema(Raw(b'{"additionalProperties":{}}')))
    assert not is_closed({})


def test_alternatives_that_are_all_closed_stay_closed() -> None:
    root = parse_schema(
        Raw(
            b'{"anyOf":[{"properties":{"a":{}},"additionalProperties":false},'
            b'{"properties":{"b":{}},"additionalProperties":false}]}'
        )
    )
    merged = SchemaMerger(root).merge(root)
    assert {word: bytes(raw) for word, raw in merged.items()} == {
        "type": b'"object"',
        "properties": b'{"a":{},"b":{}}',
        "additionalProperties": b"false",
    }


def test_a_property_of_many_branches_is_wrapped_once() -> None:
    root = parse_schema(
        Raw(b'{"allOf":[{"properties":{"a":1}},{"properties":{"a":2}},{"properties":{"a":1}}]}')
    )
    assert bytes(SchemaMerger(root).merge(root)["properties"]) == b'{"a":{"allOf":[1,2]}}'


def test_what_is_no_object_is_no_schema() -> None:
    with pytest.raises(ValidationError):
        parse_schema(Raw(b"[]"))
