"""JSON Schemas in the keywords that Gemini supports (`responseJsonSchema`, ...).

The API reference lists the keywords. Others may be refused, so they are replaced by equivalent
ones, or else moved to the description.
"""

import msgspec
from msgspec import Raw

from gateway.dialects.common.schema import describe_constraints
from gateway.dialects.common.schema_merge import (
    EMPTY_OBJECT,
    MAX_DEPTH,
    Schema,
    SchemaMerger,
    UnsupportedSchema,
    parse_items,
    parse_members,
    parse_schema,
    parse_types,
)
from gateway.errors import InvalidRequest
from gateway.neutral.notes import LossReport

_encode = msgspec.json.encode
_SUPPORTED_KEYWORDS = frozenset(
    {"$id", "$anchor", "type", "title", "description", "enum", "minItems", "maxItems", "minimum",
     "maximum", "required", "propertyOrdering", "default"}
)  # fmt: skip
_SCHEMA_MAPS = frozenset({"properties", "$defs"})
_SCHEMA_LISTS = frozenset({"anyOf", "oneOf", "prefixItems"})
_SUBSCHEMAS = frozenset({"items", "additionalProperties"})
_DROPPED_KEYWORDS = frozenset(
    {"$schema", "$comment", "examples", "example", "deprecated", "readOnly"}
)
_SUPPORTED_FORMATS = frozenset({"date-time", "date", "time", "int32", "int64", "float", "double"})
_EXCLUSIVE_BOUNDS = {"exclusiveMinimum": ("minimum", 1), "exclusiveMaximum": ("maximum", -1)}


def narrow_schema(schema: Raw, path: str, notes: LossReport) -> Raw:
    """The schema in those keywords; the same bytes if it has no others. InvalidRequest."""
    try:
        narrower = _SchemaNarrower(parse_schema(schema))
        answer = narrower.narrow_root(schema)
    except msgspec.MsgspecError as fault:
        raise InvalidRequest(f"{path}: is no JSON Schema: {fault}", param=path) from None
    except (UnsupportedSchema, RecursionError):
        raise InvalidRequest(f"{path}: is nested too deeply", param=path) from None
    if narrower.reworded:
        notes.note(path, "keywords_moved_to_description")
    return answer


def has_no_parameters(schema: Raw) -> bool:
    """Whether the schema of an object has no properties."""
    root = parse_members(schema)
    if not root.keys() <= {"type", "properties", "required", "additionalProperties"}:
        return False
    return not parse_members(root.get("properties", EMPTY_OBJECT))


class _SchemaNarrower:
    """Narrows one schema, from its root to its leaves."""

    def __init__(self, root: Schema) -> None:
        self.reworded = False
        self._root = root
        self._renames_definitions = "definitions" in root and "$defs" not in root

    def narrow_root(self, schema: Raw) -> Raw:
        """The narrowed schema; the same bytes if nothing changes."""
        root = self._root
        if self._renames_definitions:
            root = {"$defs" if word == "definitions" else word: raw for word, raw in root.items()}
        fit = self._narrow_members(root, 0)
        return schema if fit is self._root else Raw(_encode(fit))

    def _narrow_subschema(self, raw: Raw, level: int) -> Raw:
        if bytes(raw) in (b"true", b"false"):
            return raw
        schema = parse_members(raw)
        fit = self._narrow_members(schema, level)
        return raw if fit is schema else Raw(_encode(fit))

    def _narrow_members(self, schema: Schema, level: int) -> Schema:
        """The narrowed members; the same object if nothing changes."""
        given = schema
        if level > MAX_DEPTH:
            raise UnsupportedSchema
        if "allOf" in schema:
            schema = self._merge_all_of(schema)
        if "$ref" in schema:  # docs: beside it only keywords that begin with $ are allowed
            schema = {word: raw for word, raw in schema.items() if word in ("$ref", "$defs")}
        out: Schema = {}
        said: Schema = {}
        for word, raw in schema.items():
            if word not in _DROPPED_KEYWORDS and not self._fit_keyword(word, raw, out, level):
                said[word] = raw
        _convert_bounds(said, out, parse_types(schema))
        if said:
            self.reworded = True
            out["description"] = describe_constraints(out.get("description"), said)
        same = out.keys() == given.keys() and all(out[word] is given[word] for word in out)
        return given if same else out

    def _fit_keyword(self, word: str, raw: Raw, out: Schema, level: int) -> bool:
        """Adds the keyword to `out` if Gemini supports it; whether it does."""
        if word in _SCHEMA_MAPS:
            table = parse_members(raw)
            fits = {name: self._narrow_subschema(child, level + 1) for name, child in table.items()}
            same = all(fits[name] is child for name, child in table.items())
            out[word] = raw if same else Raw(_encode(fits))
        elif word in _SCHEMA_LISTS:
            items = parse_items(raw)
            fit = [self._narrow_subschema(item, level + 1) for item in items]
            same = all(new is old for new, old in zip(fit, items, strict=True))
            out[word] = raw if same else Raw(_encode(fit))
        elif word in _SUBSCHEMAS and bytes(raw)[:1] != b"[":
            out[word] = self._narrow_subschema(raw, level + 1)
        elif word == "const":
            out.setdefault("enum", Raw(b"[" + bytes(raw) + b"]"))
        elif word == "$ref":
            out[word] = self._rewrite_reference(raw)
        elif word in _SUPPORTED_KEYWORDS or (
            word == "format" and _read_string(raw) in _SUPPORTED_FORMATS
        ):
            out[word] = raw
        else:
            return False
        return True

    def _rewrite_reference(self, raw: Raw) -> Raw:
        name = _read_string(raw)
        if self._renames_definitions and name.startswith("#/definitions/"):
            return Raw(_encode("#/$defs/" + name.removeprefix("#/definitions/")))
        return raw

    def _merge_all_of(self, schema: Schema) -> Schema:
        """The schema with `allOf` merged, or in the description if its branches do not merge."""
        branches = [parse_members(branch) for branch in parse_items(schema["allOf"])]
        rest = {word: raw for word, raw in schema.items() if word != "allOf"}
        if len(branches) == 1 and "$ref" not in branches[0]:
            return branches[0] | rest
        if len(branches) == 1 and not rest.keys() - {"title", "description", "default", "$defs"}:
            return branches[0] | rest
        try:
            return SchemaMerger(self._root, exact=True).merge(schema)
        except UnsupportedSchema:
            return schema


def _convert_bounds(said: Schema, out: Schema, types: list[str]) -> None:
    """Converts exclusive bounds: for integers, to the next number."""
    for word, (inclusive, step) in _EXCLUSIVE_BOUNDS.items():
        if types == ["integer"] and inclusive not in out and word in said:
            bound = msgspec.json.decode(said[word])
            if isinstance(bound, int) and not isinstance(bound, bool):
                out[inclusive] = Raw(_encode(bound + step))
                del said[word]


def _read_string(raw: Raw) -> str:
    value = msgspec.json.decode(raw)
    return value if isinstance(value, str) else ""
