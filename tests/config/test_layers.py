"""Layers and their merge: precedence, origins, the order of keys."""

from typing import Any

import pytest

from gateway.config.layers import Layer, Rank, merge, paths


def layer(rank: Rank, values: dict[str, Any], origin: str = "") -> Layer:
    """A layer whose values all come from one place."""
    return Layer(rank=rank, values=values, origins=dict.fromkeys(paths(values), origin))


FILE = layer(Rank.FILE, {"a": {"x": 1, "y": [1, 2]}, "b": 2}, "file")


@pytest.mark.parametrize(
    ("upper", "merged"),
    [
        ({"a": {"x": 5}}, {"a": {"x": 5, "y": [1, 2]}, "b": 2}),
        ({"a": {"y": [3]}}, {"a": {"x": 1, "y": [3]}, "b": 2}),
        ({"a": {"y": {}}}, {"a": {"x": 1, "y": {}}, "b": 2}),
        ({"a": 7}, {"a": 7, "b": 2}),
        ({"b": {"c": 1}}, {"a": {"x": 1, "y": [1, 2]}, "b": {"c": 1}}),
        ({"c": 3}, {"a": {"x": 1, "y": [1, 2]}, "b": 2, "c": 3}),
    ],
)
def test_the_higher_rank_is_used_wherever_it_stands(
    upper: dict[str, Any], merged: dict[str, Any]
) -> None:
    flags = layer(Rank.FLAGS, upper, "flag")
    assert merge(FILE, flags).values == merged
    assert merge(flags, FILE).values == merged


def test_keys_stand_in_the_order_of_the_layers_as_given() -> None:
    low = layer(Rank.DISCOVERED, {"b": {"z": 1, "y": 1}, "a": 1})
    high = layer(Rank.FILE, {"a": 2, "b": {"y": 2}})
    assert list(merge(high, low).values) == ["a", "b"]
    assert list(merge(high, low).values["b"]) == ["y", "z"]
    assert list(merge(low, high).values) == ["b", "a"]


def test_each_value_keeps_its_origin() -> None:
    merged = merge(FILE, layer(Rank.FLAGS, {"a": {"x": 5}}, "flag"))
    assert merged.origins == {
        "a": "flag", "a.x": "flag", "a.y": "file", "a.y[0]": "file", "a.y[1]": "file", "b": "file",
    }  # fmt: skip


def test_what_is_replaced_has_no_origin_left() -> None:
    upper = Layer(rank=Rank.ENVIRONMENT)
    upper.put(("a", "y"), [9, 9, 9], "env Y")
    merged = merge(FILE, upper)
    assert merged.origins == {"a": "file", "a.x": "file", "a.y": "env Y", "b": "file"}


def test_numbers_change_places_of_a_list() -> None:
    links = layer(Rank.DEFAULTS, {"links": [{"use": "a"}, {"use": "b"}]}, "default")
    upper = Layer(rank=Rank.ENVIRONMENT)
    upper.put(("links", 1, "tries"), 3, "env TRIES")
    merged = merge(links, upper)
    assert merged.values == {"links": [{"use": "a"}, {"use": "b", "tries": 3}]}
    assert merged.origins["links[1].tries"] == "env TRIES"
    assert merged.origins["links[1].use"] == "default"


def test_a_merge_leaves_its_layers_as_they_are() -> None:
    before = Layer(rank=Rank.FILE, values={"a": {"x": 1}}, origins={"a.x": "file"})
    merge(before, layer(Rank.FLAGS, {"a": {"x": 2, "z": 3}}, "flag"))
    assert before == Layer(rank=Rank.FILE, values={"a": {"x": 1}}, origins={"a.x": "file"})


def test_a_table_is_found_or_empty() -> None:
    assert FILE.table("a") == {"x": 1, "y": [1, 2]}
    assert FILE.table("a", "x") == FILE.table("b") == FILE.table("none", "of") == {}
