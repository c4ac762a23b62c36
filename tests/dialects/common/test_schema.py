"""JSON Schemas made to fit what an upstream takes."""

import contextlib

import msgspec
import pytest
from hypothesis import given, strategies as st
from msgspec import Raw

from gateway.dialects.common.schema import close_schema, ensure_object_root, is_strict_schema
from gateway.errors import InvalidRequest
from gateway.neutral.notes import LossReport

NO_PARAMETERS = b'{"type":"object","properties":{}}'
STRICT = b'{"type":"object","properties":%s,"required":%s,"additionalProperties":false}'


def deep(levels: int, before: bytes, after: bytes, core: bytes = b"{}") -> Raw:
    return Raw(before * levels + core + after * levels)


DEEP = [
    deep(500, b'{"type":"object","properties":{"a":', b"}}"),
    deep(500, b'{"anyOf":[', b"]}", b'{"type":"object"}'),
    deep(500, b'{"type":"object","allOf":[', b"]}"),
    deep(5000, b'{"a":', b"}"),
    deep(100, b'{"type":"array","items":', b"}", b'{"const":1}'),
    deep(100, b'{"allOf":[', b"]}", b'{"const":1}'),
    deep(100_000, b"[", b"]", b""),
]

# --- strict_subset --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "schema",
    [
        STRICT % (b"{}", b"[]"),
        b'{"type":"object","properties":{},"additionalProperties":false}',
        STRICT % (b'{"a":{"type":["string","null"],"pattern":"x"}}', b'["a"]'),
        STRICT % (b'{"a":{"type":"array","items":{"enum":[1]}}}', b'["a"]'),
        STRICT % (b'{"a":{"anyOf":[{"$ref":"#"},{"const":1}]}}', b'["a"]'),
    ],
)
def test_a_closed_and_full_schema_is_strict(schema: bytes) -> None:
    assert is_strict_schema(Raw(schema))


@pytest.mark.parametrize(
    "schema",
    [
        b"{}",
        b"true",
        b"null",
        b'{"type":"string"}',
        b'{"type":"object","properties":{}}',
        b'{"type":"object","properties":{},"additionalProperties":true}',
        b'{"anyOf":[],"type":"object","properties":{},"additionalProperties":false}',
        b'{"type":["object","null"],"properties":{},"additionalProperties":false}',
        STRICT % (b'{"a":{"type":"string"}}', b"[]"),
        STRICT % (b'{"a":{"type":"string","default":""}}', b'["a"]'),
        STRICT % (b'{"a":{"type":"string","minLength":1}}', b'["a"]'),
        STRICT % (b'{"a":{}}', b'["a"]'),
        STRICT % (b'{"a":true}', b'["a"]'),
        STRICT % (b'{"a":{"type":"array"}}', b'["a"]'),
        STRICT % (b'{"a":{"type":"array","items":{"type":"object"}}}', b'["a"]'),
        STRICT % (b'{"a":{"anyOf":[{"not":{}}]}}', b'["a"]'),
        STRICT % (b"[]", b"[]"),
        STRICT[:-1] % (b"{}", b"[]") + b',"$defs":{"x":{"type":"object","properties":{}}}}',
    ],
)
def test_anything_else_is_not_strict(schema: bytes) -> None:
    assert not is_strict_schema(Raw(schema))


# --- root_object ----------------------------------------------------------------------------------


def rooted(schema: bytes) -> tuple[bytes, list[str]]:
    notes = LossReport()
    return bytes(ensure_object_root(Raw(schema), "tools.0", notes)), notes.entries


@pytest.mark.parametrize("schema", [None, Raw(b"null"), Raw(b"{}"), Raw(b'{"properties":null}')])
def test_a_tool_without_parameters_takes_an_empty_object(schema: Raw | None) -> None:
    notes = LossReport()
    assert bytes(ensure_object_root(schema, "tools.0", notes)) == NO_PARAMETERS
    assert notes.entries == []


@pytest.mark.parametrize(
    "schema",
    [
        b'{"type":"object"}',
        b'{ "x": 1e3, "type": "object", "properties": {"b": {"minimum": 1.0}, "a": {}} }',
        b'{"type":"string"}',
    ],
)
def test_a_schema_that_needs_nothing_is_the_same_object(schema: bytes) -> None:
    raw = Raw(schema)
    assert ensure_object_root(raw, "tools.0", LossReport()) is raw


def test_repairs_keep_order_and_spelling() -> None:
    assert rooted(b'{"x":1e3,"properties":{"b":{"minimum":1.0},"a":{}},"required":null}')[0] == (
        b'{"type":"object","properties":{"b":{"minimum":1.0},"a":{}},"x":1e3}'
    )
    assert rooted(b'{"type":null,"title":"t"}')[0] == (
        b'{"type":"object","properties":{},"title":"t"}'
    )


