"""JSON Schemas adapted to the subset that an upstream supports.

Each level is decoded to its members' bytes, so that what needs no change keeps its key order and
number format: otherwise the upstream's prompt cache would miss.
"""

import graphlib
import re
from collections.abc import Iterable
from typing import NoReturn

import msgspec
from msgspec import Raw

from gateway.dialects.common.schema_merge import (
    COMBINATORS,
    EMPTY_ARRAY,
    EMPTY_OBJECT,
    FALSE,
    MAX_BRANCHES,
    MAX_DEPTH,
    NULL,
    OBJECT_TYPE,
    Schema,
    SchemaMerger,
    UnsupportedSchema,
    is_closed,
    parse_items,
    parse_members,
    parse_schema,
    parse_strings,
    parse_types,
)
from gateway.errors import InvalidRequest
from gateway.neutral.notes import LossReport

_encode = msgspec.json.encode
_NO_PARAMETERS = Raw(b'{"type":"object","properties":{}}')
_SCHEMA_ERRORS = (UnsupportedSchema, msgspec.MsgspecError, RecursionError)

# --- OpenAI's strict subset -----------------------------------------------------------------------

_STRICT_KEYWORDS = frozenset({
    "type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf",
    "$ref", "$defs", "definitions", "description", "title", "pattern", "format", "multipleOf",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems", "$schema",
})  # fmt: skip
_TYPING_KEYWORDS = frozenset({"type", "enum", "const", "anyOf", "allOf", "$ref"})


def is_strict_schema(schema: Raw) -> bool:
    """Whether OpenAI accepts the schema as `strict`: closed, all required, no other keywords."""
    try:
        root = parse_schema(schema)
        return parse_types(root) == ["object"] and "anyOf" not in root and _is_strict(root, 0)
    except _SCHEMA_ERRORS:
        return False


def _is_strict(schema: Schema, level: int) -> bool:
    words = schema.keys()
    if level > MAX_DEPTH or not words <= _STRICT_KEYWORDS or not words & _TYPING_KEYWORDS:
        return False
    types = parse_types(schema)
    if ("object" in types or "properties" in words) and not _has_all_required(schema):
        return False
    if "array" in types and "items" not in words:
        return False
    return all(_is_strict(parse_members(child), level + 1) for child in _child_schemas(schema))


def _has_all_required(schema: Schema) -> bool:
    properties = parse_members(schema.get("properties", EMPTY_OBJECT))
    required = parse_strings(schema.get("required", EMPTY_ARRAY))
    return is_closed(schema) and properties.keys() == set(required)


def _child_schemas(schema: Schema) -> Iterable[Raw]:
    for word in ("properties", "$defs", "definitions"):
        yield from parse_members(schema.get(word, EMPTY_OBJECT)).values()
    yield from parse_items(schema.get("anyOf", EMPTY_ARRAY))
    if "items" in schema:
        yield schema["items"]


# --- the root of a tool's schema at Anthropic -----------------------------------------------------


def ensure_object_root(schema: Raw | None, path: str, notes: LossReport) -> Raw:
    """The schema with an object at its root; the same bytes if it has one. InvalidRequest."""
    if schema is None or bytes(schema).strip() == NULL:
        return _NO_PARAMETERS
    try:
        root = parse_schema(schema)
        fixed = _make_object_root(root)
    except msgspec.MsgspecError as fault:
        _refuse_schema(path, f"is no JSON Schema of an object: {fault}")
    except (UnsupportedSchema, RecursionError):
        _refuse_schema(path, "is too deep or refers to too much")
    if fixed is root:
        return schema
    if any(word in root for word in COMBINATORS):
        notes.note(path, "root_branches_merged")
    return Raw(_encode(fixed))


def _refuse_schema(path: str, reason: str) -> NoReturn:
    raise InvalidRequest(f"{path}: {reason}", param=path)


def _make_object_root(root: Schema) -> Schema:
    if any(word in root for word in COMBINATORS):
        return SchemaMerger(root).merge(root)
    fixed = root
    if bytes(root.get("type", NULL)) == NULL:
        fixed = {"type": OBJECT_TYPE, "properties": EMPTY_OBJECT} | root | {"type": OBJECT_TYPE}
    if bytes(fixed.get("properties", EMPTY_OBJECT)) == NULL:
        fixed = fixed | {"properties": EMPTY_OBJECT}
    if bytes(fixed.get("required", EMPTY_ARRAY)) == NULL:
        fixed = {word: raw for word, raw in fixed.items() if word != "required"}
    return fixed


# --- Anthropic's closed schemas: structured output and strict tools -------------------------------

_SUPPORTED_KEYWORDS = frozenset(
    {"type", "enum", "const", "$ref", "title", "description", "default", "required", "pattern"}
)
_ANNOTATION_KEYWORDS = frozenset({"title", "description", "default"})
_IGNORED_KEYWORDS = frozenset({"$schema", "$id", "$comment"})
_SUPPORTED_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
_UNSUPPORTED_PATTERN = re.compile(r"\(\?<?[=!]|\\[1-9bB]")


