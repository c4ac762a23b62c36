"""JSON Schemas in the words that Gemini reads (`responseJsonSchema`, `parametersJsonSchema`).

The reference lists the words. One that is not among them may be refused, so it is said in another
way where there is one, and else in the description.
"""

import msgspec
from msgspec import Raw

from gateway.dialects.common.branches import (
    EMPTY,
    LEVELS,
    Branches,
    Schema,
    Unfit,
    items_of,
    members_of,
    read,
    types_of,
)
from gateway.dialects.common.schema import prose
from gateway.errors import InvalidRequest
from gateway.neutral.notes import Notes

_encode = msgspec.json.encode
_KEPT = frozenset(
    {"$id", "$anchor", "type", "title", "description", "enum", "minItems", "maxItems", "minimum",
     "maximum", "required", "propertyOrdering", "default"}
)  # fmt: skip
_TABLES = frozenset({"properties", "$defs"})
_LISTS = frozenset({"anyOf", "oneOf", "prefixItems"})
_ONE = frozenset({"items", "additionalProperties"})
_SILENT = frozenset({"$schema", "$comment", "examples", "example", "deprecated", "readOnly"})
_FORMATS = frozenset({"date-time", "date", "time", "int32", "int64", "float", "double"})
_BOUNDS = {"exclusiveMinimum": ("minimum", 1), "exclusiveMaximum": ("maximum", -1)}


def narrowed(schema: Raw, notes: Notes, path: str) -> Raw:
    """The schema in those words; the same bytes where it has no others. InvalidRequest."""
    try:
        narrower = _Narrower(read(schema))
        answer = narrower.answer(schema)
    except msgspec.MsgspecError as fault:
        raise InvalidRequest(f"{path}: is no JSON Schema: {fault}", param=path) from None
    except (Unfit, RecursionError):
        raise InvalidRequest(f"{path}: is nested too deeply", param=path) from None
    if narrower.reworded:
        notes.note(path, "keywords_moved_to_description")
    return answer


def is_bare(schema: Raw) -> bool:
    """Whether an object's schema names no member at all."""
    root = members_of(schema)
    if not root.keys() <= {"type", "properties", "required", "additionalProperties"}:
        return False
    return not members_of(root.get("properties", EMPTY))


class _Narrower:
    """Narrows one schema, from its root down."""

    def __init__(self, root: Schema) -> None:
        self.reworded = False
        self._root = root
        self._moved = "definitions" in root and "$defs" not in root

    def answer(self, schema: Raw) -> Raw:
        """The whole schema; its own bytes where nothing changes."""
        root = self._root
        if self._moved:
            root = {"$defs" if word == "definitions" else word: raw for word, raw in root.items()}
        fit = self._schema(root, 0)
        return schema if fit is self._root else Raw(_encode(fit))

    def _any(self, raw: Raw, level: int) -> Raw:
        if bytes(raw) in (b"true", b"false"):
            return raw
        schema = members_of(raw)
        fit = self._schema(schema, level)
        return raw if fit is schema else Raw(_encode(fit))

    def _schema(self, schema: Schema, level: int) -> Schema:
        """The schema itself where nothing in it changes."""
        given = schema
        if level > LEVELS:
            raise Unfit
        if "allOf" in schema:
            schema = self._without_all_of(schema)
        if "$ref" in schema:  # docs: beside it, only words that begin with $ may stand
            schema = {word: raw for word, raw in schema.items() if word in ("$ref", "$defs")}
        out: Schema = {}
        said: Schema = {}
        for word, raw in schema.items():
            if word not in _SILENT and not self._fit(word, raw, out, level):
                said[word] = raw
        _bounds(said, out, types_of(schema))
        if said:
            self.reworded = True
            out["description"] = prose(out.get("description"), said)
        same = out.keys() == given.keys() and all(out[word] is given[word] for word in out)
        return given if same else out

    def _fit(self, word: str, raw: Raw, out: Schema, level: int) -> bool:
        """Puts the member among those of the new schema, if it fits there."""
        if word in _TABLES:
            table = members_of(raw)
            fits = {name: self._any(child, level + 1) for name, child in table.items()}
            same = all(fits[name] is child for name, child in table.items())
            out[word] = raw if same else Raw(_encode(fits))
        elif word in _LISTS:
            items = items_of(raw)
            fit = [self._any(item, level + 1) for item in items]
            same = all(new is old for new, old in zip(fit, items, strict=True))
            out[word] = raw if same else Raw(_encode(fit))
        elif word in _ONE and bytes(raw)[:1] != b"[":
            out[word] = self._any(raw, level + 1)
        elif word == "const":
            out.setdefault("enum", Raw(b"[" + bytes(raw) + b"]"))
        elif word == "$ref":
            out[word] = self._reference(raw)
        elif word in _KEPT or (word == "format" and _name(raw) in _FORMATS):
            out[word] = raw
        else:
            return False
        return True

    def _reference(self, raw: Raw) -> Raw:
        name = _name(raw)
        if self._moved and name.startswith("#/definitions/"):
            return Raw(_encode("#/$defs/" + name.removeprefix("#/definitions/")))
        return raw

    def _without_all_of(self, schema: Schema) -> Schema:
        """One set of members in place of the branches; in words where they do not merge."""
        branches = [members_of(branch) for branch in items_of(schema["allOf"])]
        rest = {word: raw for word, raw in schema.items() if word != "allOf"}
        if len(branches) == 1 and "$ref" not in branches[0]:
            return branches[0] | rest
        if len(branches) == 1 and not rest.keys() - {"title", "description", "default", "$defs"}:
            return branches[0] | rest
        try:
            return Branches(self._root, exact=True).merged(schema)
        except Unfit:
            return schema


def _bounds(said: Schema, out: Schema, types: list[str]) -> None:
    """Bounds that exclude their number: for integers, the next number is the bound."""
    for word, (inclusive, step) in _BOUNDS.items():
        if types == ["integer"] and inclusive not in out and word in said:
            bound = msgspec.json.decode(said[word])
            if isinstance(bound, int) and not isinstance(bound, bool):
                out[inclusive] = Raw(_encode(bound + step))
                del said[word]


def _name(raw: Raw) -> str:
    value = msgspec.json.decode(raw)
    return value if isinstance(value, str) else ""
