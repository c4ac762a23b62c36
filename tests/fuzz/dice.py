"""Choices out of bytes: hypothesis and a coverage-guided fuzzer steer the same target with them."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """A source of choices; every one is 0, the plainest, once its bytes are used up."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def roll(self, sides: int) -> int:
        """A number below `sides`."""
        if sides < 2:
            return 0
        width = 1 if sides <= 256 else 2
        piece = self._data[self._at : self._at + width]
        self._at += width
        return int.from_bytes(piece, "big") % sides

    def pick(self, choices: Sequence[T]) -> T:
        """One of them."""
        return choices[self.roll(len(choices))]

    def one_in(self, sides: int) -> bool:
        """Whether the last side came up; never once the bytes are used up."""
        return self.roll(sides) == sides - 1
