"""Layers of configuration: what each source says and where, and how they become one.

    defaults < vandamme file < discovered < file < environment < flags

The environment stands in two of them. `PORT` and `INTERLINGUA__SERVER__PORT` are meant for this
gateway and beat the file. `OPENAI_API_KEY` is shared with other programs, so what is discovered
from variables of that kind gives way to the file.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Any

from msgspec import Struct

from gateway.config.decode import join

Values = dict[str, Any]
"""A table as TOML gives it."""


class Rank(IntEnum):
    """Precedence: of two values for one option, that of the higher rank is used."""

    DEFAULTS = 0
    VANDAMME = 1
    DISCOVERED = 2
    FILE = 3
    ENVIRONMENT = 4
    FLAGS = 5


class Layer(Struct, kw_only=True):
    """The values of one source, and the origin of each by its path."""

    rank: Rank
    values: Values = {}
    origins: dict[str, str] = {}
    """"server.port" -> "config.toml", "vandamme-config.toml:3", "env PORT" or "flag --port"."""

    def put(self, keys: Sequence[str | int], value: object, origin: str) -> None:
        """Set the value at `keys`, with the tables above it; a number is a place in a list."""
        *above, last = keys
        table: dict[Any, Any] = self.values
        path = ""
        for key in above:
            path = join(path, key)
            table = table.setdefault(key, {})
        table[last] = value
        self.origins[join(path, last)] = origin

    def table(self, *keys: str) -> Values:
        """Return the table at `keys`, empty where there is none."""
        found: object = self.values
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, dict) else {}


def merge(*layers: Layer) -> Layer:
    """Return one layer with the values of all, those of the highest rank where several have one.

    Tables are merged key by key, lists are replaced. Keys stand in the order in which `layers`
    first have them, so that the providers of the file come before those of the environment.
    """
    first, *rest = sorted(layers, key=lambda each: each.rank)
    values, origins = first.values, first.origins
    for upper in rest:
        hidden = tuple(_replaced(values, upper.values, ""))
        kept = {path: place for path, place in origins.items() if not _is_within(path, hidden)}
        values, origins = _over(values, upper.values), kept | upper.origins
    values = _ordered(values, [each.values for each in layers])
    return Layer(rank=max(each.rank for each in layers), values=values, origins=origins)


def paths(value: object, at: str = "") -> Iterator[str]:
    """Yield the path of every key and list element of a table."""
    if isinstance(value, dict):
        parts: list[tuple[str | int, object]] = list(value.items())
    else:
        parts = list(enumerate(value)) if isinstance(value, list) else []
    for key, inner in parts:
        path = join(at, key)
        yield path
        yield from paths(inner, path)


def _over(lower: Any, upper: Any) -> Any:
    if not _is_mergeable(lower, upper):
        return upper
    if isinstance(lower, list):
        return [_over(each, upper.get(place, {})) for place, each in enumerate(lower)]
    both = {key: _over(lower[key], value) for key, value in upper.items() if key in lower}
    return lower | upper | both


def _is_mergeable(lower: object, upper: object) -> bool:
    """Whether `upper` is a table for another one, or numbered changes to the places of a list."""
    if not isinstance(upper, dict):
        return False
    numbered = bool(upper) and all(isinstance(key, int) for key in upper)
    return isinstance(lower, dict) or (isinstance(lower, list) and numbered)


def _replaced(lower: Any, upper: Any, at: str) -> Iterator[str]:
    """Yield the paths at which a value of `upper` takes the place of one of `lower`."""
    if not _is_mergeable(lower, upper):
        yield at
        return
    for key, value in upper.items():
        if isinstance(lower, list) or key in lower:
            yield from _replaced(lower[key], value, join(at, key))


def _is_within(path: str, tops: tuple[str, ...]) -> bool:
    return any(path == top or path.startswith((f"{top}.", f"{top}[")) for top in tops)


def _ordered(values: Values, tables: Sequence[Mapping[str, Any]]) -> Values:
    ordered = {}
    for key in dict.fromkeys(key for table in tables for key in table):
        inner = [table[key] for table in tables if isinstance(table.get(key), dict)]
        value = values[key]
        ordered[key] = _ordered(value, inner) if isinstance(value, dict) else value
    return ordered
