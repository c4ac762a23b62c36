"""Typed reading of Messages JSON, and how a wrong member is named."""

import pytest
from msgspec import Raw

from gateway.dialects.messages.wire import ImageBlock
from gateway.errors import InvalidRequest
from gateway.wire.raw_json import ABSENT, decode, member, present


@pytest.mark.parametrize(
    ("raw", "param", "message"),
    [
        (b'{"source":{"type":3}}', "a.0.source.type", "Expected `str`, got `int`"),
        (b'{"source":{}}', "a.0.source.type", "Field required"),
        (b"{}", "a.0.source", "Field required"),
        (b"[]", "a.0", "Expected `object`, got `array`"),
    ],
)
def test_the_path_of_a_wrong_member(raw: bytes, param: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        member(Raw(raw), ImageBlock, "a.0")
    assert caught.value.param == param
    assert caught.value.message == f"{param}: {message}"


def test_an_item_is_named_by_its_index() -> None:
    with pytest.raises(InvalidRequest) as caught:
        member(Raw(b'["a",1]'), list[str], "stop")
    assert caught.value.param == "stop.1"


def test_a_raw_member_is_absent_or_null_or_given() -> None:
    assert not present(ABSENT)
    assert not present(Raw(b"null"))
    assert present(Raw(b"0"))
    assert not present(
        decode(b'{"source":{"type":"url"},"transformations":null}', ImageBlock).transformations
    )


def test_lone_surrogates_are_respelled_inside_raw_members_too() -> None:
    assert bytes(decode(b'["\\ud83d"]', list[Raw])[0]) == '"\ufffd"'.encode()
