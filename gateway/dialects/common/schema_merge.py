"""A JSON Schema opened level by level, and its branches merged into one plain object.

Each level is a table of its members' own bytes, so what needs no change keeps its key order and its
number spelling: a schema spelled anew would miss the upstream's prompt cache.
"""

from urllib.parse import unquote

import msgspec
from msgspec import Raw, Struct

from gateway.wire import raw_json

MAX_DEPTH = 64
"""A schema nested deeper than this is not looked into."""
MAX_BRANCHES = 512
"""A root with more branches than this, references followed, is not merged."""
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
    """The schema cannot be said in the narrower language."""


def parse_schema(schema: Raw) -> Schema:
    """The root's members. Raises msgspec.ValidationError where it is no object."""
    try:
        return parse_members(schema)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:  # lone surrogates, which only the wire's slow path takes
        return parse_members(_encode(raw_json.decode(schema, dict[str, object])))


def _index_members(raw: Raw) -> Schema:
    """An object or array by its members' names, as a JSON pointer says them."""
    if bytes(raw)[:1] == b"[":
        return {str(at): item for at, item in enumerate(parse_items(raw))}
    return parse_members(raw)


def parse_types(schema: Schema) -> list[str]:
    """The schema's types; empty where it names none."""
    types = msgspec.json.decode(schema.get("type", EMPTY_ARRAY), type=str | list[str] | None)
    return [types] if isinstance(types, str) else types or []


def is_closed(schema: Schema) -> bool:
    """Whether the schema forbids further properties in so many words."""
    return bytes(schema.get("additionalProperties", b"")) == FALSE


def _merge_loses(schema: Schema, level: int) -> bool:
    """Whether a merge would allow what the schema forbids, or forbid what it allows."""
    if "additionalProperties" in schema and not is_closed(schema):
        return True
    if level == 0:  # its other words stay
        return not schema.keys().isdisjoint({"anyOf", "oneOf"})
    return not schema.keys() <= _MERGEABLE_KEYWORDS or parse_types(schema) not in ([], ["object"])


class _ObjectShape(Struct):
    """What an object's schema says of its members."""

    properties: Schema
    required: list[str]
    closed: bool


def _merge_all_of(shapes: list[_ObjectShape]) -> _ObjectShape:
    """What holds where all of them do."""
    required = list(dict.fromkeys(name for shape in shapes for name in shape.required))
    properties = _union_properties([shape.properties for shape in shapes], "allOf")
    return _ObjectShape(properties, required, any(shape.closed for shape in shapes))


def _merge_any_of(shapes: list[_ObjectShape]) -> _ObjectShape:
    """What holds where any one of them does."""
    first, *others = shapes
    required = [name for name in first.required if all(name in o.required for o in others)]
    properties = _union_properties([shape.properties for shape in shapes], "anyOf")
    return _ObjectShape(properties, required, all(shape.closed for shape in shapes))


def _union_properties(tables: list[Schema], word: str) -> Schema:
    """Every property; one that has several schemas gets them all under `word`."""
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

    Where `exact`, a merge that would allow more than the branches did is Unfit.
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
        """What a reference within the root points to."""
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
        """What the schema says of an object, or None where it allows none."""
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
