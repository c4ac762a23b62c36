"""Readers of request members, as the tables of the dialects use them."""

from typing import Any

import pytest
from msgspec import Raw

from gateway.dialects.common.members import (
    MemberReader,
    assign,
    assign_integer,
    check_types,
    drop,
    ignore,
    refuse,
    require_member,
)
from gateway.errors import InvalidRequest
from gateway.neutral.events import Prompt
from gateway.neutral.notes import LossReport


def read(reader: MemberReader, json: bytes, **before: Any) -> tuple[Prompt, list[str]]:
    """What a reader makes of a value, and what it noted."""
    prompt, notes = Prompt("m", [], **before), LossReport()
    reader(Raw(json), prompt, notes)
    return prompt, notes.entries


def test_a_value_goes_to_the_attribute_of_its_name_or_another() -> None:
    assert read(assign("temperature", float), b"0.5")[0].temperature == 0.5
    assert read(assign("prompt_cache_key", str, "session"), b'"s"')[0].session == "s"


def test_one_that_does_not_override_leaves_what_is_there() -> None:
    weak = assign("user", str, overrides=False)
    assert read(weak, b'"a"', user="b")[0].user == "b"
    assert read(weak, b'"a"')[0].user == "a"
    weak = assign_integer("max_tokens", overrides=False)
    assert read(weak, b"3", max_tokens=5)[0].max_tokens == 5
    assert read(weak, b"3")[0].max_tokens == 3


@pytest.mark.parametrize(
    ("json", "message"),
    [
        (b"1.5", "top_k: must be an integer"), (b"-1", "top_k: must be at least 0"),
        (b'"x"', "top_k: Expected `int | float`, got `str`"),
    ],
)  # fmt: skip
def test_what_is_no_count_is_named(json: bytes, message: str) -> None:
    reader = assign_integer("top_k", least=0)
    assert read(reader, b"100.0")[0].top_k == 100
    with pytest.raises(InvalidRequest) as caught:
        read(reader, json)
    assert (caught.value.message, caught.value.param) == (message, "top_k")


def test_what_has_no_place_is_noted_refused_or_ignored() -> None:
    assert read(drop("logprobs"), b"true")[1] == ["logprobs:unsupported_by_target"]
    assert read(drop("logprobs"), b"false")[1] == []
    assert read(ignore, b"1") == (Prompt("m", []), [])
    with pytest.raises(InvalidRequest, match="text only"):
        read(refuse("audio", "this provider answers in text only"), b"{}")


def test_a_missing_and_a_mistyped_member_are_named() -> None:
    fields = {"tools": Raw(b'[{"bad'), "user": Raw(b"1"), "top_p": Raw(b"null")}
    assert require_member(fields, "user") == Raw(b"1")
    with pytest.raises(InvalidRequest, match="model: Field required"):
        require_member(fields, "model")
    check_types(fields, {"tools": list, "top_p": float})
    with pytest.raises(InvalidRequest, match="user: Expected `str`, got `int`"):
        check_types(fields, {"user": str})
