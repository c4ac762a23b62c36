"""A validator's messages in plain words."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from gateway.config.messages import listed, nearest, plain


@pytest.mark.parametrize(
    ("raw", "kind", "said"),
    [
        ("x", int, "expected a whole number, got text"),
        ("x", float | None, "expected a number, got text"),
        (1, bool, "expected true or false, got a whole number"),
        ({}, list[int], "expected a list, got a table"),
        (70, Annotated[int, Meta(le=65)], "expected a whole number of at most 65"),
        (0.0, Annotated[float, Meta(gt=0)], "expected a number of more than 0"),
        ("", Annotated[str, Meta(min_length=2)], "expected text of a length of at least 2"),
        ("b", Annotated[str, Meta(pattern="^a")], "expected text matching regex '^a'"),
        ("b", Literal["a", "c"], 'expected one of "a", "c"'),
    ],
)
def test_a_message_is_in_an_operators_words(raw: object, kind: Any, said: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(raw, kind)
    assert plain(caught.value, kind, raw)[0] == said


def test_the_path_below_a_value_is_kept() -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({"a": [1, "x"]}, dict[str, list[int]])
    assert plain(caught.value, dict, {})[1] == "[...][1]"


@pytest.mark.parametrize(
    ("name", "meant"), [("prot", "port"), ("Body-Limit", "body_limit"), ("xyz", "")]
)
def test_the_nearest_name(name: str, meant: str) -> None:
    assert nearest(name, ["port", "host", "body_limit"]) == meant


def test_names_in_a_sentence() -> None:
    assert listed(["a", "b"]) == '"a", "b"'