def test_alternatives_become_one_object() -> None:
    schema = (
        b'{"description":"d","anyOf":[{"type":"object","properties":{"a":{"minimum":1.0},"c":{}},'
        b'"required":["a","c"]},{"properties":{"b":{},"c":{"x":1}},"required":["c"]},'
        b'{"type":"null"},true]}'
    )
    out, entries = rooted(schema)
    assert out == (
        b'{"type":"object","properties":{"a":{"minimum":1.0},"c":{"anyOf":[{},{"x":1}]},"b":{}},'
        b'"required":["c"],"description":"d"}'
    )
    assert entries == ["tools.0:root_branches_merged"]


def test_conjunctions_become_one_object() -> None:
    schema = (
        b'{"type":"object","properties":{"own":{}},"required":["own"],"allOf":[{"properties":'
        b'{"a":{}},"required":["a"]},{"properties":{"b":{}},"required":["b","a"]}]}'
    )
    assert rooted(schema)[0] == (
        b'{"type":"object","properties":{"own":{},"a":{},"b":{}},"required":["own","a","b"]}'
    )


def test_alternatives_that_only_require_leave_the_properties() -> None:
    schema = (
        b'{"type":"object","properties":{"a":{},"b":{}},'
        b'"oneOf":[{"required":["a"]},{"required":["b"]}]}'
    )
    assert rooted(schema)[0] == b'{"type":"object","properties":{"a":{},"b":{}}}'


def test_references_at_the_root_are_followed() -> None:
    schema = (
        b'{"$ref":"#/definitions/A~1b","definitions":{"A/b":{"type":"object","properties":'
        b'{"n":{"$ref":"#/definitions/A~1b"}},"required":["n"]}}}'
    )
    out, entries = rooted(schema)
    assert out.startswith(
        b'{"type":"object","properties":{"n":{"$ref":"#/definitions/A~1b"}},"required":["n"],'
        b'"definitions":'
    )
    assert entries == ["tools.0:root_branches_merged"]


def test_a_lone_surrogate_is_mended() -> None:
    out, _ = rooted(b'{"properties":{"a":{"description":"\\ud83d"}}}')
    assert "\ufffd".encode() in out


@pytest.mark.parametrize(
    "schema",
    [
        b"[]",
        b"true",
        b'"x"',
        b'{"anyOf":1}',
        b'{"anyOf":[1]}',
        b'{"$ref":"#"}',
        b'{"$ref":"#/nowhere"}',
        b'{"$ref":"https://x/y"}',
        b'{"type":"string","anyOf":[]}',
        b'{"allOf":[{"$ref":"#/allOf/0"},{"$ref":"#/allOf/0"}]}',
        b'{"anyOf":[%s]}' % b",".join([b"{}"] * 600),
    ],
)
def test_a_schema_of_no_object_is_refused(schema: bytes) -> None:
    with pytest.raises(InvalidRequest, match=r"^tools\.0: ") as caught:
        rooted(schema)
    assert caught.value.param == "tools.0"


# --- closed ---------------------------------------------------------------------------------------


def shut(schema: bytes) -> tuple[object, list[str]]:
    notes = LossReport()
    out = close_schema(Raw(schema), "format", notes)
    return out if out is None else msgspec.json.decode(out), notes.entries


def test_objects_are_closed_at_every_level() -> None:
    schema = (
        b'{"$schema":"s","type":"object","properties":{"a":{"type":"array","items":{"properties":'
        b'{"n":{"enum":[1e3]}}}},"b":{"oneOf":[{"type":"null"},{"$ref":"#/$defs/D"}]}},'
        b'"required":["a"],"$defs":{"D":{"type":"object","properties":{}}}}'
    )
    notes = LossReport()
    out = close_schema(Raw(schema), "format", notes)
    assert out is not None
    assert bytes(out) == (
        b'{"type":"object","properties":{"a":{"type":"array","items":{"properties":'
        b'{"n":{"enum":[1e3]}},"type":"object","additionalProperties":false}},'
        b'"b":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/D"}]}},"required":["a"],'
        b'"$defs":{"D":{"type":"object","properties":{},"additionalProperties":false}},'
        b'"additionalProperties":false}'
    )
    assert notes.entries == []


def test_other_keywords_are_said_in_the_description() -> None:
    schema = b'{"type":"integer","minimum":1,"description":"A number","maximum":1e3}'
    assert shut(schema) == (
        {"type": "integer", "description": "A number\n\n{minimum: 1, maximum: 1e3}"},
        ["format:keywords_moved_to_description"],
    )
    assert shut(b'{"type":"array","items":{"type":"string"},"minItems":2}')[0] == {
        "type": "array",
        "items": {"type": "string"},
        "description": "{minItems: 2}",
    }


@pytest.mark.parametrize(
    "schema",
    [
        b'{"type":"string","format":"date-time"}',
        b'{"type":"string","pattern":"^[a-z]+$"}',
        b'{"type":"array","items":{"type":"null"},"minItems":1}',
        b'{"const":1}',
        b'{"type":"object","properties":{},"additionalProperties":false}',
    ],
)
def test_what_is_enforced_stays(schema: bytes) -> None:
    assert shut(schema) == (msgspec.json.decode(schema), [])