def close_schema(schema: Raw, path: str, notes: LossReport) -> Raw | None:
    """The schema in the keywords that Anthropic enforces, or None if that is not possible.

    Other keywords are moved to the description.
    """
    try:
        closer = _SchemaCloser(parse_schema(schema))
        answer = closer.close_root()
    except _SCHEMA_ERRORS:
        return None
    if closer.reworded:
        notes.note(path, "keywords_moved_to_description")
    return answer


class _SchemaCloser:
    """Closes one schema, from its root to its leaves."""

    def __init__(self, root: Schema) -> None:
        self.reworded = False
        self._root = root
        self._merger = SchemaMerger(root, exact=True)

    def close_root(self) -> Raw:
        """The closed schema."""
        _refuse_recursion(self._root, self._merger)
        closed_root = self._close_level(self._root, 0)
        after = SchemaMerger(closed_root)
        for reference in _collect_references(Raw(_encode(closed_root))):
            after.resolve_reference(reference)  # its target may have moved
        return Raw(_encode(closed_root))

    def _close_level(self, schema: Schema, level: int) -> Schema:
        if level > MAX_DEPTH:
            raise UnsupportedSchema
        schema = self._flatten_all_of(schema)
        if "$ref" in schema:  # no other keyword is allowed beside it
            schema = {w: schema[w] for w in ("$ref", "$defs", "definitions") if w in schema}
        out: Schema = {}
        said: Schema = {}
        for word, raw in schema.items():
            if word in _IGNORED_KEYWORDS:
                continue
            said_as = "anyOf" if word == "oneOf" and "anyOf" not in schema else word
            fit = self._adapt_member(said_as, raw, level)
            if fit is None:
                said[word] = raw
            else:
                out[said_as] = fit
        _close_objects(out)
        if said:
            self.reworded = True
            out["description"] = describe_constraints(out.get("description"), said)
        return out

    def _adapt_member(self, word: str, raw: Raw, level: int) -> Raw | None:
        """The member as the target supports it; None if it does not."""
        if word in ("properties", "$defs", "definitions"):
            table = {
                name: self._close_level(parse_members(child), level + 1)
                for name, child in parse_members(raw).items()
            }
            return Raw(_encode(table))
        if word == "items":
            return Raw(_encode(self._close_level(parse_members(raw), level + 1)))
        if word == "anyOf":
            return Raw(
                _encode(
                    [
                        self._close_level(parse_members(child), level + 1)
                        for child in parse_items(raw)
                    ]
                )
            )
        if word == "additionalProperties":
            if bytes(raw) != FALSE:
                raise UnsupportedSchema
            return raw
        if word == "pattern" and _UNSUPPORTED_PATTERN.search(msgspec.json.decode(raw, type=str)):
            raise UnsupportedSchema
        if word == "format":
            name = msgspec.json.decode(raw)
            return raw if isinstance(name, str) and name in _SUPPORTED_FORMATS else None
        if word == "minItems":
            return raw if bytes(raw) in (b"0", b"1") else None
        return raw if word in _SUPPORTED_KEYWORDS else None

    def _flatten_all_of(self, schema: Schema) -> Schema:
        for _ in range(MAX_DEPTH):
            if "allOf" not in schema:
                return schema
            branches = parse_items(schema["allOf"])
            rest = {word: raw for word, raw in schema.items() if word != "allOf"}
            if len(branches) != 1:
                return self._merger.merge(schema)
            only = parse_members(branches[0])
            if only.keys() & rest.keys() - _ANNOTATION_KEYWORDS:
                return self._merger.merge(schema)
            schema = only | rest
        raise UnsupportedSchema


def _close_objects(schema: Schema) -> None:
    if not schema.keys() & _TYPING_KEYWORDS and "properties" not in schema:
        raise UnsupportedSchema
    if "properties" in schema:
        schema.setdefault("type", OBJECT_TYPE)
    if "object" in parse_types(schema):
        if "properties" not in schema:
            raise UnsupportedSchema  # a map with any keys cannot be closed
        schema["additionalProperties"] = Raw(FALSE)


def describe_constraints(description: Raw | None, said: Schema) -> Raw:
    """A description with the keywords that the target does not support."""
    before = msgspec.json.decode(description, type=str) + "\n\n" if description else ""
    words = ", ".join(f"{word}: {bytes(raw).decode()}" for word, raw in said.items())
    return Raw(_encode(f"{before}{{{words}}}"))


def _refuse_recursion(root: Schema, branches: SchemaMerger) -> None:
    edges: dict[str, set[str]] = {}
    waiting = _collect_references(Raw(_encode(root)))
    while waiting:
        reference = waiting.pop()
        if len(edges) > MAX_BRANCHES:
            raise UnsupportedSchema
        edges[reference] = _collect_references(branches.resolve_reference(reference))
        waiting |= edges[reference] - edges.keys()
    try:
        graphlib.TopologicalSorter(edges).prepare()
    except graphlib.CycleError:
        raise UnsupportedSchema from None


def _collect_references(schema: Raw) -> set[str]:
    found: set[str] = set()
    waiting: list[object] = [msgspec.json.decode(schema)]
    while waiting:
        at = waiting.pop()
        if isinstance(at, list):
            waiting += at
        elif isinstance(at, dict):
            waiting += at.values()
            if isinstance(reference := at.get("$ref"), str):
                found.add(reference)
    return found
