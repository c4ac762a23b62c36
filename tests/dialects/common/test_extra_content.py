"""The signature of a tool call in `extra_content`."""

import msgspec
import pytest
from msgspec import Raw

from gateway.dialects.common.extra_content import (
    SKIP_SIGNATURE,
    add_extra_signature,
    read_signature,
    write_extra_content,
)
from gateway.wire.raw_json import ABSENT

SIGNED = {"google": {"thought_signature": "sig"}}


def raw(value: object) -> Raw:
    return Raw(msgspec.json.encode(value))


def test_what_is_written_is_read() -> None:
    assert read_signature(raw(write_extra_content("sig")["extra_content"])) == "sig"
    assert write_extra_content("") == {}


@pytest.mark.parametrize(
    "extra", [None, "sig", [], {}, {"google": None}, {"google": {}}, {"google": {"thought": True}},
              {"google": {"thought_signature": 1}}, {"google": {"thought_signature": None}}],
)  # fmt: skip
def test_what_holds_no_signature_has_none(extra: object) -> None:
    assert read_signature(raw(extra)) == ""
    assert read_signature(ABSENT) == ""
    assert read_signature(Raw(b'{"google":{"thought_signature":"\xff"}}')) == ""


@pytest.mark.parametrize(
    ("extra", "become"),
    [
        (ABSENT, SIGNED),
        (raw(None), SIGNED),
        (raw("text"), SIGNED),
        (raw({"other": 1}), {"other": 1} | SIGNED),
        (raw({"google": {"a": 1}}), {"google": {"a": 1, "thought_signature": "sig"}}),
    ],
)
def test_a_signature_is_added_to_what_is_there(extra: Raw, become: object) -> None:
    assert msgspec.json.decode(add_extra_signature(extra, "sig")) == become


def test_the_word_that_skips_the_check() -> None:
    assert SKIP_SIGNATURE == "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="