def test_an_unknown_format_is_prose() -> None:
    assert shut(b'{"type":"string","format":"color"}')[0] == {
        "type": "string",
        "description": '{format: "color"}',
    }


def test_conjunctions_of_objects_are_merged() -> None:
    schema = (
        b'{"allOf":[{"$ref":"#/$defs/A"},{"properties":{"b":{"type":"null"}},"required":["b"]}],'
        b'"$defs":{"A":{"type":"object","properties":{"a":{"type":"null"}},"required":["a"]}}}'
    )
    out, _ = shut(schema)
    assert isinstance(out, dict)
    assert out["properties"] == {"a": {"type": "null"}, "b": {"type": "null"}}
    assert out["required"] == ["a", "b"]
    assert out["additionalProperties"] is False


def test_a_conjunction_of_one_is_that_one() -> None:
    assert shut(b'{"allOf":[{"type":"null"}],"title":"t"}')[0] == {"type": "null", "title": "t"}
    only = b'{"type":"object","allOf":[{"type":"object","properties":{"a":{"const":1}}}]}'
    assert shut(only)[0] == {
        "type": "object",
        "properties": {"a": {"const": 1}},
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    "schema",
    [
        b"true",
        b"{}",
        b'{"type":"object"}',
        b'{"type":"object","properties":{},"additionalProperties":true}',
        b'{"type":"object","properties":{},"additionalProperties":{"type":"null"}}',
        b'{"type":"object","properties":{"a":{}}}',
        b'{"type":"object","properties":{"a":true}}',
        b'{"type":"string","pattern":"a(?=b)"}',
        b'{"type":"string","pattern":"(?<!a)b"}',
        b'{"type":"string","pattern":"(a)\\\\1"}',
        b'{"$ref":"#"}',
        b'{"$ref":"other.json"}',
        b'{"$ref":"#/$defs/A","$defs":{"A":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/A"}]}}}',
        b'{"$ref":"#/$defs/A","$defs":{"A":{"$ref":"#/$defs/B"},"B":{"$ref":"#/$defs/A"}}}',
        b'{"properties":{"a":{"oneOf":[{"const":1}]},"b":{"$ref":"#/properties/a/oneOf/0"}}}',
        b'{"allOf":[{},{}]}',
        b'{"allOf":[{"properties":{"a":{"const":1}}},{"enum":[1]}]}',
        b'{"allOf":[{"properties":{"a":{"const":1}}},{"type":["object","null"]}]}',
        b'{"allOf":[{"properties":{"a":{"const":1}}},{"maxProperties":1}]}',
        b'{"allOf":[{"type":"string"},{"type":"string"}]}',
        b'{"allOf":[{"properties":{}},{"anyOf":[{"properties":{}}]}]}',
        b'{"allOf":[{"properties":{}},{"properties":{},"additionalProperties":{}}]}',
        b'{"type":"array","items":[{"type":"null"}]}',
    ],
)
def test_what_cannot_be_expressed_is_none(schema: bytes) -> None:
    assert shut(schema) == (None, [])


def test_too_many_references_are_not_followed() -> None:
    table = b",".join(b'"d%d":{"const":1}' % n for n in range(600))
    uses = b",".join(b'{"$ref":"#/$defs/d%d"}' % n for n in range(600))
    assert shut(b'{"anyOf":[%s],"$defs":{%s}}' % (uses, table)) == (None, [])


@pytest.mark.parametrize("schema", DEEP)
def test_no_depth_breaks_anything(schema: Raw) -> None:
    assert not is_strict_schema(schema)
    assert close_schema(schema, "format", LossReport()) is None
    with contextlib.suppress(InvalidRequest):
        ensure_object_root(schema, "tools.0", LossReport())


WORDS = st.sampled_from(
    [
        "type",
        "properties",
        "required",
        "items",
        "anyOf",
        "oneOf",
        "allOf",
        "$ref",
        "$defs",
        "enum",
        "const",
        "not",
        "description",
        "additionalProperties",
        "pattern",
        "format",
        "minItems",
    ]
)
JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(0, 3), st.text("ab", max_size=2),
        st.sampled_from(["object", "string", "#/$defs/a", "#", "#/properties/a"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(WORDS, st.sampled_from("ab")), inner)
    ),
    max_leaves=15,
)  # fmt: skip


@given(JSON)
def test_whatever_comes_is_answered(value: object) -> None:
    schema = Raw(msgspec.json.encode(value))
    strict = is_strict_schema(schema)
    shut_schema = close_schema(schema, "format", LossReport())
    if shut_schema is not None:
        assert close_schema(shut_schema, "format", notes := LossReport()) == shut_schema
        assert notes.entries == []
    try:
        out = ensure_object_root(schema, "tools.0", LossReport())
    except InvalidRequest:
        assert not strict
        return
    assert ensure_object_root(out, "tools.0", LossReport()) is out


def test_a_format_that_is_no_text_is_left_out() -> None:
    closed_schema = close_schema(Raw(b'{"type":"string","format":[]}'), "schema", LossReport())
    assert closed_schema is not None
    assert b'"format"' not in bytes(closed_schema)
