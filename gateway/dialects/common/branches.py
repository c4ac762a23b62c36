"""A JSON Schema opened level by level, and its branches merged into one plain object.

Each level is a table of its members' own bytes, so what needs no change keeps its key order and its
number spelling: a schema spelled anew would miss the upstream's prompt cache.
"""

from urllib.parse import unquote

import msgspec
from msgspec import Raw, Struct

from gateway.wire import raw_json

LEVELS = 64
"""A schema nested deeper than this is not looked into."""
BRANCHES = 512
"""A root with more branches than this, references followed, is not merged."""
COMBINED = ("allOf", "anyOf", "oneOf", "$ref")
EMPTY = Raw(b"{}")
NONE = Raw(b"[]")
OBJECT = Raw(b'"object"')
FALSE = b"false"
NULL = b"null"

_MERGED = frozenset(
    {"type", "properties", "required", "additionalProperties", "allOf", "$ref"}
    | {"title", "description", "$schema", "$id", "$comment"}
)

Schema = dict[str, Raw]

members_of = msgspec.json.Decoder(Schema).decode
items_of = msgspec.json.Decoder(list[Raw]).decode
strings_of = msgspec.json.Decoder(list[str]).decode
_encode = msgspec.json.encode


class Unfit(Exception):
    """The schema cannot be said in the narrower language."""


def read(schema: Raw) -> Schema:
    """The root's members. Raises msgspec.ValidationError where it is no object."""
    try:
        return members_of(schema)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:  # lone surrogates, which only the wire's slow path takes
        return members_of(_encode(raw_json.decode(schema, dict[str, object])))


def _table(raw: Raw) -> Schema:
    """An object or array by its members' names, as a JSON pointer says them."""
    if bytes(raw)[:1] == b"[":
        return {str(at): item for at, item in enumerate(items_of(raw))}
    return members_of(raw)


def types_of(schema: Schema) -> list[str]:
    """The schema's types; empty where it names none."""
    types = msgspec.json.decode(schema.get("type", NONE), type=str | list[str] | None)
    return [types] if isinstance(types, str) else types or []


def shut(schema: Schema) -> bool:
    """Whether the schema forbids further properties in so many words."""
    return bytes(schema.get("additionalProperties", b"")) == FALSE


def _merge_loses(schema: Schema, level: int) -> bool:
    """Whether a merge would allow what the schema forbids, or forbid what it allows."""
    if "additionalProperties" in schema and not shut(schema):
        return True
    if level == 0:  # its other words stay
        return not schema.keys().isdisjoint({"anyOf", "oneOf"})
    return not schema.keys() <= _MERGED or types_of(schema) not in ([], ["object"])


class _Shape(Struct):
    """What an object's schema says of its members."""

    properties: Schema
    required: list[str]
    closed: bool


def _every(shapes: list[_Shape]) -> _Shape:
    """What holds where all of them do."""
    required = list(dict.fromkeys(name for shape in shapes for name in shape.required))
    properties = _union([shape.properties for shape in shapes], "allOf")
    return _Shape(properties, required, any(shape.closed for shape in shapes))


def _either(shapes: list[_Shape]) -> _Shape:
    """What holds where any one of them does."""
    first, *others = shapes
    required = [name for name in first.required if all(name in o.required for o in others)]
    properties = _union([shape.properties for shape in shapes], "anyOf")
    return _Shape(properties, required, all(shape.closed for shape in shapes))


def _union(tables: list[Schema], word: str) -> Schema:
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


class Branches:
    """Merges branches into one plain object, following references within `root`.

    Where `exact`, a merge that would allow more than the branches did is Unfit.
    """

    def __init__(self, root: Schema, *, exact: bool = False) -> None:
        self._root = root
        self._exact = exact
        self._left = BRANCHES
        self._targets: dict[str, Raw] = {}

    def merged(self, schema: Schema) -> Schema:
        """The schema with one set of members in place of its branches."""
        shape = self._shape(schema, 0)
        if shape is None or (self._exact and not shape.properties):
            raise Unfit
        said: Schema = {"type": OBJECT, "properties": Raw(_encode(shape.properties))}
        if shape.required:
            said["required"] = Raw(_encode(shape.required))
        if shape.closed:
            said["additionalProperties"] = Raw(FALSE)
        kept = {w: raw for w, raw in schema.items() if w not in said and w not in COMBINED}
        kept.pop("required", None)
        return said | kept

    def target(self, reference: str) -> Raw:
        """What a reference within the root points to."""
        if reference not in self._targets:
            self._targets[reference] = self._walk(reference)
        return self._targets[reference]

    def _walk(self, reference: str) -> Raw:
        start, *steps = unquote(reference).split("/")
        if start != "#" or len(steps) > LEVELS:
            raise Unfit
        names = [step.replace("~1", "/").replace("~0", "~") for step in steps]
        if not names:
            return Raw(_encode(self._root))
        table, last = self._root, names.pop()
        try:
            for name in names:
                table = _table(table[name])
            return table[last]
        except KeyError:
            raise Unfit from None

    def _shape(self, schema: Schema, level: int) -> _Shape | None:
        """What the schema says of an object, or None where it allows none."""
        self._left -= 1
        if level > LEVELS or self._left < 0:
            raise Unfit
        if self._exact and _merge_loses(schema, level):
            raise Unfit
        types = types_of(schema)
        if types and "object" not in types:
            return None
        properties = schema.get("properties", EMPTY)
        required = schema.get("required", NONE)
        own = _Shape(
            {} if bytes(properties) == NULL else members_of(properties),
            [] if bytes(required) == NULL else strings_of(required),
            shut(schema),
        )
        shapes = [own]
        for word in COMBINED:
            found = self._branches(schema, word, level)
            shapes += [_either(found)] if found and word in ("anyOf", "oneOf") else found
        return _every(shapes)

    def _branches(self, schema: Schema, word: str, level: int) -> list[_Shape]:
        if word not in schema:
            return []
        if word == "$ref":
            branches = [self.target(msgspec.json.decode(schema[word], type=str))]
        else:
            branches = items_of(schema[word])
        opened = [
            members_of(branch) for branch in branches if bytes(branch) not in (b"true", FALSE)
        ]
        shapes = [self._shape(branch, level + 1) for branch in opened]
        return [shape for shape in shapes if shape is not None]
