"""Sizes in bytes."""

from typing import Any

import pytest

from gateway.config.size import Size


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), (" 64MiB ", 2**26), ("1.5 kB", 1500), ("2G", 2**31), ("3b", 3), (7, 7)],
)
def test_a_size_is_written_in_many_ways(text: str | int, size: int) -> None:
    assert Size(text) == size


@pytest.mark.parametrize("value", ["", "x", "1 mile", "-1", -1, "1..5k", True, 1.5, None])
def test_what_is_no_size_is_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="expected a size, in bytes or as a text"):
        Size(value)
