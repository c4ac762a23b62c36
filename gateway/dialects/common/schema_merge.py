"""The branches of a JSON Schema merged into one plain object.

Each level is decoded to its members' bytes, so that what needs no change keeps its key order and
number format: otherwise the upstream's prompt cache would miss.
"""

from urllib.parse import unquote

import msgspec
from msgspec import Raw, Struct

from gateway.wire import raw_json

MAX_DEPTH = 64
"""The most levels of a schema."""
MAX_BRANCHES = 512
"""The most branches of a schema that are merged, including those behind references."""
COMBINATORS = ("allOf", "anyOf", "oneOf", "$ref")
EMPTY_OBJECT = Raw(b"{}")
EMPTY_ARRAY = Raw(b"[]")
OBJECT_TYPE = Raw(b'"object"')
FALSE = b"false"
NULL = b"null"

_MERGEABLE_KEYWORDS = frozenset(
    {"type", "properties", "required", "additionalProperties", "allOf", "$ref"}
    | {"title", "description", "$schema", "$id", "$comment"}
)

Schema = dict[str, Raw]

parse_members = msgspec.json.Decoder(Schema).decode
parse_items = msgspec.json.Decoder(list[Raw]).decode
parse_strings = msgspec.json.Decoder(list[str]).decode
_encode = msgspec.json.encode


class UnsupportedSchema(Exception):
    """The schema cannot be expressed in the supported keywords."""


def parse_schema(schema: Raw) -> Schema:
    """The root's members. msgspec.ValidationError if it is not an object."""
    try:
        return parse_members(schema)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:  # lone surrogates, which raw_json.decode replaces
        return parse_members(_encode(raw_json.decode(schema, dict[str, object])))


def _index_members(raw: Raw) -> Schema:
    """The members of an object or array by their names in a JSON pointer."""
    if bytes(raw)[:1] == b"[":
        return {str(at): item for at, item in enumerate(parse_items(raw))}
    return parse_members(raw)


def parse_types(schema: Schema) -> list[str]:
    """The schema's types; empty if it has none."""
    types = msgspec.json.decode(schema.get("type", EMPTY_ARRAY), type=str | list[str] | None)
    return [types] if isinstance(types, str) else types or []


def is_closed(schema: Schema) -> bool:
    """Whether the schema forbids further properties."""
    return bytes(schema.get("additionalProperties", b"")) == FALSE


def _merge_loses(schema: Schema, level: int) -> bool:
    """Whether a merge would allow what the schema forbids, or forbid what it allows."""
    if "additionalProperties" in schema and not is_closed(schema):
        return True
    if level == 0:  # its other keywords are kept
        return not schema.keys().isdisjoint({"anyOf", "oneOf"})
    return not schema.keys() <= _MERGEABLE_KEYWORDS or parse_types(schema) not in ([], ["object"])


class _ObjectShape(Struct):
    """The properties of an object's schema."""

    properties: Schema
    required: list[str]
    closed: bool


def _merge_all_of(shapes: list[_ObjectShape]) -> _ObjectShape:
    """The shape that meets all of them."""
    required = list(dict.fromkeys(name for shape in shapes for name in shape.required))
    properties = _union_properties([shape.properties for shape in shapes], "allOf")
    return _ObjectShape(properties, required, any(shape.closed for shape in shapes))


def _merge_any_of(shapes: list[_ObjectShape]) -> _ObjectShape:
    """The shape that meets any one of them."""
    first, *others = shapes
    required = [name for name in first.required if all(name in o.required for o in others)]
    properties = _union_properties([shape.properties for shape in shapes], "anyOf")
    return _ObjectShape(properties, required, all(shape.closed for shape in shapes))


def _union_properties(tables: list[Schema], word: str) -> Schema:
    """All properties; several schemas of one property are combined under `word`."""
    found: dict[str, dict[bytes, Raw]] = {}
    for table in tables:
        for name, schema in table.items():
            found.setdefault(name, {})[bytes(schema)] = schema
    return {
        name: next(iter(schemas.values()))
        if len(schemas) == 1
        else Raw(_encode({word: list(schemas.values())}))
        for name, schemas in found.items()
    }


class SchemaMerger:
    """Merges branches into one plain object, following references within `root`.

    If `exact`, a merge that would change the meaning raises UnsupportedSchema.
    """

    def __init__(self, root: Schema, *, exact: bool = False) -> None:
        self._root = root
        self._exact = exact
        self._branches_left = MAX_BRANCHES
        self._resolved: dict[str, Raw] = {}

    def merge(self, schema: Schema) -> Schema:
        """The schema with one set of members in place of its branches."""
        shape = self._read_shape(schema, 0)
        if shape is None or (self._exact and not shape.properties):
            raise UnsupportedSchema
        said: Schema = {"type": OBJECT_TYPE, "properties": Raw(_encode(shape.properties))}
        if shape.required:
            said["required"] = Raw(_encode(shape.required))
        if shape.closed:
            said["additionalProperties"] = Raw(FALSE)
        kept = {w: raw for w, raw in schema.items() if w not in said and w not in COMBINATORS}
        kept.pop("required", None)
        return said | kept

    def resolve_reference(self, reference: str) -> Raw:
        """The schema that a reference within the root points to."""
        if reference not in self._resolved:
            self._resolved[reference] = self._follow_pointer(reference)
        return self._resolved[reference]

    def _follow_pointer(self, reference: str) -> Raw:
        start, *steps = unquote(reference).split("/")
        if start != "#" or len(steps) > MAX_DEPTH:
            raise UnsupportedSchema
        names = [step.replace("~1", "/").replace("~0", "~") for step in steps]
        if not names:
            return Raw(_encode(self._root))
        table, last = self._root, names.pop()
        try:
            for name in names:
                table = _index_members(table[name])
            return table[last]
        except KeyError:
            raise UnsupportedSchema from None

    def _read_shape(self, schema: Schema, level: int) -> _ObjectShape | None:
        """The shape of the objects that the schema allows; None if it allows none."""
        self._branches_left -= 1
        if level > MAX_DEPTH or self._branches_left < 0:
            raise UnsupportedSchema
        if self._exact and _merge_loses(schema, level):
            raise UnsupportedSchema
        types = parse_types(schema)
        if types and "object" not in types:
            return None
        properties = schema.get("properties", EMPTY_OBJECT)
        required = schema.get("required", EMPTY_ARRAY)
        own = _ObjectShape(
            {} if bytes(properties) == NULL else parse_members(properties),
            [] if bytes(required) == NULL else parse_strings(required),
            is_closed(schema),
        )
        shapes = [own]
        for word in COMBINATORS:
            found = self._read_branches(schema, word, level)
            shapes += [_merge_any_of(found)] if found and word in ("anyOf", "oneOf") else found
        return _merge_all_of(shapes)

    def _read_branches(self, schema: Schema, word: str, level: int) -> list[_ObjectShape]:
        if word not in schema:
            return []
        if word == "$ref":
            branches = [self.resolve_reference(msgspec.json.decode(schema[word], type=str))]
        else:
            branches = parse_items(schema[word])
        opened = [
            parse_members(branch) for branch in branches if bytes(branch) not in (b"true", FALSE)
        ]
        shapes = [self._read_shape(branch, level + 1) for branch in opened]
        return [shape for shape in shapes if shape is not None]
