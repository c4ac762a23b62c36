"""Where the visible text of an answer stands in decoded JSON."""

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

Json = dict[str, Any]
"""One decoded JSON object."""


class TextSlot(Struct):
    """One string of an answer that the user reads: `holder[key]`, which may be replaced."""

    holder: Json
    key: str
    part: str = ""
    """Tells apart the texts that a stream carries side by side; equal for pieces of one text."""
    is_piece: bool = False
    """It continues a text; else it is a whole one."""

    @property
    def text(self) -> str:
        """The string."""
        text: str = self.holder[self.key]
        return text


def objects_in(value: object) -> Iterator[Json]:
    """The objects of a JSON array; nothing where the value is no array."""
    if isinstance(value, list):
        yield from (each for each in value if isinstance(each, dict))


def object_at(holder: Json, key: str) -> Json:
    """The object at a key; an empty one where there is none."""
    found = holder.get(key)
    return found if isinstance(found, dict) else {}


def slots_in(
    holders: Iterable[Json], key: str, part: str = "", *, is_piece: bool = False
) -> list[TextSlot]:
    """A slot for each holder with a string at the key."""
    return [
        TextSlot(holder, key, part, is_piece)
        for holder in holders
        if isinstance(holder.get(key), str)
    ]
