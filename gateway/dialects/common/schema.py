"""JSON Schemas made to fit what an upstream takes.

Each level is opened as a table of its members' own bytes, so what needs no change keeps its key
order and its number spelling: a schema spelled anew would miss the upstream's prompt cache.
"""

import graphlib
import re
from collections.abc import Iterable
from typing import NoReturn

import msgspec
from msgspec import Raw

from gateway.dialects.common.branches import (
    BRANCHES,
    COMBINED,
    EMPTY,
    FALSE,
    LEVELS,
    NONE,
    NULL,
    OBJECT,
    Branches,
    Schema,
    Unfit,
    items_of,
    members_of,
    read,
    shut,
    strings_of,
    types_of,
)
from gateway.errors import InvalidRequest
from gateway.neutral.notes import Notes

_encode = msgspec.json.encode
_NO_PARAMETERS = Raw(b'{"type":"object","properties":{}}')
_FAULTS = (Unfit, msgspec.MsgspecError, RecursionError)

# --- OpenAI's strict subset -----------------------------------------------------------------------

_STRICT_WORDS = frozenset(
    [
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "const",
        "anyOf",
        "$ref",
        "$defs",
        "definitions",
        "description",
        "title",
        "pattern",
        "format",
        "multipleOf",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minItems",
        "maxItems",
        "$schema",
    ]
)
_TELLING = frozenset({"type", "enum", "const", "anyOf", "allOf", "$ref"})


def strict_subset(schema: Raw) -> bool:
    """Whether OpenAI takes the schema as `strict`: closed, all properties required, plain words."""
    try:
        root = read(schema)
        return types_of(root) == ["object"] and "anyOf" not in root and _strict(root, 0)
    except _FAULTS:
        return False


def _strict(schema: Schema, level: int) -> bool:
    words = schema.keys()
    if level > LEVELS or not words <= _STRICT_WORDS or not words & _TELLING:
        return False
    types = types_of(schema)
    if ("object" in types or "properties" in words) and not _all_required(schema):
        return False
    if "array" in types and "items" not in words:
        return False
    return all(_strict(members_of(child), level + 1) for child in _children(schema))


def _all_required(schema: Schema) -> bool:
    properties = members_of(schema.get("properties", EMPTY))
    required = strings_of(schema.get("required", NONE))
    return shut(schema) and properties.keys() == set(required)


def _children(schema: Schema) -> Iterable[Raw]:
    for word in ("properties", "$defs", "definitions"):
        yield from members_of(schema.get(word, EMPTY)).values()
    yield from items_of(schema.get("anyOf", NONE))
    if "items" in schema:
        yield schema["items"]


# --- the root of a tool's schema at Anthropic -----------------------------------------------------


def root_object(schema: Raw | None, notes: Notes, path: str) -> Raw:
    """The schema with an object at its root; the same bytes where it has one already."""
    if schema is None or bytes(schema).strip() == NULL:
        return _NO_PARAMETERS
    try:
        root = read(schema)
        fixed = _with_object_root(root)
    except msgspec.MsgspecError as fault:
        _refuse(path, f"is no JSON Schema of an object: {fault}")
    except (Unfit, RecursionError):
        _refuse(path, "is too deep or refers to too much")
    if fixed is root:
        return schema
    if any(word in root for word in COMBINED):
        notes.note(path, "root_branches_merged")
    return Raw(_encode(fixed))


def _refuse(path: str, reason: str) -> NoReturn:
    raise InvalidRequest(f"{path}: {reason}", param=path)


def _with_object_root(root: Schema) -> Schema:
    if any(word in root for word in COMBINED):
        return Branches(root).merged(root)
    fixed = root
    if bytes(root.get("type", NULL)) == NULL:
        fixed = {"type": OBJECT, "properties": EMPTY} | root | {"type": OBJECT}
    if bytes(fixed.get("properties", EMPTY)) == NULL:
        fixed = fixed | {"properties": EMPTY}
    if bytes(fixed.get("required", NONE)) == NULL:
        fixed = {word: raw for word, raw in fixed.items() if word != "required"}
    return fixed


# --- Anthropic's closed schemas: structured output and strict tools -------------------------------

_KEPT = frozenset(
    {"type", "enum", "const", "$ref", "title", "description", "default", "required", "pattern"}
)
_ANNOTATIONS = frozenset({"title", "description", "default"})
_SILENT = frozenset({"$schema", "$id", "$comment"})
_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
_UNFIT_PATTERN = re.compile(r"\(\?<?[=!]|\\[1-9bB]")


