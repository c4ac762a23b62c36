"""Sizes in bytes, written as people write them."""

import re
from typing import Self

_UNITS = {
    "": 1,
    "b": 1,
    "k": 1024,
    "kib": 1024,
    "kb": 1000,
    "m": 1024**2,
    "mib": 1024**2,
    "mb": 1000**2,
    "g": 1024**3,
    "gib": 1024**3,
    "gb": 1000**3,
}
_FORM = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")


class Size(int):
    """A number of bytes, from a whole number or a text such as "64MiB", "500kB" or "1.5 GB"."""

    def __new__(cls, value: int | str) -> Self:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise TypeError(f"expected {_EXPECTED}, got {value}")
        if isinstance(value, str):
            found = _FORM.fullmatch(value)
            if not found or found[2].lower() not in _UNITS:
                raise ValueError(f'expected {_EXPECTED}, got "{value}"')
            return super().__new__(cls, float(found[1]) * _UNITS[found[2].lower()])
        if value < 0:
            raise ValueError(f"expected {_EXPECTED}, got a negative number")
        return super().__new__(cls, value)


_EXPECTED = 'a size, in bytes or as a text such as "64MiB"'
