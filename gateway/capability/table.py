"""The shipped table of what servers and models take, as one record for a (kind, model) pair.

A record is built from the kind's own members, then each matching entry of the model families it
serves, then each matching entry of its own models, then the operator's overrides; later ones win.
"""

import fnmatch
import importlib.resources
import re
import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache

import msgspec
from msgspec import Struct

from gateway.capability.record import Capability

_Members = dict[str, object]
_NONE: Mapping[str, object] = {}
_Rules = list[tuple[re.Pattern[str], _Members]]


class _Kind(Struct, forbid_unknown_fields=True):
    base_url: str | None = None
    families: dict[str, list[str]] = {}  # with the prefixes its model ids carry here
    capability: _Members = {}
    models: list[_Members] = []


class _Table(Struct, forbid_unknown_fields=True):
    kind: dict[str, _Kind]
    family: dict[str, list[_Members]]


class _Row(Struct):
    base_url: str | None
    members: _Members
    rules: _Rules


def capability(kind: str, model: str, overrides: Mapping[str, object] = _NONE) -> Capability:
    """What a model at a kind of server takes.

    :raises ValueError: no such kind
    :raises msgspec.ValidationError: an override names no member of the record, or mistypes it
    """
    record = _shipped(kind, model)
    if not overrides:
        return record
    return msgspec.convert({**msgspec.structs.asdict(record), **overrides}, Capability)


def matching(patterns: Mapping[str, Mapping[str, object]], model: str) -> dict[str, object]:
    """The members of every pattern that the model fits; later ones win."""
    found: dict[str, object] = {}
    for pattern, members in patterns.items():
        if _globs(pattern, [""]).fullmatch(model):
            found |= members
    return found


def known_kinds() -> tuple[str, ...]:
    """The kinds of server in the table."""
    return tuple(_rows())


def kind_base_url(kind: str) -> str | None:
    """Where the API of that kind begins, if it is one place. ValueError for an unknown kind."""
    return _row(kind).base_url


@lru_cache(maxsize=4096)
def _shipped(kind: str, model: str) -> Capability:
    row = _row(kind)
    members = dict(row.members)
    for pattern, refined in row.rules:
        if pattern.fullmatch(model):
            members |= refined
    return msgspec.convert(members, Capability)


def _row(kind: str) -> _Row:
    try:
        return _rows()[kind]
    except KeyError:
        raise ValueError(f'"{kind}" is no kind of the table; known: {", ".join(_rows())}') from None


@cache
def _rows() -> dict[str, _Row]:
    text = (
        importlib.resources.files("gateway").joinpath("data/capabilities.toml").read_text("utf-8")
    )
    table = msgspec.convert(tomllib.loads(text), _Table)
    return {name: _compiled(kind, table.family) for name, kind in table.kind.items()}


def _compiled(kind: _Kind, families: Mapping[str, list[_Members]]) -> _Row:
    rules: _Rules = []
    for family, prefixes in kind.families.items():
        rules += [_rule(entry, prefixes) for entry in families[family]]
    rules += [_rule(entry, [""]) for entry in kind.models]
    return _Row(kind.base_url, kind.capability, rules)


def _rule(entry: _Members, prefixes: list[str]) -> tuple[re.Pattern[str], _Members]:
    """The entry's pattern and what it refines."""
    refined = {name: value for name, value in entry.items() if name != "match"}
    return _globs(str(entry["match"]), prefixes), refined


def _globs(text: str, prefixes: list[str]) -> re.Pattern[str]:
    """Globs, separated by `|`, each under every prefix; letter case does not count."""
    globs = [prefix + glob for prefix in prefixes for glob in text.split("|")]
    return re.compile("|".join(fnmatch.translate(glob) for glob in globs), re.IGNORECASE)