def closed(schema: Raw, notes: Notes, path: str) -> Raw | None:
    """The schema in the words Anthropic enforces and others in prose, or None if it cannot be."""
    try:
        closer = _Closer(read(schema))
        answer = closer.answer()
    except _FAULTS:
        return None
    if closer.reworded:
        notes.note(path, "keywords_moved_to_description")
    return answer


class _Closer:
    """Closes one schema, from its root down."""

    def __init__(self, root: Schema) -> None:
        self.reworded = False
        self._root = root
        self._branches = Branches(root, exact=True)

    def answer(self) -> Raw:
        """The whole schema, closed."""
        _refuse_recursion(self._root, self._branches)
        closed_root = self._close(self._root, 0)
        after = Branches(closed_root)
        for reference in _references(Raw(_encode(closed_root))):
            after.target(reference)  # it may have pointed into what has moved
        return Raw(_encode(closed_root))

    def _close(self, schema: Schema, level: int) -> Schema:
        if level > LEVELS:
            raise Unfit
        schema = self._without_all_of(schema)
        if "$ref" in schema:  # nothing may stand beside it
            schema = {w: schema[w] for w in ("$ref", "$defs", "definitions") if w in schema}
        out: Schema = {}
        said: Schema = {}
        for word, raw in schema.items():
            if word in _SILENT:
                continue
            said_as = "anyOf" if word == "oneOf" and "anyOf" not in schema else word
            fit = self._fit(said_as, raw, level)
            if fit is None:
                said[word] = raw
            else:
                out[said_as] = fit
        _shut_objects(out)
        if said:
            self.reworded = True
            out["description"] = prose(out.get("description"), said)
        return out

    def _fit(self, word: str, raw: Raw, level: int) -> Raw | None:
        """The member as the target takes it, or None where it does not."""
        if word in ("properties", "$defs", "definitions"):
            table = {
                name: self._close(members_of(child), level + 1)
                for name, child in members_of(raw).items()
            }
            return Raw(_encode(table))
        if word == "items":
            return Raw(_encode(self._close(members_of(raw), level + 1)))
        if word == "anyOf":
            return Raw(
                _encode([self._close(members_of(child), level + 1) for child in items_of(raw)])
            )
        if word == "additionalProperties":
            if bytes(raw) != FALSE:
                raise Unfit
            return raw
        if word == "pattern" and _UNFIT_PATTERN.search(msgspec.json.decode(raw, type=str)):
            raise Unfit
        if word == "format":
            name = msgspec.json.decode(raw)
            return raw if isinstance(name, str) and name in _FORMATS else None
        if word == "minItems":
            return raw if bytes(raw) in (b"0", b"1") else None
        return raw if word in _KEPT else None

    def _without_all_of(self, schema: Schema) -> Schema:
        for _ in range(LEVELS):
            if "allOf" not in schema:
                return schema
            branches = items_of(schema["allOf"])
            rest = {word: raw for word, raw in schema.items() if word != "allOf"}
            if len(branches) != 1:
                return self._branches.merged(schema)
            only = members_of(branches[0])
            if only.keys() & rest.keys() - _ANNOTATIONS:
                return self._branches.merged(schema)
            schema = only | rest
        raise Unfit


def _shut_objects(schema: Schema) -> None:
    if not schema.keys() & _TELLING and "properties" not in schema:
        raise Unfit
    if "properties" in schema:
        schema.setdefault("type", OBJECT)
    if "object" in types_of(schema):
        if "properties" not in schema:
            raise Unfit  # closing a map of anything would leave it nothing
        schema["additionalProperties"] = Raw(FALSE)


def prose(description: Raw | None, said: Schema) -> Raw:
    """A description with the members that the target does not take, in words."""
    before = msgspec.json.decode(description, type=str) + "\n\n" if description else ""
    words = ", ".join(f"{word}: {bytes(raw).decode()}" for word, raw in said.items())
    return Raw(_encode(f"{before}{{{words}}}"))


def _refuse_recursion(root: Schema, branches: Branches) -> None:
    edges: dict[str, set[str]] = {}
    waiting = _references(Raw(_encode(root)))
    while waiting:
        reference = waiting.pop()
        if len(edges) > BRANCHES:
            raise Unfit
        edges[reference] = _references(branches.target(reference))
        waiting |= edges[reference] - edges.keys()
    try:
        graphlib.TopologicalSorter(edges).prepare()
    except graphlib.CycleError:
        raise Unfit from None


def _references(schema: Raw) -> set[str]:
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
